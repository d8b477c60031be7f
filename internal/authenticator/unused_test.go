package authenticator

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
	"github.com/latchkey-id/latchkey/templates"
)

// inState returns an authenticator in a state.
func inState(t *testing.T, h *storetest.Fixture, state identity.State) identity.Authenticator {
	t.Helper()
	a := identity.Authenticator{Tenant: h.Tenant.ID, ID: identity.NewID(identity.AuthenticatorID), Serial: identity.NewID(identity.AuthenticatorID),
		Kind: identity.TOTP, Name: "phone", Seed: []byte("12345678901234567890"), Digits: 6, Step: 30, Template: []byte(`{}`)}
	if state != identity.Pending {
		a.ActivatedAt = h.Clock.Now()
	}
	h.Do(t, func(tx *store.Tx) error {
		if err := tx.Authenticators().Add(t.Context(), a, h.User.ID); err != nil {
			return err
		}
		switch state {
		case identity.Locked:
			return Lock(t.Context(), tx, a)
		case identity.Suspended:
			return Suspend(t.Context(), tx, a)
		case identity.Inactive:
			return expire(t.Context(), tx, a)
		case identity.Revoked:
			return Revoke(t.Context(), tx, a, "lost")
		}
		return nil
	})
	return a
}

// expire makes an authenticator inactive because it is not used.
func expire(ctx context.Context, tx *store.Tx, a identity.Authenticator) error {
	soon := tx.Now().Add(time.Second)
	if _, err := tx.Authenticators().WarnUnused(ctx, a.Tenant, a.ID, soon); err != nil {
		return err
	}
	done, err := tx.Authenticators().ExpireUnused(ctx, a, soon, soon)
	if err == nil && !done {
		err = identity.Conflict
	}
	if err != nil {
		return err
	}
	return recordUnused(ctx, tx, a, nil, audit.AuthenticatorUnassigned, "unused", templates.BecameInactive)
}

// Every act in every state leads where the table says, or is refused and changes nothing
// (CRED-14). A revoked authenticator stays revoked.
//
// Each condition on the state in an UPDATE was removed in turn, and the test failed.
func TestCRED14_EveryActInEveryState(t *testing.T) {
	const no = identity.State("")
	acts := []struct {
		name string
		do   func(context.Context, *store.Tx, identity.Authenticator) error
	}{{"lock", Lock}, {"unlock", Unlock}, {"suspend", Suspend}, {"resume", Resume},
		{"revoke", func(ctx context.Context, tx *store.Tx, a identity.Authenticator) error {
			return Revoke(ctx, tx, a, "lost")
		}}, {"expire", expire}}
	to := map[identity.State][]identity.State{
		//                   lock             unlock           suspend             resume           revoke            expire
		identity.Pending:   {no, no, no, no, identity.Revoked, no},
		identity.Active:    {identity.Locked, no, identity.Suspended, no, identity.Revoked, identity.Inactive},
		identity.Locked:    {no, identity.Active, identity.Suspended, no, identity.Revoked, identity.Inactive},
		identity.Suspended: {identity.Suspended, no, no, identity.Active, identity.Revoked, no},
		identity.Inactive:  {no, no, no, no, identity.Revoked, no},
		identity.Revoked:   {no, no, no, no, no, no},
	}
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		for state, row := range to {
			for i, act := range acts {
				name, a := fmt.Sprintf("%s one that is %s", act.name, state), inState(t, h, state)
				before, err := h.DB.Authenticators().Get(t.Context(), a.Tenant, a.ID)
				if err != nil || before.State() != state {
					t.Fatalf("%s: is %s, %v", name, before.State(), err)
				}
				h.Clock.Advance(time.Second)
				err = h.DB.InTx(t.Context(), h.Who, func(tx *store.Tx) error { return act.do(t.Context(), tx, a) })
				after, readErr := h.DB.Authenticators().Get(t.Context(), a.Tenant, a.ID)
				if readErr != nil {
					t.Fatal(readErr)
				}
				want := row[i]
				again := act.name == "revoke" && state == identity.Revoked // not an error, but changes nothing
				switch {
				case want != no && (err != nil || after.State() != want):
					t.Errorf("%s: %v, is %s, want %s", name, err, after.State(), want)
				case want == no && (after.State() != state || !errors.Is(err, identity.Conflict) && !again):
					t.Errorf("%s: %v, is %s, want it refused", name, err, after.State())
				}
			}
		}
	})
}

