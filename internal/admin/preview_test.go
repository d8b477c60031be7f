package admin

import (
	"errors"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// replacing changes policies into documents.
func replacing(all ...policy.Document) (changes PolicyChanges) {
	for _, d := range all {
		changes.Documents = append(changes.Documents, PolicyChange{Kind: d.Kind(), Path: string(d.Kind()),
			Next: func(policy.Document) (policy.Document, error) { return d, nil }})
	}
	return changes
}

func preview(t *testing.T, h *storetest.Fixture, changes PolicyChanges) (p PolicyPreview, err error) {
	t.Helper()
	err = h.DB.InSnapshot(t.Context(), func(r store.Reader) error {
		p, err = PreviewPolicies(t.Context(), r, h.Tenant.ID, changes)
		return err
	})
	return p, err
}

func setPolicies(t *testing.T, h *storetest.Fixture, changes PolicyChanges, versions Versions) error {
	t.Helper()
	return h.DB.InTx(t.Context(), h.Who, func(tx *store.Tx) error {
		_, err := SetPolicies(t.Context(), tx, h.Tenant.ID, changes, versions)
		return err
	})
}

// What an operator was shown is what happens: a document that was changed after the
// preview was made, be it one that is set or one that only decides who is locked
// out, ends the act. Of several operators who were shown the same, one acts.
func TestPUSH5_APreviewOfOtherVersionsIsRefused(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		push := policy.DefaultPush()
		push.Limit = 3
		platforms := policy.DefaultPlatforms()
		platforms[identity.Linux] = policy.PlatformRule{}
		other := push
		other.Limit = 4
		for _, meanwhile := range []policy.Document{platforms, other} {
			p, err := preview(t, h, replacing(push))
			if err != nil {
				t.Fatal(err)
			}
			if err := setPolicies(t, h, replacing(meanwhile), nil); err != nil {
				t.Fatal(err)
			}
			if err := setPolicies(t, h, replacing(push), p.Versions); !errors.Is(err, identity.Conflict) {
				t.Errorf("set after %s was changed: %v, want a Conflict", meanwhile.Kind(), err)
			}
		}
		p, err := preview(t, h, replacing(push))
		if err != nil {
			t.Fatal(err)
		}
		if won := storetest.Race(t, 8, func(int) error { return setPolicies(t, h, replacing(push), p.Versions) }); won != 1 {
			t.Errorf("%d of 8 acted on one preview, want 1", won)
		}
	})
}

// A document that an act went by, and does not write to, stays as it is until the act
// has committed. Fails on PostgreSQL without the lock in SetPolicies.
func TestSetPolicies_WhatItGoesByIsLocked(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		push := policy.DefaultPush()
		push.Limit = 3
		p, err := preview(t, h, replacing(push))
		if err != nil {
			t.Fatal(err)
		}
		other := make(chan error, 1)
		h.Do(t, func(tx *store.Tx) error {
			if _, err := SetPolicies(t.Context(), tx, h.Tenant.ID, replacing(push), p.Versions); err != nil {
				return err
			}
			go func() { other <- setPolicies(t, h, replacing(policy.Platforms{}), nil) }()
			select {
			case err := <-other:
				t.Errorf("the platforms were changed in the middle: %v", err)
				other <- err
			case <-time.After(300 * time.Millisecond):
			}
			return nil
		})
		if err := <-other; err != nil {
			t.Errorf("the change that waited: %v", err)
		}
	})
}

