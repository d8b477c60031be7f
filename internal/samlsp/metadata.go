package samlsp

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/beevik/etree"
	"github.com/crewjam/saml"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/strictxml"
)

// XML namespaces.
const (
	ProtocolNS = "urn:oasis:names:tc:SAML:2.0:protocol" // samlp
	MetadataNS = "urn:oasis:names:tc:SAML:2.0:metadata" // md
)

// MaxMetadata bounds a service provider's metadata, in bytes.
const MaxMetadata = 1 << 20

// ApplicationFromMetadata makes an application of a service provider's metadata, a
// file that an operator vouches for. With an empty name it has the one in the
// metadata, or the entityID. The error is an identity.Invalid that says what is wrong.
func ApplicationFromMetadata(metadata []byte, name string) (identity.Application, error) {
	m, err := ReadMetadata(metadata, name, time.Now())
	return m.Application, err
}

// Metadata is what a service provider says of itself, read.
type Metadata struct {
	Application identity.Application // as a new one
	ValidUntil  time.Time            // when it ends; zero if it does not say
	CacheFor    time.Duration        // how long to go without asking again; zero if it does not say
}

// ReadMetadata reads a service provider's metadata at a time, which must not
// be after its end. It is [ApplicationFromMetadata] for metadata that will be
// read again.
func ReadMetadata(metadata []byte, name string, now time.Time) (Metadata, error) {
	m, err := parseMetadata(metadata, name, now)
	if err != nil {
		return m, invalid(fmt.Errorf("metadata: %w", err))
	}
	return m, nil
}

func invalid(err error) error {
	return &identity.Error{Kind: identity.Invalid, Key: "error.invalid", Err: err}
}

// Onto returns app with the keys, addresses, NameID format and signing requirement of
// m in place of its own. What an operator decided stays. Metadata of another service
// provider is an identity.Invalid: logins to this one would be sent to that one.
func (m Metadata) Onto(app identity.Application) (identity.Application, error) {
	if m.Application.Identifier != app.Identifier {
		return app, invalid(fmt.Errorf("metadata: it is that of %q, not of %q", m.Application.Identifier, app.Identifier))
	}
	before, err := Read(app)
	if err != nil {
		return app, err
	}
	now, err := Read(m.Application)
	if err != nil {
		return app, err
	}
	now.Attributes, now.ForceNameID = before.Attributes, before.ForceNameID
	app.Config, err = json.Marshal(now.Config)
	return app, err
}

func parseMetadata(metadata []byte, name string, now time.Time) (Metadata, error) {
	var m Metadata
	if len(metadata) > MaxMetadata {
		return m, fmt.Errorf("longer than %d bytes", MaxMetadata)
	}
	metadata, err := strictxml.ToUTF8(metadata)
	if err != nil {
		return m, err
	}
	if err := strictxml.CheckMetadata(metadata); err != nil {
		return m, err
	}
	tree := etree.NewDocument()
	if err := tree.ReadFromBytes(metadata); err != nil {
		return m, err
	}
	var usable selection
	usable.keepConsumers(tree)
	entity, sp, err := m.serviceProvider(tree)
	if err != nil {
		return m, err
	}
	if !m.ValidUntil.IsZero() && now.After(m.ValidUntil) {
		return m, fmt.Errorf("valid until %s only", m.ValidUntil.Format(time.DateOnly))
	}
	if id := entity.EntityID; id == "" || len(id) > 1024 || id != identity.CleanTyped(id) && len(id) <= identity.MaxName {
		return m, fmt.Errorf("entityID %q", id)
	}
	c := Config{SignedRequests: sp.AuthnRequestsSigned != nil && *sp.AuthnRequestsSigned, NameID: Unspecified, Attributes: released}
	if c.Endpoints = consumers(sp.AssertionConsumerServices); len(c.Endpoints) == 0 {
		return m, usable.failed("no assertion consumer service takes POST")
	}
	unusable := len(usable.leftOut)
	if c.Certificates = usable.signingKeys(sp.KeyDescriptors); len(c.Certificates) == 0 {
		// To go on without any would be to check no signature any more.
		switch {
		case len(usable.leftOut) > unusable:
			return m, usable.failed("none of the application's signing keys can be used")
		case c.SignedRequests:
			return m, errors.New("the application signs its requests, but there is no key to check them by")
		}
	}
	c.LeftOut = usable.leftOut
	for _, format := range sp.NameIDFormats {
		if f := Format(string(format)); slices.Contains(NameIDFormats, f) {
			c.NameID = f
			break
		}
	}
	m.Application = identity.Application{ID: identity.NewID(identity.ApplicationID), Name: displayName(name, uiNames(tree), entity, sp),
		Protocol: identity.SAML, Identifier: entity.EntityID}
	m.Application.Config, err = json.Marshal(c)
	return m, err
}

