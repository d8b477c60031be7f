package identity

import "time"

// An AuthenticatorKind is one of the kinds of CRED-1.
type AuthenticatorKind string

const (
	AppToken     AuthenticatorKind = "app"
	TOTP         AuthenticatorKind = "totp"
	HOTP         AuthenticatorKind = "hotp"
	SMS          AuthenticatorKind = "sms"
	Grid         AuthenticatorKind = "grid"
	Passkey      AuthenticatorKind = "passkey"
	RecoveryCode AuthenticatorKind = "recovery"
)

// A Platform is a platform on which authenticator apps run (ENR-16).
type Platform string

const (
	Android       Platform = "android"
	IOS           Platform = "ios"
	Windows       Platform = "windows"
	WindowsMobile Platform = "windows-mobile"
	MacOS         Platform = "macos"
	Linux         Platform = "linux"
	ChromeOS      Platform = "chromeos"
)

// ThirdParty is used in place of a platform for another vendor's authenticator app (ENR-12),
// whose platform is unknown. It cannot be allowed or have push, so it is not in [Platforms].
const ThirdParty Platform = "third-party"

// PrivacyIDEA is used in place of a platform for the privacyIDEA Authenticator, an app from the
// app stores that gets push by its own protocol (PUSH-24) and whose platform is unknown. Like a
// platform it can be allowed and have push. Latchkey's own apps do not run on it, so it is not in
// [Platforms].
const PrivacyIDEA Platform = "privacyidea"

// An AppProtocol is the protocol between an app and the server.
type AppProtocol string

const (
	LatchkeyApp     AppProtocol = "latchkey" // docs/protocol-authenticator.md
	PrivacyIDEAPush AppProtocol = "pipush"   // of the privacyIDEA Authenticator: push without passcodes
)

// Platforms lists all platforms in the order in which users see them.
var Platforms = []Platform{IOS, Android, Windows, MacOS, Linux, ChromeOS, WindowsMobile}

// Mobile reports whether the platform is one of mobile devices.
func (p Platform) Mobile() bool { return p == Android || p == IOS || p == WindowsMobile }

// A State is the state of an authenticator (CRED-14).
type State string

const (
	Pending   State = "pending"
	Active    State = "active"
	Locked    State = "locked"
	Suspended State = "suspended"
	Inactive  State = "inactive"
	Revoked   State = "revoked"
)

// A PushState is the state of push for an authenticator (PUSH-8).
type PushState string

const (
	PushNeverEnabled PushState = "never enabled"
	PushEnabled      PushState = "enabled"
	PushDisabled     PushState = "disabled"
	PushLocked       PushState = "temporarily locked"
)

// An Authenticator is something a user proves a second factor with.
type Authenticator struct {
	Tenant       string
	ID           string
	Serial       string
	Kind         AuthenticatorKind
	Protocol     AppProtocol // of an app token
	Name         string
	Platform     Platform
	Seed         []byte // plain, in memory only; sealed in the database
	Digits       int    // passcode length, 6 or 8
	Step         int64  // seconds of a time step; 0 if not time-based
	Suite        string // OCRA suite (RFC 6287) for answering challenges; empty if it makes passcodes
	ServerPIN    bool   // passcodes are typed together with a PIN that the server checks
	Algorithm    string // hash of the HMAC of passcodes: SHA1, SHA256 or SHA512; empty means SHA1
	LastStep     int64  // last accepted step or counter; -1 before first use
	Drift        int64  // learned drift in steps
	Invalid      int64  // consecutive wrong passcodes (CRED-11)
	Key          []byte // the device's P-256 public key as a JWK; with PrivacyIDEAPush its RSA key, see package privacyidea
	Thumbprint   string // RFC 7638 thumbprint of Key; empty with PrivacyIDEAPush
	Template     []byte // JSON copy of the token template that applied at enrolment
	AppVersion   string
	Capabilities []string
	EnrolledAt   time.Time
	ActivatedAt  time.Time // zero while pending
	LockedAt     time.Time
	UnlocksAt    time.Time // when its lock ends by itself; if LockedAt is zero, the lock has ended
	SuspendedAt  time.Time
	InactiveAt   time.Time
	RevokedAt    time.Time
	LastUsedAt   time.Time
	Manufacturer string    // of a hardware token
	ImportedAt   time.Time // when a hardware token was imported from a file; zero for all others
	ExpiresAt    time.Time // from when a hardware token must not be used; zero means never
	PushOnAt     time.Time // when push was enabled; zero if it is not
	PushOffAt    time.Time // when push was disabled; zero if it never was
	PushLocked   time.Time // until when push is temporarily locked
}

// State derives the state from the times at which states began.
func (a Authenticator) State() State {
	switch {
	case !a.RevokedAt.IsZero():
		return Revoked
	case !a.InactiveAt.IsZero():
		return Inactive
	case a.ActivatedAt.IsZero():
		return Pending
	case !a.SuspendedAt.IsZero():
		return Suspended
	case !a.LockedAt.IsZero():
		return Locked
	}
	return Active
}

// Push derives the push state at a time.
func (a Authenticator) Push(now time.Time) PushState {
	switch {
	case now.Before(a.PushLocked):
		return PushLocked
	case !a.PushOnAt.IsZero():
		return PushEnabled
	case !a.PushOffAt.IsZero():
		return PushDisabled
	}
	return PushNeverEnabled
}

// CountsAsEnrolled reports whether a user with this authenticator counts as having
// one (ENR-1). Locked and suspended ones count, so that locking one does not open
// self-provisioning. Pending ones do not count yet, and inactive and revoked ones no
// longer.
func (a Authenticator) CountsAsEnrolled() bool {
	switch a.State() {
	case Active, Locked, Suspended:
		return true
	}
	return false
}

// MakesPasscodes reports whether an authenticator makes passcodes to type. Others only
// approve pushes or answer challenges.
func (a Authenticator) MakesPasscodes() bool {
	return a.TimeBased() || a.Kind == HOTP || a.Kind == AppToken && a.Protocol != PrivacyIDEAPush && a.Step == 0 && !a.AnswersChallenges()
}

// TimeBased reports whether an authenticator makes passcodes from the time. Others make
// them from a counter, if they make any.
func (a Authenticator) TimeBased() bool {
	return (a.Kind == AppToken || a.Kind == TOTP) && a.Step > 0
}

// AnswersChallenges reports whether an authenticator answers challenges.
func (a Authenticator) AnswersChallenges() bool { return a.Suite != "" }
