package journey_test

import (
	"context"
	"slices"
	"testing"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// proofKinds are the kinds of events of which one tells that a method proved something. A
// forgotten password is not typed but set, after a code and a second factor.
var proofKinds = map[identity.Method][]audit.Kind{
	identity.ByPassword:         {audit.PasswordRight, audit.UserChanged},
	identity.ByPasscode:         {audit.PasscodeRight},
	identity.ByPush:             {audit.PushApproved},
	identity.ByPasskey:          {audit.PasskeyRight},
	identity.ByVerifiedPasskey:  {audit.PasskeyRight},
	identity.ByChallenge:        {audit.PasscodeRight},
	identity.ByRecoveryCode:     {audit.RecoveryCodeRight},
	identity.ByRememberedDevice: {audit.DeviceRight},
}

// checkProofs fails the test if what a journey counts as proved, other than by the session
// it began with, is told by no event of it (ADM-6). Every input of every test goes through
// it.
func (h *fixture) checkProofs(j *identity.Journey, before []identity.CompletedFactor, s identity.Session) {
	h.Helper()
	for _, p := range j.Passed {
		known := func(old identity.CompletedFactor) bool { return old.Method == p.Method && old.At.Equal(p.At) }
		if slices.ContainsFunc(before, known) || slices.ContainsFunc(s.Passed, known) {
			continue
		}
		all, err := store.Collect(h.db.Events().List(context.WithoutCancel(h.Context()), j.Tenant, store.EventFilter{Journey: j.ID, Kinds: proofKinds[p.Method], Limit: -1}))
		if err != nil {
			h.Error(err)
		}
		if len(proofKinds[p.Method]) == 0 || len(all) == 0 {
			h.Errorf("%s counts as proved by %s, and no event of the journey tells it", p.Validation, p.Method)
		}
	}
}

// A right password and a remembered device are events, in their order, with who, where and
// to which application, as passcodes and pushes are. Without their calls of Event both are
// missing here, and checkProofs fails in most other tests.
func TestADM6_EveryProofIsAnEvent(t *testing.T) {
	storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
		h := newFixture(t, empty)
		h.remembering(true)
		v := h.login("b", h.remembered("b"), nil)
		h.want(v, nil, journey.Done)
		all, err := store.Collect(h.db.Events().List(t.Context(), h.Tenant.ID, store.EventFilter{Journey: v.Journey.ID, Oldest: true}))
		if err != nil {
			t.Fatal(err)
		}
		var kinds []audit.Kind
		for _, e := range all {
			kinds = append(kinds, e.Kind)
			if e.User != h.User.ID || e.Application != h.Application.ID || e.Actor.IP != "192.0.2.17" || e.Personal["name"] == "" {
				t.Errorf("%s: %+v", e.Kind, e)
			}
			if a := audit.ActivityOf(e); a.Result != "success" || a.Method == "" {
				t.Errorf("%s is reported as %+v", e.Kind, a)
			}
		}
		if want := []audit.Kind{audit.PasswordRight, audit.DeviceRight, audit.LoginSucceeded}; !slices.Equal(kinds, want) {
			t.Errorf("events %v, want %v", kinds, want)
		}
	})
}
