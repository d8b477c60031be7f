package oidc

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/zitadel/oidc/v3/pkg/client/rp"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"golang.org/x/oauth2"

	"github.com/latchkey-id/latchkey/internal/oidcclient"
	"github.com/latchkey-id/latchkey/internal/signingkey"
)

// An independent client completes all steps: discovery, code with PKCE, the
// checks of the ID token, userinfo, refresh, revocation and logout.
func TestOIDC1_AnIndependentClient(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		for _, tt := range []struct {
			name  string
			style oauth2.AuthStyle
			o     oidcclient.Options
		}{
			{"ES256, basic", oauth2.AuthStyleInHeader, oidcclient.Options{Algorithm: signingkey.ES256}},
			{"RS256, post", oauth2.AuthStyleInParams, oidcclient.Options{Algorithm: signingkey.RS256}},
			{"EdDSA, basic", oauth2.AuthStyleInHeader, oidcclient.Options{Algorithm: signingkey.EdDSA}},
			{"public", oauth2.AuthStyleInParams, oidcclient.Options{Public: true}},
		} {
			t.Run(tt.name, func(t *testing.T) {
				tt.o.Offline, tt.o.PostLogoutURIs = true, []string{"https://rp.example/bye?a=b"}
				independentClient(t, h, h.add("Payroll", tt.o), tt.style)
			})
		}
	})
}

func independentClient(t *testing.T, h *fixture, p *party, style oauth2.AuthStyle) {
	scopes := []string{"openid", "profile", "email", "groups", "offline_access"}
	nonce := "n-0S6_WzA2Mj" // what the client expects in the next ID token
	client, err := rp.NewRelyingPartyOIDC(t.Context(), h.issuer, p.app.Identifier, p.secret, callback, scopes,
		rp.WithSigningAlgsFromDiscovery(), rp.WithAuthStyle(style),
		rp.WithVerifierOpts(rp.WithNonce(func(context.Context) string { return nonce })))
	if err != nil {
		t.Fatal(err)
	}
	b := h.browser()
	to := b.get(rp.AuthURL("st", client, rp.WithCodeChallenge(s256(verifier)), rp.AuthURLOpt(rp.WithURLParam("nonce", nonce)))).to(t)
	if to == nil || to.Query().Get("state") != "st" || to.Query().Get("iss") != h.issuer {
		t.Fatalf("redirected to %v, want state st and iss %s", to, h.issuer)
	}
	got, err := rp.CodeExchange[*oidc.IDTokenClaims](t.Context(), to.Query().Get("code"), client, rp.WithCodeVerifier(verifier))
	if err != nil {
		t.Fatal(err)
	}
	c := got.IDTokenClaims
	if c.Nonce != nonce || c.Subject != h.user.ID || c.SessionID == "" || c.AuthorizedParty != p.app.Identifier ||
		c.AuthenticationContextClassReference != "https://refeds.org/profile/mfa" ||
		!slices.Equal(c.AuthenticationMethodsReferences, []string{"pwd", "otp", "mfa"}) {
		t.Errorf("claims: %+v", c)
	}
	if age := h.idp.DB.Now().Unix() - int64(c.AuthTime); age < 60 || age > 70 {
		t.Errorf("auth_time is %d s ago, want 60", age)
	}
	info, err := rp.Userinfo[*oidc.UserInfo](t.Context(), got.AccessToken, got.TokenType, c.Subject, client)
	if err != nil {
		t.Fatal(err)
	}
	if info.Name != "Anna Berg" || info.PreferredUsername != "anna.berg" || info.Email != "anna.berg@example.org" {
		t.Errorf("userinfo: %+v", info)
	}
	if groups, _ := info.Claims["groups"].([]any); len(groups) != 1 || groups[0] != "Nurses of anna.berg" {
		t.Errorf("groups: %v", info.Claims["groups"])
	}
	nonce = ""
	next, err := rp.RefreshTokens[*oidc.IDTokenClaims](t.Context(), client, got.RefreshToken, "", "")
	if err != nil {
		t.Fatal(err)
	}
	n := next.IDTokenClaims
	if n.SessionID != c.SessionID || n.AuthTime != c.AuthTime || n.Subject != c.Subject {
		t.Errorf("refreshed claims: %+v", n)
	}
	if next.RefreshToken == got.RefreshToken || next.AccessToken == got.AccessToken {
		t.Error("a token was given twice")
	}
	if err := rp.RevokeToken(t.Context(), client, next.RefreshToken, "refresh_token"); err != nil {
		t.Error(err)
	}
	if h.good(next.AccessToken) || h.good(got.AccessToken) {
		t.Error("an access token outlives its revoked family")
	}
	bye := client.GetEndSessionEndpoint() + "?" + url.Values{"id_token_hint": {next.IDToken},
		"post_logout_redirect_uri": {"https://rp.example/bye?a=b"}, "state": {"s t"}}.Encode()
	out := b.get(bye)
	if got, want := out.Header.Get("Location"), "https://rp.example/bye?a=b&state=s+t"; out.StatusCode != http.StatusSeeOther || got != want {
		t.Errorf("logout: %d to %q, want 303 to %q", out.StatusCode, got, want)
	}
}
