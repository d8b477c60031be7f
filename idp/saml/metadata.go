package saml

import (
	"encoding/base64"
	"net/http"

	"github.com/beevik/etree"
	"github.com/crewjam/saml"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/samlsp"
	"github.com/latchkey-id/latchkey/internal/signingkey"
)

// metadata serves a tenant's metadata, signed (SAML-5). It contains all published keys, so that
// applications know the next key before it signs anything.
func (f *Face) metadata(w http.ResponseWriter, r *http.Request) error {
	t, err := f.idp.Site.Tenant(r)
	if err != nil {
		return err
	}
	keys, err := f.idp.Keys.All(r.Context(), t.ID, identity.SAML)
	if err != nil {
		return err
	}
	key, err := f.idp.Keys.Newest(r.Context(), t.ID, identity.SAML, signingkey.RS256)
	if err != nil {
		return err
	}
	entity := f.describe(t, keys)
	if err := sign(entity, key, 0); err != nil {
		return err
	}
	doc, err := write(entity)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/samlmetadata+xml")
	w.Header().Set("Content-Disposition", `inline; filename="`+t.Slug+`.xml"`)
	w.Header().Set("Cache-Control", "public, max-age=300")
	_, _ = w.Write(doc) // nothing can be done if the client has disconnected
	return nil
}

// describe returns a tenant's metadata. It has no validUntil, because it is often loaded once, as a file,
// and a date would end those logins for no reason.
func (f *Face) describe(t identity.Tenant, keys []signingkey.Key) *etree.Element {
	e := etree.NewElement("md:EntityDescriptor")
	e.CreateAttr("xmlns:md", metadataNS)
	e.CreateAttr("xmlns:ds", signatureNS)
	e.CreateAttr("ID", "_"+identity.NewSecret())
	e.CreateAttr("cacheDuration", "PT1H")
	e.CreateAttr("entityID", f.entityID(t))
	role := add(e, "md:IDPSSODescriptor", "protocolSupportEnumeration", protocolNS, "WantAuthnRequestsSigned", "false")
	for _, k := range keys {
		info := add(add(role, "md:KeyDescriptor", "use", "signing"), "ds:KeyInfo")
		say(add(info, "ds:X509Data"), "ds:X509Certificate", base64.StdEncoding.EncodeToString(k.Certificate))
	}
	for _, format := range samlsp.NameIDFormats {
		say(role, "md:NameIDFormat", format)
	}
	for _, binding := range []string{saml.HTTPRedirectBinding, saml.HTTPPostBinding} {
		add(role, "md:SingleSignOnService", "Binding", binding, "Location", f.idp.Site.URL(t, ssoPath))
	}
	return e
}
