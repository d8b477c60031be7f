package saml

import (
	"context"
	"strings"

	"github.com/latchkey-id/latchkey/idp"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
)

// Formats of names (SAML core, section 8.3).
const (
	unspecified     = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"
	emailAddress    = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
	saml2Persistent = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
	saml2Transient  = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
)

// nameIDs lists the formats given out.
var nameIDs = []string{saml2Persistent, saml2Transient, emailAddress, unspecified}

// A nameID is what an application calls a person.
type nameID struct {
	Format          string `json:"format,omitempty"`
	Value           string `json:"value"`
	NameQualifier   string `json:"name_qualifier,omitempty"`
	SPNameQualifier string `json:"sp_name_qualifier,omitempty"`
}

// named returns the name of the person who logged in, in a format (SAML-3). It
// is empty if there is none: not everybody has a mail address.
func (f *Face) named(ctx context.Context, tx *store.Tx, l idp.Login, format string) (nameID, error) {
	n := nameID{Format: format}
	switch format {
	case saml2Persistent:
		// Pairwise and opaque: two applications cannot find out that theirs is
		// the same person (SAML core, section 8.3.7).
		n.NameQualifier, n.SPNameQualifier = f.entityID(l.Tenant), l.Application.Identifier
		var err error
		n.Value, err = tx.Subject(ctx, l.Tenant.ID, l.Application.ID, l.User.ID, identity.NewSecret())
		return n, err
	case saml2Transient:
		n.NameQualifier, n.SPNameQualifier = f.entityID(l.Tenant), l.Application.Identifier
		n.Value = "_" + identity.NewSecret()
	case emailAddress:
		n.Value = clean(l.User.Mail)
	default:
		n.Value = clean(l.User.Name)
	}
	return n, nil
}

// is reports whether a name is the one a request was for.
func (n nameID) is(asked *nameID) bool {
	return asked == nil || n.Value == asked.Value && (asked.Format == "" || asked.Format == unspecified || asked.Format == n.Format)
}

// An attribute is something an application is told of a person.
type attribute struct {
	Name     string `json:"name"`
	Friendly string `json:"friendly,omitempty"`
	From     source `json:"from"`
}

// A source is where an attribute's values come from.
type source string

const (
	fromName        source = "name"
	fromDisplayName source = "display_name"
	fromMail        source = "mail"
	fromGroups      source = "groups"
)

// released is what a new application is told, under the names of LDAP's schema
// (X.500/LDAP Attribute Profile, SAML profiles section 8.2).
var released = []attribute{
	{"urn:oid:0.9.2342.19200300.100.1.1", "uid", fromName},
	{"urn:oid:2.16.840.1.113730.3.1.241", "displayName", fromDisplayName},
	{"urn:oid:0.9.2342.19200300.100.1.3", "mail", fromMail},
	{"urn:oid:1.3.6.1.4.1.5923.1.5.1.1", "isMemberOf", fromGroups},
}

// values returns what there is to tell of a person from a source.
func (s source) values(l idp.Login) []string {
	var all []string
	switch s {
	case fromName:
		all = []string{l.User.Name}
	case fromDisplayName:
		all = []string{l.User.DisplayName}
	case fromMail:
		all = []string{l.User.Mail}
	case fromGroups:
		for _, g := range l.Groups {
			all = append(all, g.Name)
		}
	}
	var told []string
	for _, v := range all {
		if v = clean(v); v != "" {
			told = append(told, v)
		}
	}
	return told
}

// clean leaves out what XML cannot say (XML 1.0, section 2.2): a name with such
// a character would make an answer that nobody can read.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t', r == '\n', r == '\r',
			r >= 0x20 && r <= 0xd7ff, r >= 0xe000 && r < 0xfffd, r >= 0x10000:
			return r
		}
		return -1
	}, strings.ToValidUTF8(s, ""))
}
