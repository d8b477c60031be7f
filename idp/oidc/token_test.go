package oidc

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/oidcclient"
	"github.com/latchkey-id/latchkey/internal/signingkey"
	"github.com/latchkey-id/latchkey/internal/store"
)

const offline = "openid profile offline_access"

// events counts the events of a kind.
func (h *fixture) events(kind audit.Kind) int {
	h.t.Helper()
	all, err := store.Collect(h.idp.DB.Events().List(h.t.Context(), h.tenant.ID, store.EventFilter{Kind: kind}))
	if err != nil {
		h.t.Fatal(err)
	}
	return len(all)
}

// Trap 3: of a hundred who show a code at once, one gets tokens, and loses them
// again, for one of the hundred is a thief.
func TestTOIDC04_ACodeShownAgainEndsWhatItGave(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		p, b := h.add("Payroll", oidcclient.Options{Offline: true}), h.browser()
		t.Run("one after the other", func(t *testing.T) {
			code := p.code(b, "scope", offline)
			got := p.exchange(code)
			if !h.good(got.Access) {
				t.Fatal("the access token does not work")
			}
			next := p.refreshed(got.Refresh)
			if again := p.exchange(code); again.Error != "invalid_grant" || again.Access != "" {
				t.Errorf("the second time: %+v", again)
			}
			if h.good(got.Access) || h.good(next.Access) || p.refreshed(next.Refresh).Access != "" {
				t.Error("what the code gave still works")
			}
			if got := h.events(audit.CodeReuse); got != 1 {
				t.Errorf("%d events, want 1", got)
			}
		})
		t.Run("a hundred at once", func(t *testing.T) {
			code := p.code(b)
			var won atomic.Int32
			var access atomic.Value
			var wg sync.WaitGroup
			for range 100 {
				wg.Go(func() {
					if got := p.exchange(code); got.Access != "" {
						won.Add(1)
						access.Store(got.Access)
					} else if got.Error != "invalid_grant" {
						t.Errorf("got %+v", got)
					}
				})
			}
			wg.Wait()
			if won.Load() != 1 {
				t.Fatalf("%d of 100 got tokens, want 1", won.Load())
			}
			if h.good(access.Load().(string)) {
				t.Error("the one's token still works")
			}
		})
	})
}

// A code is good for one try, with everything it is bound to.
func TestTOIDC05_ACodeIsGoodForOneTry(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		p, other, b := h.add("Payroll", oidcclient.Options{}), h.add("Other", oidcclient.Options{}), h.browser()
		for _, tt := range []struct {
			name  string
			by    *party
			pairs []string
			wait  time.Duration
		}{
			{"another application", other, nil, 0},
			{"another address", p, []string{"redirect_uri", callback + "/"}, 0},
			{"another verifier", p, []string{"code_verifier", strings.Repeat("x", 43)}, 0},
			{"no verifier", p, []string{"code_verifier", ""}, 0}, // trap 1, secret or not
			{"a minute later", p, nil, time.Minute},
		} {
			t.Run(tt.name, func(t *testing.T) {
				code := p.code(b)
				h.later(tt.wait)
				if got := tt.by.exchange(code, tt.pairs...); got.Error != "invalid_grant" || got.Access != "" {
					t.Errorf("got %+v, want invalid_grant", got)
				}
				if got := p.exchange(code); got.Access != "" {
					t.Error("the code survived a wrong try: its verifier could be guessed")
				}
			})
		}
		code := p.code(b)
		h.later(45 * time.Second) // and as long as a busy machine takes
		if got := p.exchange(code); got.Access == "" {
			t.Errorf("just in time: %+v", got)
		}
		if got := p.exchange("unknown"); got.Error != "invalid_grant" {
			t.Errorf("no code of ours: %+v", got)
		}
	})
}

