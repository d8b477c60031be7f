package journey

import (
	"slices"

	"github.com/latchkey-id/latchkey/identity"
)

// Authentication contexts, one table for both protocols (JRN-8).
const (
	// PasswordContext is reached by a password over TLS.
	PasswordContext = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"
	// MFAContext is reached by any two factors.
	MFAContext = "https://refeds.org/profile/mfa"
	// AnyContext promises nothing.
	AnyContext = "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified"
)

// Contexts lists those that can be asked for, weakest first.
var Contexts = []string{AnyContext, PasswordContext, MFAContext}

// proves lists what a context takes.
func proves(context string) []identity.Validation {
	switch context {
	case PasswordContext:
		return []identity.Validation{identity.Password}
	case MFAContext:
		return []identity.Validation{identity.Password, identity.OneTimePassword}
	}
	return nil
}

// asked returns what must be required besides policy so that one of the
// contexts asked for is reached: the least of them that can be reached at all.
// It reports false if there is none; nothing asked for is always reached.
func asked(contexts []string) ([]identity.Validation, bool) {
	if len(contexts) == 0 {
		return nil, true
	}
	for _, known := range Contexts {
		if slices.Contains(contexts, known) {
			return proves(known), true
		}
	}
	return nil, false
}

// Reached returns the authentication context of what was passed: the first of
// those asked for that it satisfies, else the strongest.
func Reached(contexts []string, passed []identity.Passed) string {
	satisfied := func(context string) bool {
		for _, v := range proves(context) {
			if !slices.ContainsFunc(passed, func(p identity.Passed) bool { return p.Validation == v }) {
				return false
			}
		}
		return slices.Contains(Contexts, context)
	}
	for _, c := range contexts {
		if satisfied(c) {
			return c
		}
	}
	for _, c := range slices.Backward(Contexts) {
		if satisfied(c) {
			return c
		}
	}
	return AnyContext
}

// References returns the authentication methods of what was passed (RFC 8176).
func References(passed []identity.Passed) []string {
	var amr []string
	factors := 0
	for _, p := range passed {
		factors++
		switch p.Method {
		case identity.ByPassword:
			amr = append(amr, "pwd")
		case identity.ByPasscode:
			amr = append(amr, "otp")
		case identity.ByPush:
			amr = append(amr, "swk", "user")
		}
	}
	if factors > 1 {
		amr = append(amr, "mfa")
	}
	return amr
}
