package oidc

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
)

// UserInfo returns the claims of an access token's scope. Anything that is not an access token of this tenant,
// such as an ID token, is refused as unknown.
func (s *server) UserInfo(ctx context.Context, r *op.Request[oidc.UserInfoRequest]) (*op.Response, error) {
	denied := op.NewStatusError(oidc.ErrAccessDenied().WithDescription("The access token is not valid."), http.StatusUnauthorized)
	db := s.face.idp.DB
	g, t, err := db.Grants().AccessToken(ctx, s.tenant.ID, r.Data.AccessToken)
	if errors.Is(err, identity.NotFound) {
		return nil, denied
	}
	if err != nil {
		return nil, s.failure(ctx, err)
	}
	if r.Header.Get("Origin") != "" {
		app, err := db.Applications().Get(ctx, s.tenant.ID, g.Application)
		if err != nil {
			return nil, s.failure(ctx, err)
		}
		c, err := readClient(app)
		if err != nil {
			return nil, s.failure(ctx, err)
		}
		if !c.originAllowed(r.Header) {
			return nil, denied
		}
	}
	info, err := s.claims(ctx, g, strings.Fields(t.Scope))
	if err != nil {
		return nil, s.failure(ctx, err)
	}
	return op.NewResponse(info), nil
}

// claims returns the claims of scopes about the user of a grant. It reads the user only if one of them is about
// more than the subject.
func (s *server) claims(ctx context.Context, g store.Grant, scope []string) (*oidc.UserInfo, error) {
	info := &oidc.UserInfo{Subject: g.Subject}
	var user identity.User
	if slices.Contains(scope, oidc.ScopeProfile) || slices.Contains(scope, oidc.ScopeEmail) {
		var err error
		if user, err = s.face.idp.DB.Users().Get(ctx, s.tenant.ID, g.User); err != nil {
			return nil, err
		}
	}
	if slices.Contains(scope, oidc.ScopeProfile) {
		info.Name, info.PreferredUsername = user.DisplayName, user.Name
		if user.Language != "" {
			info.AppendClaims("locale", user.Language)
		}
	}
	if slices.Contains(scope, oidc.ScopeEmail) {
		info.Email = user.Mail // set by an operator, so email_verified is left out
	}
	if slices.Contains(scope, scopeGroups) {
		names := []string{}
		for group, err := range s.face.idp.DB.Groups().OfUser(ctx, s.tenant.ID, g.User) {
			if err != nil {
				return nil, err
			}
			names = append(names, group.Name)
		}
		info.AppendClaims(scopeGroups, names)
	}
	return info, nil
}

// Revocation revokes a token of the client: an access token alone, a refresh token with its family. For any
// other token it gives the same answer and does nothing (RFC 7009, section 2.2).
func (s *server) Revocation(ctx context.Context, r *op.ClientRequest[oidc.RevocationRequest]) (*op.Response, error) {
	c := r.Client.(*client)
	err := s.inTx(ctx, r.Header, c, func(tx *store.Tx) error {
		g, err := tx.Grants().RevokeToken(ctx, s.tenant.ID, c.app.ID, r.Data.Token)
		if err != nil {
			return err
		}
		return tx.Event(ctx, audit.Event{Kind: audit.TokenRevoked, User: g.User, Application: c.app.ID,
			Data: map[string]string{"grant": g.ID}})
	})
	if err != nil && !errors.Is(err, identity.NotFound) {
		return nil, s.failure(ctx, err)
	}
	return op.NewResponse(nil), nil
}