// Several documents are set together or not at all; they are checked as they will
// be, and all that is wrong is told with the document it is in.
func TestSetPolicies_Together(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		version := func(kind policy.Kind) int64 {
			row, err := h.DB.Policies().Get(t.Context(), h.Tenant.ID, kind)
			if err != nil {
				t.Fatal(err)
			}
			return row.Version
		}
		off, on := policy.DefaultPush(), policy.DefaultPush()
		off.Enabled = false
		if err := setPolicies(t, h, replacing(off, policy.Platforms{}), nil); err != nil {
			t.Fatal(err)
		}
		devices, limits := policy.Devices{Days: 0, IdleDays: 1}, policy.DefaultLimits()
		limits.MailCodeAttempts = 99
		problems, _ := errors.AsType[policy.Problems](setPolicies(t, h, replacing(on, devices, limits), nil))
		if len(problems) != 2 || problems[0].Field != "devices.days" || problems[1].Field != "limits.mail_code_tries" {
			t.Errorf("two that are wrong: %v", problems)
		}
		problems, _ = errors.AsType[policy.Problems](setPolicies(t, h, replacing(on, policy.DefaultDevices()), nil))
		if len(problems) != 1 || problems[0].Field != "push.enabled" {
			t.Errorf("push without apps: %v", problems)
		}
		if err := setPolicies(t, h, replacing(on, on), nil); !errors.Is(err, identity.Invalid) {
			t.Errorf("one twice: %v", err)
		}
		if version(policy.KindPush) != 1 || version(policy.KindDevices) != 0 || version(policy.KindLimits) != 0 {
			t.Error("some of what was refused was set")
		}
		// The platforms come last, and push is allowed by them all the same.
		if err := setPolicies(t, h, replacing(on, policy.DefaultPlatforms()), nil); err != nil {
			t.Errorf("push with the apps for it: %v", err)
		}
		if version(policy.KindPush) != 2 || version(policy.KindPlatforms) != 2 {
			t.Error("not both were set")
		}
	})
}

// What would be set is asked before it is: by the push policy, and by the
// platforms under the push policy in force.
func TestPUSH5_LockedOutBeforeItIsSaved(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		h.Authenticator(t, "phone") // on Android, which can have a number typed
		push := policy.DefaultPush()
		lockedOut := func(d policy.Document) policy.LockedOut {
			t.Helper()
			p, err := preview(t, h, replacing(d))
			if err != nil {
				t.Fatal(err)
			}
			if int64(len(p.Named)) != p.LockedOut.Users {
				t.Errorf("%d of %d are named", len(p.Named), p.LockedOut.Users)
			}
			return p.LockedOut
		}
		if n := lockedOut(push); n.Users != 0 {
			t.Errorf("the default locks out %+v", n)
		}
		push.CodesAllowed = false
		if n := lockedOut(push); n.Users != 0 {
			t.Errorf("a phone that can: %+v", n)
		}
		picking := push
		picking.Presence = policy.Pick
		if n := lockedOut(picking); n.Users != 1 || n.Unenrolled != 0 {
			t.Errorf("a phone that cannot pick: %+v, want one user", n)
		}
		if _, err := SetPolicy(t.Context(), h.DB, h.Who, h.Tenant.ID, policy.KindPush,
			func(policy.Document) (policy.Document, error) { return push, nil }); err != nil {
			t.Fatal(err)
		}
		platforms := policy.DefaultPlatforms()
		platforms[identity.Android] = policy.PlatformRule{Allowed: true}
		if n := lockedOut(platforms); n.Users != 1 {
			t.Errorf("Android without push: %+v, want one user", n)
		}
		if n := lockedOut(policy.DefaultAccess()); n.Users != 0 {
			t.Errorf("an access policy: %+v", n)
		}
		push.Groups = map[string]policy.PushSettings{"nobody has": {}}
		if _, err := preview(t, h, replacing(push)); !errors.Is(err, identity.Invalid) {
			t.Errorf("a group nobody has: %v", err)
		}
	})
}

// Push can be switched on only where an authenticator app is allowed; where none
// is any more, it reaches nobody.
func TestPUSH6_NoPushWithoutApps(t *testing.T) {
	h := storetest.SQLite(t)
	set := func(d policy.Document) error {
		_, err := SetPolicy(t.Context(), h.DB, h.Who, h.Tenant.ID, d.Kind(), func(policy.Document) (policy.Document, error) { return d, nil })
		return err
	}
	none := policy.Platforms{}
	push := policy.DefaultPush()
	push.Enabled = false
	off := push
	for _, d := range []policy.Document{push, none} {
		if err := set(d); err != nil {
			t.Fatal(err)
		}
	}
	push.Enabled = true
	err := set(push)
	if problems, _ := errors.AsType[policy.Problems](err); len(problems) != 1 || problems[0].Field != "enabled" || problems[0].Key != "policy.problem.no-apps" {
		t.Errorf("switched on without apps: %v", err)
	}
	off.Lifetime = 90
	if err := set(off); err != nil {
		t.Errorf("another setting: %v", err)
	}
	if err := set(policy.Platforms{identity.IOS: {Allowed: true}}); err != nil {
		t.Fatal(err)
	}
	if err := set(push); err != nil {
		t.Errorf("with an app allowed: %v", err)
	}
}
