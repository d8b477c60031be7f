package directory

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
)

// Judge refuses, as an Invalid, a password that a user may not choose: too short
// or too long, next to nothing but the user's or the organisation's name, or one
// that guesses begin with. There are no rules of composition: they make
// passwords worse (NIST SP 800-63B, section 3.1.1.2).
func (d *Directory) Judge(rules policy.Passwords, u identity.User, organisation, password string) error {
	password, ok := canonical(password)
	switch {
	case !ok:
		return invalid("error.user.password.long")
	case utf8.RuneCountInString(password) < int(rules.MinLength):
		return invalid("error.password.short")
	}
	local, _, _ := strings.Cut(u.Mail, "@")
	for _, about := range []string{u.Name, u.DisplayName, u.Mail, local, organisation} {
		if bare(about) != "" && bare(password) == bare(about) {
			return invalid("error.password.name")
		}
	}
	if rules.AllowCommon {
		return nil
	}
	if guessed, err := common(password); err != nil {
		return err
	} else if guessed {
		return invalid("error.password.common")
	}
	if d.Breached == "" {
		return nil
	}
	if known, err := breached(d.Breached, password); err != nil {
		return err
	} else if known {
		return invalid("error.password.breached")
	}
	return nil
}

// bare is the letters of a text, as names are compared: what is left of it once
// years, marks and spaces are taken away.
func bare(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) {
			return r
		}
		return -1
	}, identity.FoldName(text))
}
