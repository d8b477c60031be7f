package samlsp

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/crewjam/saml"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// A Config is the JSON in an application's row.
type Config struct {
	Endpoints      []Endpoint  `json:"endpoints"`               // where answers may go, the default first
	NameID         string      `json:"name_id"`                 // the format given where the request names none
	ForceNameID    string      `json:"force_name_id,omitempty"` // the format given whatever the request names; empty is none
	SignedRequests bool        `json:"signed_requests"`         // the application signs what it sends; anything else is not its
	Certificates   [][]byte    `json:"certificates"`            // DER, of its signing keys
	Attributes     []Attribute `json:"attributes"`              // what it is told of a person
	LeftOut        []string    `json:"left_out,omitempty"`      // what of its metadata could not be used, and why
}

// WithNameID returns app with a format of NameIDs that it is given whatever its requests
// and its metadata name; empty lets these decide. The error is an identity.Invalid.
func WithNameID(app identity.Application, format string) (identity.Application, error) {
	if format != "" && !slices.Contains(NameIDFormats, format) {
		return app, invalid(fmt.Errorf("no NameID is given out in the format %q", format))
	}
	sp, err := Read(app)
	if err != nil {
		return app, err
	}
	sp.ForceNameID = format
	app.Config, err = json.Marshal(sp.Config)
	return app, err
}

// An Endpoint is an assertion consumer service that takes POST.
type Endpoint struct {
	URL   string `json:"url"`
	Index uint16 `json:"index"`
}

// consumers lists the addresses that take POST, the default first (SAML
// metadata, section 2.4.4: the one that says so, else the first that does not
// say it is not, else the first).
func consumers(services []saml.IndexedEndpoint) []Endpoint {
	var list []Endpoint
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
		list = append(list, Endpoint{URL: s.Location, Index: uint16(s.Index)})
	}
	return list
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

// A Provider is an application's configuration, read.
type Provider struct {
	Config
	Keys []*x509.Certificate // of Certificates, parsed
}

// Read reads an application's configuration. One that is not understood whole is
// an error: we do not act on it.
func Read(app identity.Application) (*Provider, error) {
	sp := new(Provider)
	dec := json.NewDecoder(bytes.NewReader(app.Config))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&sp.Config); err != nil {
		return nil, fmt.Errorf("samlsp: configuration of %s: %w", app.ID, err)
	}
	for _, der := range sp.Certificates {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("samlsp: configuration of %s: %w", app.ID, err)
		}
		sp.Keys = append(sp.Keys, c)
	}
	return sp, nil
}
