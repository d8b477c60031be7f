package oidc

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
)

// showsSecret reports whether a request contains any client authentication. Without it, introspection answers
// 401 (RFC 7662, section 2.3). The library would answer 400.
func showsSecret(r *http.Request) bool {
	_, password, basic := r.BasicAuth()
	return basic && password != "" || r.Form.Get("client_secret") != "" || r.Form.Get("client_assertion") != ""
}

// Introspect tells an application that keeps a secret whether one of its tokens is valid (RFC 7662). The
// library would not require a confidential client, and would leave it to the storage whose token it is. Here
// all other tokens, another application's or tenant's, used, expired, revoked or unknown ones, give the same
// {"active":false}, so that the answer does not reveal which tokens exist (section 4).
func (s *server) Introspect(ctx context.Context, r *op.Request[op.IntrospectionRequest]) (*op.Response, error) {
	known, err := s.VerifyClient(ctx, &op.Request[op.ClientCredentials]{Method: r.Method, URL: r.URL, Header: r.Header, Form: r.Form,
		Data: r.Data.ClientCredentials})
	if err != nil {
		return nil, err
	}
	c := known.(*client)
	if !c.config.Confidential() { // it presented a secret, but perhaps one that each copy of it has
		return nil, op.NewStatusError(oidc.ErrInvalidClient(), http.StatusUnauthorized)
	}
	if err := s.inTx(ctx, r.Header, c, func(tx *store.Tx) error {
		return tx.Allow(ctx, s.tenant.ID, s.face.introspections, c.app.ID)
	}); errors.Is(err, identity.Throttled) {
		return nil, op.NewStatusError(oidc.ErrSlowDown().WithDescription("That was too often in a short time."), http.StatusTooManyRequests)
	} else if err != nil {
		return nil, s.failure(ctx, err)
	}
	g, t, err := s.face.idp.DB.Grants().LiveToken(ctx, s.tenant.ID, c.app.ID, r.Data.Token)
	if errors.Is(err, identity.NotFound) {
		return op.NewResponse(&oidc.IntrospectionResponse{}), nil
	}
	if err != nil {
		return nil, s.failure(ctx, err)
	}
	answer := &oidc.IntrospectionResponse{Active: true, Scope: strings.Fields(t.Scope), ClientID: c.GetID(), Expiration: oidc.FromTime(t.ExpiresAt),
		Subject: g.Subject, Audience: oidc.Audience{c.GetID()}, Issuer: s.issuer,
		AuthTime: oidc.FromTime(g.AuthTime), AuthenticationMethodsReferences: g.AMR, Claims: map[string]any{"acr": g.ACR, "sid": g.SID}}
	if t.Kind == store.AccessToken { // there is no token type for a refresh token (RFC 6749, section 7.1)
		answer.TokenType = oidc.BearerToken
	}
	return op.NewResponse(answer), nil
}
