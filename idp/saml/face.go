package saml

import (
	"net/http"

	"github.com/latchkey-id/latchkey/idp"
	"github.com/latchkey-id/latchkey/internal/identity"
)

// A Face is all tenants' SAML endpoints.
type Face struct{ idp *idp.IdP }

// New returns the face of the journeys of p.
func New(p *idp.IdP) *Face { return &Face{idp: p} }

// Paths of the endpoints within a tenant.
const (
	metadataPath = "saml/metadata"
	ssoPath      = "saml/sso"
)

// Routes mounts the endpoints. They are cross-site by protocol, so they must
// stand outside web.Site.SameOrigin: all they do is store a request and redirect.
func (f *Face) Routes(mux *http.ServeMux) {
	kit := f.idp.Site
	mux.Handle("GET /t/{tenant}/"+metadataPath, kit.Handle(f.metadata))
	mux.Handle("GET /t/{tenant}/"+ssoPath, kit.Handle(f.sso))
	mux.Handle("POST /t/{tenant}/"+ssoPath, kit.Handle(f.sso))
}

// entityID is a tenant's name in SAML, and the address of its metadata.
func (f *Face) entityID(t identity.Tenant) string { return f.idp.Site.URL(t, metadataPath) }
