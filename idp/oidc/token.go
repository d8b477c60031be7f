package oidc

import (
	"context"
	"crypto/subtle"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/crypto"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
)

// Lifetimes of codes, tokens and grants.
const (
	codeLifetime    = time.Minute
	accessLifetime  = time.Hour
	idTokenLifetime = time.Hour
	refreshLifetime = 30 * 24 * time.Hour // of a refresh token that is not used
	offlineLifetime = 90 * 24 * time.Hour // of a grant, however often it is refreshed
)

// issuedTokens has the tokens issued for a grant.
type issuedTokens struct {
	grant           store.Grant
	scope           string
	access, refresh string
	until           time.Time // expiry of the access token
}

// invalidGrant does not tell the client the reason. The event has it.
func invalidGrant() error {
	return oidc.ErrInvalidGrant().WithDescription("It is unknown, expired, revoked, was used before, or is not yours.")
}

// CodeExchange issues tokens for a code. Every attempt uses up the code, in one transaction: of a hundred
// requests with one code, one gets tokens, and the others revoke them.
func (s *server) CodeExchange(ctx context.Context, r *op.ClientRequest[oidc.AccessTokenRequest]) (*op.Response, error) {
	c := r.Client.(*client)
	var out issuedTokens
	refused := invalidGrant()
	err := s.inTx(ctx, r.Header, c, func(tx *store.Tx) error {
		g, first, err := tx.Grants().UseCode(ctx, s.tenant.ID, r.Data.Code)
		if err != nil {
			return err
		}
		if !first {
			return revokeReused(ctx, tx, g, audit.CodeReuse)
		}
		if why := s.refuseCode(g, c, r.Data); why != "" {
			return tx.Event(ctx, audit.Event{Kind: audit.RequestRejected, User: g.User, Application: g.Application, Reason: why})
		}
		refused = nil
		out, err = s.issueTokens(ctx, tx, g, g.Scope, g.Scope)
		return err
	})
	return s.answer(ctx, c, out, out.grant.Nonce, refused, err)
}

// refuseCode returns why a code is refused, or "" if it is accepted.
func (s *server) refuseCode(g store.Grant, c *client, shown *oidc.AccessTokenRequest) string {
	switch {
	case !s.face.now().Before(g.CodeExpires):
		return "code expired"
	case g.Over:
		return "grant is over"
	case g.Application != c.app.ID:
		return "code of another application"
	case g.RedirectURI != shown.RedirectURI:
		return "wrong redirect_uri"
	case !verifies(g.Challenge, shown.CodeVerifier):
		return "wrong code_verifier"
	}
	return ""
}

// verifies reports whether a verifier matches the challenge (RFC 7636, section 4.6). If there was a challenge,
// a verifier is required, with or without a client secret. A verifier without a challenge means that an
// attacker removed the challenge from the request.
func verifies(challenge, verifier string) bool {
	if challenge == "" || verifier == "" {
		return challenge == verifier
	}
	return len(verifier) >= 43 && len(verifier) <= 128 &&
		subtle.ConstantTimeCompare([]byte(oidc.NewSHACodeChallenge(verifier)), []byte(challenge)) == 1
}

// RefreshToken issues new tokens for a refresh token and uses it up.
func (s *server) RefreshToken(ctx context.Context, r *op.ClientRequest[oidc.RefreshTokenRequest]) (*op.Response, error) {
	c := r.Client.(*client)
	var out issuedTokens
	refused := invalidGrant()
	err := s.inTx(ctx, r.Header, c, func(tx *store.Tx) error {
		g, t, first, err := tx.Grants().UseRefreshToken(ctx, s.tenant.ID, c.app.ID, r.Data.RefreshToken)
		if err != nil {
			return err
		}
		if !first {
			return revokeReused(ctx, tx, g, audit.RefreshReuse)
		}
		if g.Over || !s.face.now().Before(t.ExpiresAt) {
			return nil
		}
		scope := t.Scope
		if len(r.Data.Scopes) > 0 {
			granted := strings.Fields(t.Scope)
			for _, asked := range r.Data.Scopes {
				if !slices.Contains(granted, asked) {
					return oidc.ErrInvalidScope() // rolls back, so that the token is not used up
				}
			}
			scope = strings.Join(r.Data.Scopes, " ")
		}
		refused = nil
		if out, err = s.issueTokens(ctx, tx, g, scope, t.Scope); err != nil {
			return err
		}
		return tx.Event(ctx, audit.Event{Kind: audit.TokenRefreshed, User: g.User, Application: g.Application,
			Data: map[string]string{"grant": g.ID}})
	})
	return s.answer(ctx, c, out, "", refused, err) // the nonce was for the first ID token only
}

