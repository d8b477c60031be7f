package saml

import (
	"net/http"
	"time"

	"github.com/latchkey-id/latchkey/idp"
	"github.com/latchkey-id/latchkey/internal/identity"
)

// A Face has the SAML endpoints of all tenants.
type Face struct {
	idp *idp.IdP

	// Skew is by how much an application's clock may differ from this server's, either way.
	Skew time.Duration
}

// MaxSkew is the most that clocks may differ, and what [New] allows. An answer is for five minutes: an
// application whose clock is further ahead would have none of them left.
const MaxSkew = 3 * time.Minute

// New returns the SAML face of p.
func New(p *idp.IdP) *Face { return &Face{idp: p, Skew: MaxSkew} }

// Paths of the endpoints within a tenant.
const (
	metadataPath = "saml/metadata"
	ssoPath      = "saml/sso"
)

// Routes registers the endpoints. Requests to them come from other sites, so they must not be wrapped in
// web.Site.SameOrigin. All they do is store a request and redirect.
func (f *Face) Routes(mux *http.ServeMux) {
	site := f.idp.Site
	mux.Handle("GET /t/{tenant}/"+metadataPath, site.Handle(f.metadata))
	mux.Handle("GET /t/{tenant}/"+ssoPath, site.Handle(f.sso))
	mux.Handle("POST /t/{tenant}/"+ssoPath, site.Handle(f.sso))
}

// entityID returns a tenant's entityID, which is also the address of its metadata.
func (f *Face) entityID(t identity.Tenant) string { return f.idp.Site.URL(t, metadataPath) }
