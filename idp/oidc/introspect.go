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

// showsSecret reports whether a call shows anything a client could be known by.
// Without it introspection answers 401 (RFC 7662, section 2.3); the library
// would say 400.
func showsSecret(r *http.Request) bool {
	_, password, basic := r.BasicAuth()
	return basic && password != "" || r.Form.Get("client_secret") != "" || r.Form.Get("client_assertion") != ""
}

// Introspect tells an application that keeps a secret what a token of its own
// is worth (RFC 7662). The library would ask no client to be confidential and
// leave it to storage whose token it is; here every other token, another
// application's or tenant's, one that is spent, expired or revoked, or that
// never was, is the same {"active":false}, so that the answer tells nobody
// which tokens exist (section 4).
func (s *server) Introspect(ctx context.Context, r *op.Request[op.IntrospectionRequest]) (*op.Response, error) {
	known, err := s.VerifyClient(ctx, &op.Request[op.ClientCredentials]{Method: r.Method, URL: r.URL, Header: r.Header, Form: r.Form,
		Data: r.Data.ClientCredentials})
	if err != nil {
		return nil, err
	}
	c := known.(*client) // it showed a secret that is its own, so it keeps one
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
	if t.Kind == store.AccessToken { // what a refresh token is has no name (RFC 6749, section 7.1)
		answer.TokenType = oidc.BearerToken
	}
	return op.NewResponse(answer), nil
}
