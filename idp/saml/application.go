package saml

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/crewjam/saml"

	"github.com/latchkey-id/latchkey/identity"
)

// config is the JSON of an application's row.
type config struct {
	Endpoints      []endpoint  `json:"endpoints"`       // where answers may go, the default first
	NameID         string      `json:"name_id"`         // the format given where the request names none
	SignedRequests bool        `json:"signed_requests"` // the application signs what it sends; anything else is not its
	Certificates   [][]byte    `json:"certificates"`    // DER, of its signing keys
	Attributes     []attribute `json:"attributes"`      // what it is told of a person
}

// An endpoint is an assertion consumer service that takes POST.
type endpoint struct {
	URL   string `json:"url"`
	Index uint16 `json:"index"`
}

// MaxMetadata bounds a service provider's metadata, in bytes.
const MaxMetadata = 1 << 20

// ApplicationFromMetadata makes an application of a service provider's
// metadata: the file an operator got from whoever runs it, and vouches for. An
// empty name takes the one in the metadata, or the entityID. The error is an
// identity.Invalid that says what is wrong.
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
	m, err := importMetadata(metadata, name, now)
	if err != nil {
		return m, invalid(fmt.Errorf("metadata: %w", err))
	}
	return m, nil
}

func invalid(err error) error {
	return &identity.Error{Kind: identity.Invalid, Key: "error.invalid", Err: err}
}

// Onto returns app with what m says in place of what an earlier reading said:
// keys, addresses, the NameID's format, whether requests are signed. What an
// operator decided stays. Metadata of another service provider is an
// identity.Invalid: it would hand this one's logins to that one.
func (m Metadata) Onto(app identity.Application) (identity.Application, error) {
	if m.Application.Identifier != app.Identifier {
		return app, invalid(fmt.Errorf("metadata: it is that of %q, not of %q", m.Application.Identifier, app.Identifier))
	}
	before, err := read(app)
	if err != nil {
		return app, err
	}
	now, err := read(m.Application)
	if err != nil {
		return app, err
	}
	now.Attributes = before.Attributes
	app.Config, err = json.Marshal(now.config)
	return app, err
}

func importMetadata(metadata []byte, name string, now time.Time) (Metadata, error) {
	var m Metadata
	if len(metadata) > MaxMetadata {
		return m, fmt.Errorf("longer than %d bytes", MaxMetadata)
	}
	metadata = bare(metadata)
	if err := wellFormed(metadata, false); err != nil {
		return m, err
	}
	entity, sp, err := m.serviceProvider(metadata)
	if err != nil {
		return m, err
	}
	if !m.ValidUntil.IsZero() && now.After(m.ValidUntil) {
		return m, fmt.Errorf("valid until %s only", m.ValidUntil.Format(time.DateOnly))
	}
	if id := entity.EntityID; id == "" || len(id) > 1024 || id != identity.CleanTyped(id) && len(id) <= identity.MaxName {
		return m, fmt.Errorf("entityID %q", id)
	}
	c := config{SignedRequests: sp.AuthnRequestsSigned != nil && *sp.AuthnRequestsSigned, NameID: unspecified, Attributes: released}
	if c.Endpoints, err = consumers(sp.AssertionConsumerServices); err != nil {
		return m, err
	}
	if c.Certificates, err = signingKeys(sp.KeyDescriptors); err != nil {
		return m, err
	}
	if c.SignedRequests && len(c.Certificates) == 0 {
		return m, errors.New("the application signs its requests, but there is no key to check them by")
	}
	for _, format := range sp.NameIDFormats {
		if f := strings.TrimSpace(string(format)); slices.Contains(nameIDs, f) {
			c.NameID = f
			break
		}
	}
	m.Application = identity.Application{ID: identity.NewID(identity.ApplicationID), Name: called(name, entity, sp),
		Protocol: identity.SAML, Identifier: entity.EntityID}
	m.Application.Config, err = json.Marshal(c)
	return m, err
}