// Trap 1: who sent a challenge must answer it, and who sent none must not.
func TestTOIDC06_NoDowngradeOfPKCE(t *testing.T) {
	h := one(t)
	p, public, b := h.add("Payroll", oidcclient.Options{}), h.add("App", oidcclient.Options{Public: true}), h.browser()
	without := []string{"code_challenge", "", "code_challenge_method", ""}
	short := "only-forty-two-characters-are-in-this-one-"
	for _, tt := range []struct {
		name      string
		p         *party
		authorize []string
		verifier  string
		want      bool
	}{
		{"secret, answered", p, nil, verifier, true},
		{"secret, unanswered", p, nil, "", false},
		{"secret, no PKCE", p, without, "", true},
		{"secret, answered unasked", p, without, verifier, false},
		{"public, answered", public, nil, verifier, true},
		{"public, unanswered", public, nil, "", false},
		{"public, the challenge itself", public, nil, s256(verifier), false},
		{"too short a verifier", public, []string{"code_challenge", s256(short)}, short, false},
	} {
		got := tt.p.exchange(tt.p.code(b, tt.authorize...), "code_verifier", tt.verifier)
		if (got.Access != "") != tt.want {
			t.Errorf("%s: got %+v, want success %v", tt.name, got, tt.want)
		}
	}
}

// A refresh token shown again ends its family.
func TestTOIDC08_ARefreshTokenShownAgainEndsItsFamily(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		p, b := h.add("Payroll", oidcclient.Options{Offline: true}), h.browser()
		t.Run("one after the other", func(t *testing.T) {
			first := p.exchange(p.code(b, "scope", offline))
			second := p.refreshed(first.Refresh)
			third := p.refreshed(second.Refresh)
			if !h.good(third.Access) || third.ID == "" || third.Scope != offline {
				t.Fatalf("refreshed: %+v", third)
			}
			if got := p.refreshed(first.Refresh); got.Error != "invalid_grant" {
				t.Errorf("the first again: %+v", got)
			}
			if h.good(first.Access) || h.good(third.Access) || p.refreshed(third.Refresh).Access != "" {
				t.Error("the family still works")
			}
			if got := h.events(audit.RefreshReuse); got != 1 {
				t.Errorf("%d events, want 1", got)
			}
		})
		t.Run("a hundred at once", func(t *testing.T) {
			first := p.exchange(p.code(b, "scope", offline))
			var won atomic.Int32
			var last atomic.Value
			var wg sync.WaitGroup
			for range 100 {
				wg.Go(func() {
					if got := p.refreshed(first.Refresh); got.Access != "" {
						won.Add(1)
						last.Store(got)
					} else if got.Error != "invalid_grant" {
						t.Errorf("got %+v", got)
					}
				})
			}
			wg.Wait()
			if won.Load() != 1 {
				t.Fatalf("%d of 100 got tokens, want 1", won.Load())
			}
			if got := last.Load().(tokens); h.good(got.Access) || p.refreshed(got.Refresh).Access != "" {
				t.Error("the one's tokens still work")
			}
		})
	})
}

// Refresh tokens end, used or not.
func TestRefreshTokensExpire(t *testing.T) {
	h := one(t)
	p, b := h.add("Payroll", oidcclient.Options{Offline: true}), h.browser()
	unused := p.exchange(p.code(b, "scope", offline))
	h.later(refreshLifetime)
	if got := p.refreshed(unused.Refresh); got.Error != "invalid_grant" {
		t.Errorf("unused for %v: %+v", refreshLifetime, got)
	}
	used := p.exchange(p.code(h.browser(), "scope", offline))
	for range 4 {
		h.later(20 * 24 * time.Hour)
		if used = p.refreshed(used.Refresh); used.Access == "" {
			t.Fatalf("refreshed in time: %+v", used)
		}
	}
	h.later(20 * 24 * time.Hour)
	if got := p.refreshed(used.Refresh); got.Error != "invalid_grant" {
		t.Errorf("after %v: %+v", offlineLifetime, got)
	}
}