// serviceProvider finds the one service provider in metadata: of one entity, or
// of several of which only one is a service provider. How long that holds is
// the least of what is said on the way down to it (SAML metadata, sections 2.3
// and 2.4.1).
func (m *Metadata) serviceProvider(tree *etree.Document) (*saml.EntityDescriptor, *saml.SPSSODescriptor, error) {
	if err := m.limitByRoles(tree); err != nil {
		return nil, nil, err
	}
	metadata, err := tree.WriteToBytes()
	if err != nil {
		return nil, nil, err
	}
	var root struct{ XMLName xml.Name }
	if err := xml.Unmarshal(metadata, &root); err != nil {
		return nil, nil, err
	}
	var entities []saml.EntityDescriptor
	switch root.XMLName {
	case xml.Name{Space: MetadataNS, Local: "EntityDescriptor"}:
		entities = make([]saml.EntityDescriptor, 1)
		if err := xml.Unmarshal(metadata, &entities[0]); err != nil {
			return nil, nil, err
		}
	case xml.Name{Space: MetadataNS, Local: "EntitiesDescriptor"}:
		var all saml.EntitiesDescriptor
		if err := xml.Unmarshal(metadata, &all); err != nil {
			return nil, nil, err
		}
		entities = all.EntityDescriptors
		m.limitValidity(all.ValidUntil, all.CacheDuration)
	default:
		return nil, nil, fmt.Errorf("not SAML metadata, but %q", root.XMLName.Local)
	}
	var entity *saml.EntityDescriptor
	var found []*saml.SPSSODescriptor
	for i := range entities {
		for j := range entities[i].SPSSODescriptors {
			sp := &entities[i].SPSSODescriptors[j]
			if slices.Contains(strings.Fields(sp.ProtocolSupportEnumeration), ProtocolNS) {
				entity, found = &entities[i], append(found, sp)
			}
		}
	}
	if len(found) != 1 {
		return nil, nil, fmt.Errorf("%d SAML 2.0 service providers, must be one", len(found))
	}
	m.limitValidity(&entity.ValidUntil, &entity.CacheDuration)
	m.limitValidity(found[0].ValidUntil, nil)
	return entity, found[0], nil
}

// limitValidity shortens the validity to what an element says.
func (m *Metadata) limitValidity(until *time.Time, cache *time.Duration) {
	if until != nil && !until.IsZero() && (m.ValidUntil.IsZero() || until.Before(m.ValidUntil)) {
		m.ValidUntil = until.UTC()
	}
	if cache != nil && *cache > 0 && (m.CacheFor == 0 || *cache < m.CacheFor) {
		m.CacheFor = *cache
	}
}

// limitByRoles shortens the time without fetching to what the roles say, the shortest
// for all of them, and takes their cacheDuration out of the metadata: the library
// reads a role's as a number, and would refuse the whole document.
func (m *Metadata) limitByRoles(tree *etree.Document) error {
	for _, e := range tree.FindElements("//*[@cacheDuration]") {
		if e.Tag == "EntityDescriptor" || e.Tag == "EntitiesDescriptor" {
			continue
		}
		var d saml.Duration
		if err := d.UnmarshalText([]byte(e.SelectAttrValue("cacheDuration", ""))); err != nil {
			return fmt.Errorf("cacheDuration: %w", err)
		}
		cache := time.Duration(d)
		m.limitValidity(nil, &cache)
		e.RemoveAttr("cacheDuration")
	}
	return nil
}

// uiNames returns the names that the service provider has for people (SAML V2.0 Metadata
// Extensions for Login and Discovery User Interface, section 2.1.2). The library does not
// read them.
func uiNames(tree *etree.Document) []saml.LocalizedName {
	const uiNS = "urn:oasis:names:tc:SAML:metadata:ui"
	var names []saml.LocalizedName
	for _, e := range tree.FindElements("//SPSSODescriptor/Extensions/UIInfo/DisplayName") {
		role := e.Parent().Parent().Parent()
		if e.NamespaceURI() == uiNS && role.NamespaceURI() == MetadataNS &&
			slices.Contains(strings.Fields(role.SelectAttrValue("protocolSupportEnumeration", "")), ProtocolNS) {
			names = append(names, saml.LocalizedName{Lang: e.SelectAttrValue("xml:lang", ""), Value: e.Text()})
		}
	}
	return names
}

// displayName chooses the name that people see: the given one, or one in the metadata, in
// English if it has one.
func displayName(given string, forPeople []saml.LocalizedName, entity *saml.EntityDescriptor, sp *saml.SPSSODescriptor) string {
	names := []string{given, inEnglish(forPeople)}
	for _, s := range sp.AttributeConsumingServices {
		names = append(names, inEnglish(s.ServiceNames))
	}
	if entity.Organization != nil {
		names = append(names, inEnglish(entity.Organization.OrganizationDisplayNames))
	}
	for _, n := range names {
		if n = identity.CleanTyped(n); n != "" {
			return n
		}
	}
	return identity.CleanTyped(entity.EntityID)
}

// inEnglish returns the English one of names, or else the first that is not empty.
func inEnglish(names []saml.LocalizedName) string {
	first := ""
	for _, n := range names {
		lang, _, _ := strings.Cut(strings.ToLower(n.Lang), "-")
		switch value := identity.CleanTyped(n.Value); {
		case value == "":
		case lang == "en":
			return value
		case first == "":
			first = value
		}
	}
	return first
}