// serviceProvider finds the one service provider in metadata: of one entity, or
// of several of which only one is a service provider. How long that holds is
// the least of what is said on the way down to it (SAML metadata, sections 2.3
// and 2.4.1).
func (m *Metadata) serviceProvider(metadata []byte) (*saml.EntityDescriptor, *saml.SPSSODescriptor, error) {
	var root struct{ XMLName xml.Name }
	if err := xml.Unmarshal(metadata, &root); err != nil {
		return nil, nil, err
	}
	var entities []saml.EntityDescriptor
	switch root.XMLName {
	case xml.Name{Space: metadataNS, Local: "EntityDescriptor"}:
		entities = make([]saml.EntityDescriptor, 1)
		if err := xml.Unmarshal(metadata, &entities[0]); err != nil {
			return nil, nil, err
		}
	case xml.Name{Space: metadataNS, Local: "EntitiesDescriptor"}:
		var all saml.EntitiesDescriptor
		if err := xml.Unmarshal(metadata, &all); err != nil {
			return nil, nil, err
		}
		entities = all.EntityDescriptors
		m.holds(all.ValidUntil, all.CacheDuration)
	default:
		return nil, nil, fmt.Errorf("not SAML metadata, but %q", root.XMLName.Local)
	}
	var entity *saml.EntityDescriptor
	var found []*saml.SPSSODescriptor
	for i := range entities {
		for j := range entities[i].SPSSODescriptors {
			sp := &entities[i].SPSSODescriptors[j]
			if slices.Contains(strings.Fields(sp.ProtocolSupportEnumeration), protocolNS) {
				entity, found = &entities[i], append(found, sp)
			}
		}
	}
	if len(found) != 1 {
		return nil, nil, fmt.Errorf("%d SAML 2.0 service providers, must be one", len(found))
	}
	m.holds(&entity.ValidUntil, &entity.CacheDuration)
	m.holds(found[0].ValidUntil, &found[0].CacheDuration)
	return entity, found[0], nil
}

// holds takes over the ends that an element says, where they come sooner.
func (m *Metadata) holds(until *time.Time, cache *time.Duration) {
	if until != nil && !until.IsZero() && (m.ValidUntil.IsZero() || until.Before(m.ValidUntil)) {
		m.ValidUntil = until.UTC()
	}
	if cache != nil && *cache > 0 && (m.CacheFor == 0 || *cache < m.CacheFor) {
		m.CacheFor = *cache
	}
}

// called chooses the name people see.
func called(given string, entity *saml.EntityDescriptor, sp *saml.SPSSODescriptor) string {
	names := []string{given}
	for _, s := range sp.AttributeConsumingServices {
		for _, n := range s.ServiceNames {
			names = append(names, n.Value)
		}
	}
	if entity.Organization != nil {
		for _, n := range entity.Organization.OrganizationDisplayNames {
			names = append(names, n.Value)
		}
	}
	for _, n := range names {
		if n = identity.CleanTyped(n); n != "" {
			return n
		}
	}
	return identity.CleanTyped(entity.EntityID)
}

// consumers lists the addresses that take POST, the default first (SAML
// metadata, section 2.4.4: the one that says so, else the first that does not
// say it is not, else the first).
func consumers(services []saml.IndexedEndpoint) ([]endpoint, error) {
	var list []endpoint
	rank := func(s saml.IndexedEndpoint) int {
		switch {
		case s.IsDefault == nil:
			return 1
		case *s.IsDefault:
			return 0
		}
		return 2
	}
	services = slices.Clone(services)
	slices.SortStableFunc(services, func(a, b saml.IndexedEndpoint) int { return rank(a) - rank(b) })
	for _, s := range services {
		if s.Binding != saml.HTTPPostBinding {
			continue // artifact, ECP: another way to answer, not one of ours
		}
		if err := consumer(s.Location); err != nil {
			return nil, fmt.Errorf("assertion consumer service %q: %w", s.Location, err)
		}
		if s.Index < 0 || s.Index > 65535 {
			return nil, fmt.Errorf("assertion consumer service %q: index %d", s.Location, s.Index)
		}
		list = append(list, endpoint{URL: s.Location, Index: uint16(s.Index)})
	}
	if len(list) == 0 {
		return nil, errors.New("no assertion consumer service takes POST")
	}
	return list, nil
}