// Nobody's tokens are another's, and no kind of token passes for another.
func TestTOIDC09_TokensAreNotInterchangeable(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		p, other, b := h.add("Payroll", oidcclient.Options{Offline: true}), h.add("Other", oidcclient.Options{Offline: true}), h.browser()
		got := p.exchange(p.code(b, "scope", offline))
		// Trap 5: an ID token is no access token; nor are the others.
		for name, token := range map[string]string{"ID token": got.ID, "refresh token": got.Refresh, "nothing": "", "garbage": "a:b"} {
			if a := h.userinfo(token); a.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s at userinfo: %d, want 401", name, a.StatusCode)
			}
		}
		if r := p.refreshed(got.Access); r.Error != "invalid_grant" {
			t.Errorf("access token refreshed: %+v", r)
		}
		if r := other.refreshed(got.Refresh); r.Error != "invalid_grant" {
			t.Errorf("another's refresh token: %+v", r)
		}
		// Trap 11: another's revocation does nothing, and does not say so.
		for _, token := range []string{got.Access, got.Refresh, "unknown"} {
			if a := other.call(revokePath, url.Values{"token": {token}}); a.StatusCode != http.StatusOK {
				t.Errorf("another's revocation: %d, want 200", a.StatusCode)
			}
		}
		if !h.good(got.Access) {
			t.Fatal("another application revoked the access token")
		}
		next := p.refreshed(got.Refresh)
		if next.Access == "" {
			t.Fatalf("another application spoiled the refresh token: %+v", next)
		}
		// One's own does: an access token alone, a refresh token with its family.
		p.call(revokePath, url.Values{"token": {got.Access}, "token_type_hint": {"refresh_token"}})
		if h.good(got.Access) || !h.good(next.Access) {
			t.Error("revoking an access token did not end it alone")
		}
		p.call(revokePath, url.Values{"token": {next.Refresh}, "token_type_hint": {"access_token"}})
		if h.good(next.Access) || p.refreshed(next.Refresh).Access != "" {
			t.Error("revoking a refresh token did not end its family")
		}
		if to := p.authorize(b, "id_token_hint", got.Access).to(t); to == nil || to.Query().Get("error") != "invalid_request" {
			t.Errorf("access token as hint: redirects to %v", to)
		}
	})
}

func TestTOIDC10_ScopeNeverGrows(t *testing.T) {
	h := one(t)
	p, b := h.add("Payroll", oidcclient.Options{Offline: true}), h.browser()
	got := p.exchange(p.code(b, "scope", offline))
	for _, scope := range []string{"openid email", "openid profile groups", "admin"} {
		if r := p.refreshed(got.Refresh, "scope", scope); r.Error != "invalid_scope" {
			t.Errorf("%s: %+v, want invalid_scope", scope, r)
		}
	}
	less := p.refreshed(got.Refresh, "scope", "openid") // asking for too much used nothing up
	if less.Scope != "openid" {
		t.Fatalf("less: %+v", less)
	}
	if a := h.userinfo(less.Access); strings.Contains(a.body, "Anna") || !strings.Contains(a.body, h.user.ID) {
		t.Errorf("userinfo of openid alone: %s", a.body)
	}
	if all := p.refreshed(less.Refresh); all.Scope != offline {
		t.Errorf("the refresh token shrank: %+v", all)
	}
	if a := h.userinfo(got.Access); !strings.Contains(a.body, "Anna") || strings.Contains(a.body, "example.org") || strings.Contains(a.body, "Nurses") {
		t.Errorf("userinfo of openid profile: %s", a.body)
	}
}

// What has happened to person or session since counts at every use.
func TestTOIDC19_RedemptionObeysWhatHappenedSince(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		p := h.add("Payroll", oidcclient.Options{Offline: true})
		end := func() {
			h.tx(func(tx *store.Tx) error {
				_, err := tx.Sessions().EndAll(t.Context(), h.tenant.ID, h.user.ID)
				return err
			})
		}
		code := p.code(h.browser())
		end()
		if got := p.exchange(code); got.Error != "invalid_grant" {
			t.Errorf("logged out before the code was used: %+v", got)
		}
		online := p.exchange(p.code(h.browser()))
		away := p.exchange(p.code(h.browser(), "scope", offline))
		end()
		if h.good(online.Access) {
			t.Error("an access token outlives its session")
		}
		if !h.good(away.Access) || p.refreshed(away.Refresh).Access == "" {
			t.Error("offline access ended with the session")
		}
		h.later(accessLifetime)
		if h.good(away.Access) {
			t.Error("an access token outlives its time")
		}
	})
}

