package saml

import (
	"context"
	"strings"

	"github.com/latchkey-id/latchkey/idp"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/samlsp"
	"github.com/latchkey-id/latchkey/internal/store"
)

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
	case samlsp.Persistent:
		// Pairwise and opaque: two applications cannot find out that theirs is
		// the same person (SAML core, section 8.3.7).
		n.NameQualifier, n.SPNameQualifier = f.entityID(l.Tenant), l.Application.Identifier
		var err error
		n.Value, err = tx.Applications().Subject(ctx, l.Tenant.ID, l.Application.ID, l.User.ID, identity.NewSecret())
		return n, err
	case samlsp.Transient:
		n.NameQualifier, n.SPNameQualifier = f.entityID(l.Tenant), l.Application.Identifier
		n.Value = "_" + identity.NewSecret()
	case samlsp.EmailAddress:
		n.Value = clean(l.User.Mail)
	default:
		n.Value = clean(l.User.Name)
	}
	return n, nil
}

// is reports whether a name is the one a request was for.
func (n nameID) is(asked *nameID) bool {
	return asked == nil || n.Value == asked.Value && (asked.Format == "" || asked.Format == samlsp.Unspecified || asked.Format == n.Format)
}

// values returns what there is to tell of a person from a source.
func values(l idp.Login, s samlsp.Source) []string {
	var all []string
	switch s {
	case samlsp.FromName:
		all = []string{l.User.Name}
	case samlsp.FromDisplayName:
		all = []string{l.User.DisplayName}
	case samlsp.FromMail:
		all = []string{l.User.Mail}
	case samlsp.FromGroups:
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
