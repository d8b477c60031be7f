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

// A Platform is where an authenticator app runs (ENR-16).
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

// ThirdParty stands where a platform does for another vendor's authenticator app
// (ENR-12): nobody knows where it runs. It is no platform to be allowed or to
// have push, so it is not among [Platforms].
const ThirdParty Platform = "third-party"

// PrivacyIDEA stands where a platform does for the privacyIDEA Authenticator, an
// app from the stores that gets push by a protocol of its own (PUSH-24): nobody
// knows where it runs. Like a platform it is allowed or not and has push or not,
// but it is none that our own apps run on, so it is not among [Platforms].
const PrivacyIDEA Platform = "privacyidea"

// An AppProtocol is what an app token's app speaks with the server.
type AppProtocol string

const (
	LatchkeyApp AppProtocol = "latchkey" // docs/protocol-authenticator.md
	PiPush      AppProtocol = "pipush"   // of the privacyIDEA Authenticator: push without passcodes
)

// Platforms lists every platform in the order in which people are shown them.
var Platforms = []Platform{IOS, Android, Windows, MacOS, Linux, ChromeOS, WindowsMobile}

// Mobile reports whether the platform is one carried along.
func (p Platform) Mobile() bool { return p == Android || p == IOS || p == WindowsMobile }

// A State is where an authenticator stands in its life (CRED-14).
type State string

const (
	Pending   State = "pending"
	Active    State = "active"
	Locked    State = "locked"
	Suspended State = "suspended"
	Inactive  State = "inactive"
	Revoked   State = "revoked"
)

// A PushState is where push stands for an authenticator (PUSH-8).
type PushState string

const (
	PushNeverEnabled PushState = "never enabled"
	PushEnabled      PushState = "enabled"
	PushDisabled     PushState = "disabled"
	PushLocked       PushState = "temporarily locked"
)

// An Authenticator proves a second factor.
type Authenticator struct {
	Tenant       string
	ID           string
	Serial       string
	Kind         AuthenticatorKind
	Protocol     AppProtocol // of an app token
	Name         string
	Platform     Platform
	Seed         []byte // in clear, in memory only; sealed in the database
	Digits       int    // passcode length, 6 or 8
	Step         int64  // seconds of a time step; 0 where there is none
	Suite        string // of RFC 6287, by which it answers challenges; empty where it makes passcodes
	ServerPIN    bool   // its passcodes count with the PIN alone that the server keeps, typed beside them
	Algorithm    string // of the HMAC that passcodes are made with: SHA1, SHA256 or SHA512; empty is SHA1
	LastStep     int64  // last accepted step or counter; -1 before first use
	Drift        int64  // learned drift in steps
	Invalid      int64  // wrong passcodes in a row (CRED-11)
	Key          []byte // the device's P-256 public key as a JWK; with PiPush its RSA key, see package privacyidea
	Thumbprint   string // RFC 7638 thumbprint of Key; none with PiPush
	Template     []byte // JSON copy of the token template in force at enrolment
	AppVersion   string
	Capabilities []string
	EnrolledAt   time.Time
	ActivatedAt  time.Time // zero while pending
	LockedAt     time.Time
	UnlocksAt    time.Time // when its lock ends by itself; it has, where LockedAt is zero
	SuspendedAt  time.Time
	InactiveAt   time.Time
	RevokedAt    time.Time
	LastUsedAt   time.Time
	Manufacturer string    // of a hardware token
	ImportedAt   time.Time // as a hardware token, from a file of its maker; zero for all else
	ExpiresAt    time.Time // from when on a hardware token is not to be used; zero when never
	PushOnAt     time.Time // push was asked for and switched on; zero when not on
	PushOffAt    time.Time // push was switched off; zero when never
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

// Push derives the push state at a moment.
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