// Trap 6, and what is true of every ID token.
func TestOIDC2_IDTokenSaysWhatIsTrue(t *testing.T) {
	h := one(t)
	for _, algorithm := range []string{signingkey.ES256, signingkey.RS256, signingkey.EdDSA} {
		p, b := h.add("Payroll", oidcclient.Options{Algorithm: algorithm}), h.browser()
		got := p.exchange(p.code(b))
		header, claims := h.claims(got.ID)
		now := float64(h.idp.DB.Now().Unix())
		if header["alg"] != algorithm || header["typ"] != "JWT" || header["kid"] == "" {
			t.Errorf("header: %v", header)
		}
		if claims["iss"] != h.issuer || claims["sub"] != h.user.ID || claims["azp"] != p.app.Identifier || claims["nonce"] != "n-1" ||
			claims["at_hash"] == "" || claims["exp"].(float64) < now+3500 || claims["iat"].(float64) > now {
			t.Errorf("claims: %v", claims)
		}
		aud, _ := claims["aud"].([]any)
		if len(aud) != 1 || aud[0] != p.app.Identifier {
			t.Errorf("aud: %v", claims["aud"])
		}
		if _, ok := claims["name"]; ok {
			t.Error("claims about the person are in the ID token, though none of its scopes is about one")
		}
		// The same session is the same sid, another session another.
		_, same := h.claims(p.exchange(p.code(b)).ID)
		_, another := h.claims(p.exchange(p.code(h.browser())).ID)
		if claims["sid"] == "" || same["sid"] != claims["sid"] || another["sid"] == claims["sid"] {
			t.Errorf("sid: %v, %v in the same session, %v in another", claims["sid"], same["sid"], another["sid"])
		}
		if got.Type != "Bearer" || got.Expires < 3590 || got.Expires > 3600 {
			t.Errorf("answer: %+v", got)
		}
	}
}

// The claims of the granted scopes stand in the ID token as at userinfo, after a refresh too, and no others; nowhere but
// there for an application for which that is switched off, or that was stored before there was the choice.
func TestOIDC2_ClaimsOfTheGrantedScopes(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		for _, tt := range []struct {
			name  string
			o     oidcclient.Options
			scope string
			want  map[string]any
		}{
			{"all", oidcclient.Options{Offline: true}, "openid profile email groups offline_access", map[string]any{"name": "Anna Berg", "preferred_username": "anna.berg",
				"locale": "de", "email": "anna.berg@example.org", "groups": []any{"Nurses of anna.berg"}}},
			{"mail alone", oidcclient.Options{Offline: true}, "openid email offline_access", map[string]any{"email": "anna.berg@example.org"}},
			{"groups alone", oidcclient.Options{Offline: true}, "openid groups offline_access", map[string]any{"groups": []any{"Nurses of anna.berg"}}},
			{"nobody's", oidcclient.Options{Offline: true}, "openid offline_access", map[string]any{}},
			{"switched off", oidcclient.Options{Offline: true, LeanIDToken: true}, "openid profile email groups offline_access", map[string]any{}},
		} {
			p, b := h.add("Payroll", tt.o), h.browser()
			got := p.exchange(p.code(b, "scope", tt.scope))
			for when, token := range map[string]string{"first": got.ID, "refreshed": p.refreshed(got.Refresh).ID} {
				_, claims := h.claims(token)
				for _, name := range []string{"name", "preferred_username", "locale", "email", "groups", "email_verified"} {
					if !reflect.DeepEqual(claims[name], tt.want[name]) {
						t.Errorf("%s, %s: %s is %v, want %v", tt.name, when, name, claims[name], tt.want[name])
					}
				}
				if claims["sub"] != h.user.ID || claims["iss"] != h.issuer || claims["sid"] == "" {
					t.Errorf("%s, %s: %v", tt.name, when, claims)
				}
			}
		}
	})
}

// A key that was made since the others were remembered signs at once, and is published at once.
func TestOIDC2_TheFirstKeyOfAnAlgorithm(t *testing.T) {
	h := one(t)
	earlier := h.add("Payroll", oidcclient.Options{})
	earlier.exchange(earlier.code(h.browser())) // the keys are remembered
	p := h.add("New", oidcclient.Options{Algorithm: signingkey.EdDSA})
	header, _ := h.claims(p.exchange(p.code(h.browser())).ID)
	if header["alg"] != "EdDSA" {
		t.Fatalf("header: %v", header)
	}
	h.later(2 * time.Second)
	if a := h.do("GET", keysPath, ""); !strings.Contains(a.body, header["kid"].(string)) || !strings.Contains(a.body, "Ed25519") {
		t.Errorf("published: %s, want key %v among them", a.body, header["kid"])
	}
}

