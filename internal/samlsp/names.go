package samlsp

import "strings"

// Formats of names (SAML core, section 8.3).
const (
	Unspecified  = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"
	EmailAddress = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
	Persistent   = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
	Transient    = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
)

// NameIDFormats lists the formats given out.
var NameIDFormats = []string{Persistent, Transient, EmailAddress, Unspecified}

// mistaken are names that do not exist, for two formats that SAML 2.0 took over from 1.1
// under their old names (SAML core, section 8.3). Many applications send them.
var mistaken = map[string]string{
	"urn:oasis:names:tc:SAML:2.0:nameid-format:unspecified":  Unspecified,
	"urn:oasis:names:tc:SAML:2.0:nameid-format:emailAddress": EmailAddress,
}

// Format returns the format that a name in a request or in metadata means.
func Format(name string) string {
	name = strings.TrimSpace(name)
	if meant, ok := mistaken[name]; ok {
		return meant
	}
	return name
}

// An Attribute is something an application is told of a person.
type Attribute struct {
	Name     string `json:"name"`
	Friendly string `json:"friendly,omitempty"`
	From     Source `json:"from"`
}

// A Source is where an attribute's values come from.
type Source string

const (
	FromName        Source = "name"
	FromDisplayName Source = "display_name"
	FromMail        Source = "mail"
	FromGroups      Source = "groups"
)

// released is what a new application is told, under the names of LDAP's schema
// (X.500/LDAP Attribute Profile, SAML profiles section 8.2).
var released = []Attribute{
	{"urn:oid:0.9.2342.19200300.100.1.1", "uid", FromName},
	{"urn:oid:2.16.840.1.113730.3.1.241", "displayName", FromDisplayName},
	{"urn:oid:0.9.2342.19200300.100.1.3", "mail", FromMail},
	{"urn:oid:1.3.6.1.4.1.5923.1.5.1.1", "isMemberOf", FromGroups},
}
