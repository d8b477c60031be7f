package saml

import (
	"context"
	"strings"

	"github.com/latchkey-id/latchkey/idp"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/samlsp"
	"github.com/latchkey-id/latchkey/internal/store"
)

// A nameID is an application's name for a user.
type nameID struct {
	Format          string `json:"format,omitempty"`
	Value           string `json:"value"`
	NameQualifier   string `json:"name_qualifier,omitempty"`
	SPNameQualifier string `json:"sp_name_qualifier,omitempty"`
}

// named returns the name of the user who logged in, in a format (SAML-3). It is empty if the user has
// none, such as no mail address.
func (f *Face) named(ctx context.Context, tx *store.Tx, l idp.Login, format string) (nameID, error) {
	n := nameID{Format: format}
	switch format {
	case samlsp.Persistent:
		// Pairwise and opaque, so that two applications cannot find out that they have the same user
		// (SAML core, section 8.3.7).
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

// is reports whether n is the name that a request asked for.
func (n nameID) is(asked *nameID) bool {
	return asked == nil || n.Value == asked.Value && (asked.Format == "" || asked.Format == samlsp.Unspecified || asked.Format == n.Format)
}

// values returns a user's values from a source.
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

// clean removes characters that XML does not allow (XML 1.0, section 2.2), because a name with one would
// make the answer unreadable.
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
