package policy

import "github.com/latchkey-id/latchkey/internal/identity"

// PrivacyIDEA reports whether the privacyIDEA Authenticator is usable under push
// settings s and template t, and may therefore be enrolled. It must be allowed,
// with push. Push must be enabled, because approving is all the app can do. The
// presence check must be none or Pick: the app shows numbers to pick and cannot
// take a typed one (PUSH-18). The template must not require a PIN or biometrics,
// because nothing tells the server that the app verified them (PUSH-24).
func (p Platforms) PrivacyIDEA(s PushSettings, t Template) bool {
	s = s.Normalize()
	return p.PushOn(identity.PrivacyIDEA) && s.Enabled && (s.Presence == NoPresence || s.Presence == Pick) && !t.VerifiesUser()
}

// VerifiesUser reports whether the app verifies its user before it confirms
// anything, by a PIN or by biometrics.
func (t Template) VerifiesUser() bool { return t.PIN != NoPIN || t.Biometric }
