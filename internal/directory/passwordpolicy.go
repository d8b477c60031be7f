package directory

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
)

// CheckNewPassword returns an Invalid error for a password that a user must not choose: one
// that is too short or too long, that has little more than the user's or the organisation's
// name, that is common, or that was in a breach. There are no composition rules, because
// they make passwords worse (NIST SP 800-63B, section 3.1.1.2).
func (d *Directory) CheckNewPassword(rules policy.Passwords, u identity.User, organisation, password string) error {
	password, ok := canonical(password)
	switch {
	case !ok:
		return invalid("error.user.password.long")
	case utf8.RuneCountInString(password) < int(rules.MinLength):
		return invalid("error.password.short")
	}
	local, _, _ := strings.Cut(u.Mail, "@")
	for _, about := range []string{u.Name, u.DisplayName, u.Mail, local, organisation} {
		if letters(about) != "" && letters(password) == letters(about) {
			return invalid("error.password.name")
		}
	}
	if rules.AllowCommon {
		return nil
	}
	if guessed, err := isCommon(password); err != nil {
		return err
	} else if guessed {
		return invalid("error.password.common")
	}
	if d.Breached == "" {
		return nil
	}
	if known, err := isBreached(d.Breached, password); err != nil {
		return err
	} else if known {
		return invalid("error.password.breached")
	}
	return nil
}

// letters returns the letters of a text, folded like names. Digits, punctuation and spaces
// are removed.
func letters(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) {
			return r
		}
		return -1
	}, identity.FoldName(text))
}
