package admin

import (
	"errors"
	"testing"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// What would be set is asked before it is: by the push policy, and by the
// platforms under the push policy in force.
func TestPUSH5_StrandsBeforeItIsSaved(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		h.Authenticator(t, "phone") // on Android, which can have a number typed
		push := policy.DefaultPush()
		strands := func(d policy.Document) policy.LockedOut {
			t.Helper()
			n, err := Strands(t.Context(), h.DB, h.Tenant.ID, d)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		if n := strands(push); n.Users != 0 {
			t.Errorf("the default strands %+v", n)
		}
		push.CodesAllowed = false
		if n := strands(push); n.Users != 0 {
			t.Errorf("a phone that can: %+v", n)
		}
		picking := push
		picking.Presence = policy.Pick
		if n := strands(picking); n.Users != 1 || n.Unenrolled != 0 {
			t.Errorf("a phone that cannot pick: %+v, want one user", n)
		}
		if _, err := SetPolicy(t.Context(), h.DB, h.Who, h.Tenant.ID, policy.KindPush,
			func(policy.Document) (policy.Document, error) { return push, nil }); err != nil {
			t.Fatal(err)
		}
		platforms := policy.DefaultPlatforms()
		platforms[identity.Android] = policy.PlatformRule{Allowed: true}
		if n := strands(platforms); n.Users != 1 {
			t.Errorf("Android without push: %+v, want one user", n)
		}
		if n := strands(policy.DefaultAccess()); n.Users != 0 {
			t.Errorf("an access policy: %+v", n)
		}
		push.Groups = map[string]policy.PushSettings{"nobody has": {}}
		if _, err := Strands(t.Context(), h.DB, h.Tenant.ID, push); !errors.Is(err, identity.Invalid) {
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