// revokeReused revokes the grant of a code or refresh token that was presented again.
func revokeReused(ctx context.Context, tx *store.Tx, g store.Grant, kind audit.Kind) error {
	first, err := tx.Grants().Revoke(ctx, g.Tenant, g.ID)
	if !first || err != nil {
		return err
	}
	return tx.Event(ctx, audit.Event{Kind: kind, User: g.User, Application: g.Application, Data: map[string]string{"grant": g.ID}})
}

// issueTokens adds to a grant an access token and, if it may be refreshed, a refresh token with refreshScope.
func (s *server) issueTokens(ctx context.Context, tx *store.Tx, g store.Grant, scope, refreshScope string) (issuedTokens, error) {
	out := issuedTokens{grant: g, scope: scope, access: identity.NewSecret(), until: earlier(tx.Now().Add(accessLifetime), g.ExpiresAt)}
	err := tx.Grants().AddToken(ctx, g.Tenant, store.Token{Grant: g.ID, Kind: store.AccessToken, Scope: scope, ExpiresAt: out.until}, out.access)
	if err != nil || !g.Offline {
		return out, err
	}
	out.refresh = identity.NewSecret()
	return out, tx.Grants().AddToken(ctx, g.Tenant, store.Token{Grant: g.ID, Kind: store.RefreshToken, Scope: refreshScope,
		ExpiresAt: earlier(tx.Now().Add(refreshLifetime), g.ExpiresAt)}, out.refresh)
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// answer returns the answer of the token endpoint. The ID token is signed after the commit, so that no writer
// waits for the signature.
func (s *server) answer(ctx context.Context, c *client, out issuedTokens, nonce string, refused, err error) (*op.Response, error) {
	if errors.Is(err, identity.NotFound) {
		return nil, invalidGrant()
	}
	if err != nil {
		return nil, s.failure(ctx, err)
	}
	if refused != nil {
		return nil, refused
	}
	idToken, err := s.idToken(ctx, c, out, nonce)
	if err != nil {
		return nil, s.failure(ctx, err)
	}
	answer := op.NewResponse(&oidc.AccessTokenResponse{
		AccessToken:  out.access,
		TokenType:    oidc.BearerToken,
		RefreshToken: out.refresh,
		ExpiresIn:    uint64(out.until.Sub(s.face.now()) / time.Second), // until is ahead of now
		IDToken:      idToken,
		Scope:        strings.Fields(out.scope),
	})
	answer.Header.Set("Pragma", "no-cache")
	return answer, nil
}

// idToken returns an ID token: who logged in, how and when, and the claims of the granted scopes about the user
// unless they are switched off for the application. They are available from userinfo too (OpenID Connect Core,
// section 5.4), but many applications never ask there.
func (s *server) idToken(ctx context.Context, c *client, out issuedTokens, nonce string) (string, error) {
	key, err := s.face.idp.Keys.Newest(ctx, s.tenant.ID, identity.OIDC, c.config.Algorithm)
	if err != nil {
		return "", err
	}
	g, now := out.grant, s.face.now()
	claims := oidc.NewIDTokenClaims(s.issuer, g.Subject, []string{c.GetID()}, now.Add(idTokenLifetime), g.AuthTime,
		nonce, g.ACR, g.AMR, c.GetID(), 0)
	claims.IssuedAt = oidc.FromTime(now)
	claims.ClientID = "" // added by the library; azp has the same value
	claims.SessionID = g.SID
	if claims.AccessTokenHash, err = oidc.ClaimHash(out.access, jose.SignatureAlgorithm(key.Algorithm)); err != nil {
		return "", err
	}
	if c.config.IDTokenClaims {
		info, err := s.claims(ctx, g, strings.Fields(out.scope))
		if err != nil {
			return "", err
		}
		claims.SetUserInfo(info)
	}
	signer, err := op.SignerFromKey(signingKey{key})
	if err != nil {
		return "", err
	}
	return crypto.Sign(claims, signer)
}
