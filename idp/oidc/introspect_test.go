package oidc

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/oidcclient"
	"github.com/latchkey-id/latchkey/internal/store"
)

// introspect asks about a token, as the application.
func (p *party) introspect(token string, pairs ...string) map[string]any {
	p.t.Helper()
	a := p.call(introspectPath, change(url.Values{"token": {token}}, pairs))
	var out map[string]any
	if err := json.Unmarshal([]byte(a.body), &out); err != nil || a.StatusCode != http.StatusOK {
		p.t.Fatalf("introspection: %d %q, %v", a.StatusCode, a.body, err)
	}
	return out
}

func TestOIDC1_Introspection(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		p := h.add("Payroll", oidcclient.Options{Offline: true})
		got := p.exchange(p.code(h.browser(), "scope", offline))
		access := p.introspect(got.Access)
		expires := float64(h.idp.DB.Now().Add(accessLifetime).Unix())
		for name, want := range map[string]any{"active": true, "client_id": p.app.Identifier, "token_type": "Bearer", "sub": h.user.ID,
			"iss": h.issuer, "scope": offline} {
			if access[name] != want {
				t.Errorf("%s: got %v, want %v", name, access[name], want)
			}
		}
		if exp, ok := access["exp"].(float64); !ok || exp > expires || exp < expires-60 {
			t.Errorf("exp: got %v, want about %v", access["exp"], expires)
		}
		_, said := h.claims(got.ID)
		for _, name := range []string{"acr", "auth_time", "sid"} {
			if access[name] == nil || access[name] != said[name] {
				t.Errorf("%s: got %v, the ID token says %v", name, access[name], said[name])
			}
		}
		// Of the person no more than whom the token is for.
		for _, name := range []string{"username", "name", "email", "groups"} {
			if v, ok := access[name]; ok {
				t.Errorf("%s is told: %v", name, v)
			}
		}
		refresh := p.introspect(got.Refresh, "token_type_hint", "access_token")
		if refresh["active"] != true || refresh["sub"] != h.user.ID || refresh["token_type"] != nil {
			t.Errorf("refresh token: %v", refresh)
		}
	})
}

// Trap 12: the library answers whoever is some client of ours. Every token that
// is not the asker's, or not good, gets the same answer: nothing is to be
// learned of it.
func TestTOIDC09_IntrospectionTellsNothingOfOthers(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		p, other := h.add("Payroll", oidcclient.Options{Offline: true}), h.add("Other", oidcclient.Options{Offline: true})
		offlineTokens := func() tokens { return p.exchange(p.code(h.browser(), "scope", offline)) }
		online := func() tokens { return p.exchange(p.code(h.browser())) }
		spent, revoked, family, reused, live := offlineTokens(), offlineTokens(), offlineTokens(), offlineTokens(), offlineTokens()
		next := p.refreshed(spent.Refresh)
		p.call(revokePath, url.Values{"token": {revoked.Access}})
		p.call(revokePath, url.Values{"token": {family.Refresh}})
		p.refreshed(reused.Refresh)
		p.refreshed(reused.Refresh)

		elsewhere := h.addTenant("elsewhere")
		outsider := *other
		outsider.fixture = &fixture{t: h.t, idp: h.idp, tenant: elsewhere, user: h.user, base: h.base, issuer: h.base + "/t/elsewhere"}
		outsider.app.Tenant = elsewhere.ID
		outsider.tx(func(tx *store.Tx) error { return tx.Applications().Add(t.Context(), outsider.app) })

		for _, tt := range []struct {
			name  string
			asks  *party
			token string
			want  bool
		}{
			{"access token", p, live.Access, true},
			{"refresh token", p, live.Refresh, true},
			{"access token after a refresh", p, spent.Access, true},
			{"the next access token", p, next.Access, true},
			{"another application's access token", other, live.Access, false},
			{"another application's refresh token", other, live.Refresh, false},
			{"another tenant's access token", &outsider, live.Access, false},
			{"another tenant's refresh token", &outsider, live.Refresh, false},
			{"used refresh token", p, spent.Refresh, false},
			{"revoked access token", p, revoked.Access, false},
			{"refresh token beside a revoked access token", p, revoked.Refresh, true},
			{"revoked refresh token", p, family.Refresh, false},
			{"access token of a revoked family", p, family.Access, false},
			{"access token of a family whose refresh token was shown again", p, reused.Access, false},
			{"ID token", p, live.ID, false},
			{"code", p, p.code(h.browser()), false},
			{"client secret", p, p.secret, false},
			{"hash of a token", p, store.Hash(live.Access), false},
			{"two tokens", p, live.Access + " " + live.Access, false},
			{"a token and a line break", p, live.Access + "\n", false},
			{"garbage", p, "a:b\x00'; --", false},
			{"much", p, strings.Repeat("x", 60<<10), false},
		} {
			got := tt.asks.introspect(tt.token)
			if got["active"] != tt.want || !tt.want && len(got) != 1 {
				t.Errorf("%s: got %v, want active %v", tt.name, got, tt.want)
			}
		}
		if !h.good(live.Access) || p.refreshed(live.Refresh).Access == "" {
			t.Error("asking about tokens changed what they are worth")
		}

		ending, staying := online(), offlineTokens()
		h.tx(func(tx *store.Tx) error {
			_, err := tx.Sessions().EndAll(t.Context(), h.tenant.ID, h.user.ID)
			return err
		})
		if got := p.introspect(ending.Access); len(got) != 1 || got["active"] != false {
			t.Errorf("session ended: %v", got)
		}
		if got := p.introspect(staying.Access); got["active"] != true {
			t.Errorf("session ended, offline access: %v", got)
		}
		h.later(accessLifetime)
		if got := p.introspect(staying.Access); len(got) != 1 || got["active"] != false {
			t.Errorf("expired access token: %v", got)
		}
		h.later(refreshLifetime)
		if got := p.introspect(staying.Refresh); len(got) != 1 || got["active"] != false {
			t.Errorf("expired refresh token: %v", got)
		}
	})
}

// One application that asks too often is told so, and no other is.
func TestIntrospectionIsBounded(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		p, other := h.add("Payroll", oidcclient.Options{}), h.add("Other", oidcclient.Options{})
		h.idp.Protocols[identity.OIDC].(*Face).introspections.Max = 3
		var got []int
		for range 5 {
			got = append(got, p.call(introspectPath, url.Values{"token": {"x"}}).StatusCode)
		}
		if want := []int{200, 200, 200, 429, 429}; !slices.Equal(got, want) {
			t.Errorf("answers: %v, want %v", got, want)
		}
		other.introspect("x")
		h.later(time.Minute + time.Second)
		p.introspect("x")
	})
}
