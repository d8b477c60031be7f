package oidc

import (
	"context"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/oidcclient"
)

// A client is an application in the form that the library expects. It embeds the library's interface; its
// other methods are only called by parts of the library that are not used.
type client struct {
	op.Client
	app    identity.Application
	config *oidcclient.Config
}

// client returns the application with a client_id. For a disabled one the error is NotFound.
func (f *Face) client(ctx context.Context, t identity.Tenant, id string) (*client, error) {
	app, err := f.idp.DB.Applications().ByIdentifier(ctx, t.ID, identity.OIDC, id)
	if err != nil {
		return nil, err
	}
	return readClient(app)
}

func readClient(app identity.Application) (*client, error) {
	config, err := oidcclient.Read(app)
	return &client{app: app, config: config}, err
}

// GetID implements op.Client.
func (c *client) GetID() string { return c.app.Identifier }

// GrantTypes implements op.Client.
func (c *client) GrantTypes() []oidc.GrantType {
	if c.config.Offline {
		return []oidc.GrantType{oidc.GrantTypeCode, oidc.GrantTypeRefreshToken}
	}
	return []oidc.GrantType{oidc.GrantTypeCode}
}