// The user of an unused authenticator is warned a week before, and it becomes inactive on the
// day, not sooner, and not after a use in between. When the policy is switched on, nothing
// becomes inactive at once. All this happens once, however many nodes check.
//
// Without warned_at in WarnUnused, or suspended_at in expirable, this fails.
func TestCRED15_UnusedOnesBecomeInactive(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		rules := policy.DefaultCredentials()
		rules.UnusedDays = 30
		day := 24 * time.Hour
		idle, used, away := inState(t, h, identity.Active), inState(t, h, identity.Active), inState(t, h, identity.Suspended)
		look := func(warned, inactive int) {
			t.Helper()
			for i, want := range []ExpiryReport{{Warned: warned, Inactive: inactive}, {}} { // the second finds nothing to do
				got, err := ExpireUnused(t.Context(), h.DB, h.Tenant.ID, rules)
				got.Longest = 0
				if err != nil || got != want {
					t.Errorf("look %d: %+v, %v, want %+v", i, got, err, want)
				}
			}
		}
		state := func(a identity.Authenticator, want identity.State) {
			t.Helper()
			if now, err := h.DB.Authenticators().Get(t.Context(), a.Tenant, a.ID); err != nil || now.State() != want {
				t.Errorf("%s, %v, want %s", now.State(), err, want)
			}
		}
		look(0, 0)
		h.Clock.Advance(400 * day) // the policy is switched on now
		look(2, 0)
		h.Clock.Advance(6 * day)
		h.Do(t, func(tx *store.Tx) error {
			_, err := tx.Passcodes().UseSigned(t.Context(), used.Tenant, used.ID)
			return err
		})
		look(0, 0)
		h.Clock.Advance(day + time.Second)
		look(0, 1)
		state(idle, identity.Inactive)
		state(used, identity.Active)
		state(away, identity.Suspended)
		h.Clock.Advance(22 * day)
		look(1, 0) // the used one, anew: 23 days after its use
		h.Clock.Advance(7*day + time.Second)
		look(0, 1)
		state(used, identity.Inactive)
		if n := len(events(t, h, audit.AuthenticatorUnused)); n != 3 {
			t.Errorf("%d told, want 3", n)
		}
		if all := events(t, h, audit.AuthenticatorUnassigned); len(all) != 2 || all[0].Reason != "unused" {
			t.Errorf("events %+v", all)
		}
		off, err := ExpireUnused(t.Context(), h.DB, h.Tenant.ID, policy.DefaultCredentials())
		if err != nil || off != (ExpiryReport{}) {
			t.Errorf("switched off: %+v, %v", off, err)
		}
	})
}

// Two concurrent nodes change each authenticator once.
func TestCRED15_TwoNodesLookAtOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		rules := policy.DefaultCredentials()
		rules.UnusedDays = 15
		for range 60 {
			inState(t, h, identity.Active)
		}
		h.Clock.Advance(100 * 24 * time.Hour)
		other := h.Node(t)
		both := make(chan ExpiryReport, 2)
		for _, db := range []*store.DB{h.DB, other} {
			go func() {
				got, err := ExpireUnused(t.Context(), db, h.Tenant.ID, rules)
				if err != nil {
					t.Error(err)
				}
				both <- got
			}()
		}
		one, two := <-both, <-both
		if n := len(events(t, h, audit.AuthenticatorUnused)); n != 60 || one.Warned+two.Warned != 60 {
			t.Errorf("%d events, %d and %d told, want 60", n, one.Warned, two.Warned)
		}
	})
}