// unsafe finds what no address of ours contains: what is not printable ASCII,
// what browsers read otherwise than servers do, and wildcards, which would look
// as if they worked.
var unsafe = regexp.MustCompile(`[^!-~]|[\\"<>^{|}*]|` + "`")

// host is what the host of an address looks like: it becomes part of the policy
// of our pages, where a ";" would begin another directive.
var host = regexp.MustCompile(`^([A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*|\[::1\])(:[0-9]+)?$`)

// consumer says why assertions must not be sent to an address; nil when they
// may. Plain http is for loopback alone.
func consumer(address string) error {
	if len(address) > 2048 {
		return errors.New("must not be longer than 2048 bytes")
	}
	if i := unsafe.FindStringIndex(address); i != nil {
		return fmt.Errorf("must not contain %q", address[i[0]:i[1]])
	}
	u, err := url.Parse(address)
	switch {
	case err != nil || !host.MatchString(u.Host):
		return errors.New("must be an absolute address of a host")
	case strings.Contains(address, "#"):
		return errors.New("must not have a fragment")
	case u.User != nil:
		return errors.New("must not have a user name")
	case u.Scheme == "http" && slices.Contains(loopback, strings.TrimSuffix(u.Host, ":"+u.Port())):
	case u.Scheme != "https":
		return errors.New("must begin with https://; http:// is for localhost, 127.0.0.1 and [::1] alone")
	}
	// An answer is a form; the same field in the address is a second answer.
	for _, field := range []string{"SAMLResponse", "SAMLRequest", "RelayState"} {
		if u.Query().Has(field) {
			return fmt.Errorf("must not have the parameter %s", field)
		}
	}
	return nil
}

// loopback lists the hosts that are this machine.
var loopback = []string{"localhost", "127.0.0.1", "[::1]"}

// origin is where an address is, as a browser's policy names it.
func origin(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// signingKeys returns the certificates that requests are checked by. A key that
// does not say what it is for is for signing too: to leave it out would switch
// the check off.
func signingKeys(descriptors []saml.KeyDescriptor) ([][]byte, error) {
	var list [][]byte
	for _, d := range descriptors {
		if d.Use == "encryption" {
			continue
		}
		if len(d.KeyInfo.X509Data.X509Certificates) == 0 {
			return nil, errors.New("a signing key without a certificate")
		}
		for _, c := range d.KeyInfo.X509Data.X509Certificates {
			der, err := base64.StdEncoding.DecodeString(squeeze(c.Data))
			if err != nil {
				return nil, fmt.Errorf("certificate: %w", err)
			}
			certificate, err := x509.ParseCertificate(der)
			if err != nil {
				return nil, fmt.Errorf("certificate: %w", err)
			}
			switch key := certificate.PublicKey.(type) {
			case *rsa.PublicKey:
				if key.N.BitLen() < 2048 {
					return nil, fmt.Errorf("certificate: RSA key of %d bits, must have 2048", key.N.BitLen())
				}
			case *ecdsa.PublicKey:
			default:
				return nil, fmt.Errorf("certificate: key of a kind we cannot check: %T", key)
			}
			list = append(list, der)
		}
	}
	return list, nil
}

// A provider is an application's configuration, read.
type provider struct {
	config
	keys []*x509.Certificate
}

func read(app identity.Application) (*provider, error) {
	sp := new(provider)
	dec := json.NewDecoder(bytes.NewReader(app.Config))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&sp.config); err != nil {
		return nil, fmt.Errorf("saml: configuration of %s: %w", app.ID, err)
	}
	for _, der := range sp.Certificates {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("saml: configuration of %s: %w", app.ID, err)
		}
		sp.keys = append(sp.keys, c)
	}
	return sp, nil
}
