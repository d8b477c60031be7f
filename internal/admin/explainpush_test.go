package admin

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// What would become of a push now, and why: each thing that can stand in its
// way is named.
func TestPUSH4_ExplainAPushNow(t *testing.T) {
	set := func(kind policy.Kind, document string) func(*testing.T, *storetest.Fixture, identity.Authenticator) {
		return func(t *testing.T, h *storetest.Fixture, _ identity.Authenticator) {
			t.Helper()
			_, err := SetPolicy(t.Context(), h.DB, h.Who, h.Tenant.ID, kind, func(policy.Document) (policy.Document, error) {
				return policy.Decode(kind, []byte(document))
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	in := func(f func(tx *store.Tx, h *storetest.Fixture, a identity.Authenticator) error) func(*testing.T, *storetest.Fixture, identity.Authenticator) {
		return func(t *testing.T, h *storetest.Fixture, a identity.Authenticator) {
			t.Helper()
			h.Do(t, func(tx *store.Tx) error { return f(tx, h, a) })
		}
	}
	cannotShow := func(plain bool) func(*testing.T, *storetest.Fixture, identity.Authenticator) {
		return in(func(tx *store.Tx, h *storetest.Fixture, _ identity.Authenticator) error {
			before, err := tx.Applications().Get(t.Context(), h.Tenant.ID, h.Application.ID)
			if err != nil {
				return err
			}
			after := before
			after.CannotShowNumber, after.PushWithoutPresence = true, plain
			return tx.Applications().Change(t.Context(), before, after)
		})
	}
	for _, tt := range []struct {
		name                                   string
		change                                 func(*testing.T, *storetest.Fixture, identity.Authenticator)
		presence                               policy.Presence // empty where there is no push
		whyNot, whyCheck, unreachable, offered string
	}{
		{"as it is", nil, policy.Enter, "", "", "", "push with a presence check"},
		{"plain", set(policy.KindPush, `{"presence":"none"}`), policy.NoPresence, "", "", "", "plain push"},
		{"push is off", set(policy.KindPush, `{"enabled":false}`), "", "push is off", "", "push is off", "passcode"},
		{"app too old", set(policy.KindPush, `{"presence":"pick"}`), policy.Pick, "", "", "cannot do the check pick", "passcode"},
		{"and codes refused", set(policy.KindPush, `{"presence":"pick","codes_allowed":false}`), policy.Pick, "", "", "cannot do the check pick", "nothing: no push"},
		{"platform off", set(policy.KindPlatforms, `{"android":{"allowed":true,"push":false}}`), policy.Enter, "", "", "no push on android", "passcode"},
		{"a rule wants more", set(policy.KindAccess, `{"rules":[{"name":"pay","require":["password","otp"],"steps":["push-with-presence"]}]}`),
			policy.Enter, "", "", "", "push with a presence check"},
		{"a rule without push", set(policy.KindAccess, `{"rules":[{"name":"pay","require":["password","otp"],"steps":["passcode"]}]}`),
			"", "rule pay names no push", "", "rule pay names no push", "passcode"},
		{"no password first", set(policy.KindAccess, `{"rules":[{"name":"pay","require":["otp"]}]}`), "", "no password is asked for first", "",
			"no password is asked for first", "passcode"},
		{"no passcode asked", set(policy.KindAccess, `{"rules":[{"name":"pay","require":["password"]}]}`), policy.Enter, "", "", "", "nothing: no one-time"},
		{"cannot show a number", cannotShow(false), "", "can show no number", "", "can show no number", "passcode"},
		{"but may without", cannotShow(true), policy.NoPresence, "", "a plain push is allowed", "", "plain push"},
		{"locked by too many", in(func(tx *store.Tx, h *storetest.Fixture, _ identity.Authenticator) error {
			return tx.Push().Lock(t.Context(), h.Tenant.ID, h.User.ID, h.Clock.Now().Add(time.Hour))
		}), policy.Enter, "", "", "temporarily locked until 20", "passcode"},
		{"disabled", in(func(tx *store.Tx, h *storetest.Fixture, a identity.Authenticator) error {
			_, err := tx.Authenticators().SetPush(t.Context(), h.Tenant.ID, a.ID, false)
			return err
		}), policy.Enter, "", "", "disabled", "passcode"},
		{"suspended", in(func(tx *store.Tx, h *storetest.Fixture, a identity.Authenticator) error {
			_, err := tx.Authenticators().Suspend(t.Context(), h.Tenant.ID, a.ID)
			return err
		}), policy.Enter, "", "", "it is suspended", "passcode"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := storetest.SQLite(t)
			a := h.Authenticator(t, "Phone")
			if tt.change != nil {
				tt.change(t, h, a)
			}
			u, err := h.DB.Users().Get(t.Context(), h.Tenant.ID, h.User.ID)
			if err != nil {
				t.Fatal(err)
			}
			e, err := Explain(t.Context(), h.DB.Reader, u, h.Application.ID, netip.Addr{})
			if err != nil {
				t.Fatal(err)
			}
			got := e.PushNow
			if e.Ways.Push != (tt.presence != "") || e.Ways.Push && e.Ways.Presence != tt.presence || len(got.Reaches) != 1 {
				t.Fatalf("got %+v, want a push with %q", got, tt.presence)
			}
			for _, text := range []struct{ what, got, want string }{{"why not", got.WhyNot, tt.whyNot}, {"why that check", got.WhyCheck, tt.whyCheck},
				{"unreachable", got.Reaches[0].Unreachable, tt.unreachable}, {"first", got.First, tt.offered}} {
				if !strings.Contains(text.got, text.want) || text.want == "" && text.got != "" {
					t.Errorf("%s: got %q, want %q", text.what, text.got, text.want)
				}
			}
		})
	}
}
