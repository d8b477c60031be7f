package policy

import "github.com/latchkey-id/latchkey/internal/identity"

// PrivacyIDEA reports whether the privacyIDEA Authenticator could be used by
// somebody for whom push settings s hold, and so whether it is worth enrolling:
// it is allowed, with push. All it can do is approve, so push must be on; it
// shows numbers to pick and takes none that is typed (PUSH-18); and nothing tells
// the server that it asked for a PIN or a fingerprint, so the template must not
// want one (PUSH-24).
func (p Platforms) PrivacyIDEA(s PushSettings, t Template) bool {
	s = s.Normal()
	return p.PushOn(identity.PrivacyIDEA) && s.Enabled && (s.Presence == NoPresence || s.Presence == Pick) && !t.AsksWho()
}

// AsksWho reports whether the app asks whose hand it is in before it confirms
// anything: for a PIN, or for a finger or a face in its place.
func (t Template) AsksWho() bool { return t.PIN != NoPIN || t.Biometric }