// What proves who somebody was must be signed by us, with our keys, our way.
func TestTOIDC07_HintsThatAreForged(t *testing.T) {
	h := one(t)
	p, b := h.add("Payroll", oidcclient.Options{}), h.browser()
	good := p.exchange(p.code(b)).ID
	_, claims := h.claims(good)
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := h.idp.Keys.All(t.Context(), h.tenant.ID, identity.OIDC)
	if err != nil {
		t.Fatal(err)
	}
	mine, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(alg jose.SignatureAlgorithm, key any, o *jose.SignerOptions) string {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, o)
		if err != nil {
			t.Fatal(err)
		}
		jws, err := signer.Sign(payload)
		if err != nil {
			t.Fatal(err)
		}
		token, err := jws.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	part := func(n int) string { return strings.Split(good, ".")[n] }
	none := "eyJhbGciOiJub25lIn0."
	forged := map[string]string{
		"none":                  none + part(1) + ".",
		"none, old signature":   none + part(1) + "." + part(2),
		"no signature":          part(0) + "." + part(1) + ".",
		"another's key":         sign(jose.ES256, mine, nil),
		"embedded key":          sign(jose.ES256, mine, &jose.SignerOptions{EmbedJWK: true}),
		"another's key, our id": sign(jose.ES256, jose.JSONWebKey{Key: mine, KeyID: keys[0].ID}, nil),
		"key id is a path":      sign(jose.ES256, jose.JSONWebKey{Key: mine, KeyID: "../../dev/null"}, nil),
		"key id is SQL":         sign(jose.ES256, jose.JSONWebKey{Key: mine, KeyID: "' OR 1=1 --"}, nil),
		"jku":                   sign(jose.ES256, mine, (&jose.SignerOptions{}).WithHeader("jku", "https://evil.example/keys")),
		"x5u":                   sign(jose.ES256, mine, (&jose.SignerOptions{}).WithHeader("x5u", "https://evil.example/cert")),
		"critical unknown":      sign(jose.ES256, mine, (&jose.SignerOptions{}).WithHeader("crit", []string{"exp"})),
		"changed claims":        part(0) + "." + part(1)[:20] + "A" + part(1)[21:] + "." + part(2),
		"four parts":            good + ".x",
	}
	for _, key := range keys {
		der, err := x509.MarshalPKIXPublicKey(key.Signer.Public())
		if err != nil {
			t.Fatal(err)
		}
		forged["HS256 with the public "+key.Algorithm+" key"] = sign(jose.HS256, jose.JSONWebKey{Key: der, KeyID: key.ID}, nil)
	}
	for name, token := range forged {
		to := p.authorize(b, "id_token_hint", token).to(t)
		if to == nil || to.Query().Get("error") != "invalid_request" {
			t.Errorf("%s: redirects to %v, want invalid_request", name, to)
		}
	}
	// An expired one was ours all the same (OpenID Connect Core, section 3.1.2.1).
	claims["exp"] = h.idp.DB.Now().Add(-time.Hour).Unix()
	if payload, err = json.Marshal(claims); err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(keys, func(k signingkey.Key) bool { return k.Algorithm == signingkey.ES256 })
	expired := sign(jose.ES256, jose.JSONWebKey{Key: keys[i].Signer, KeyID: keys[i].ID}, nil)
	if to := p.authorize(b, "id_token_hint", expired).to(t); to == nil || !to.Query().Has("code") {
		t.Errorf("expired, but ours: redirects to %v, want a code", to)
	}
}

// A silent sign-on: authorization request, journey cut short, token call.
func BenchmarkSilentSignOn(b *testing.B) {
	h := one(b)
	p, anna := h.add("Payroll", oidcclient.Options{}), h.browser()
	for b.Loop() {
		if got := p.exchange(p.code(anna)); got.Access == "" {
			b.Fatalf("%+v", got)
		}
	}
}

// The token call alone.
func BenchmarkCodeExchange(b *testing.B) {
	h := one(b)
	p, anna := h.add("Payroll", oidcclient.Options{}), h.browser()
	for b.Loop() {
		b.StopTimer()
		code := p.code(anna)
		b.StartTimer()
		if got := p.exchange(code); got.Access == "" {
			b.Fatalf("%+v", got)
		}
	}
}
