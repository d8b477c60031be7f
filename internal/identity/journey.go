package identity

import (
	"crypto/sha256"
	"crypto/subtle"
	"slices"
	"time"
)

// A Validation is a step that a journey must have passed to succeed.
type Validation string

const (
	Password        Validation = "password"
	SecondFactor    Validation = "otp"
	VerifiedPasskey Validation = "passkey" // one that verified its user, which is no one-time password beside it
)

// A Method is how a validation was passed.
type Method string

const (
	ByPassword Method = "password"
	ByPasscode Method = "passcode"
	ByPush     Method = "push"

	ByPasskey         Method = "passkey"          // held; who held it was not verified
	ByVerifiedPasskey Method = "verified passkey" // and its authenticator verified its user
	ByChallenge       Method = "challenge"        // the response to a challenge (RFC 6287)
	ByRecoveryCode    Method = "recovery code"

	// ByRememberedDevice stands for the one-time password of an earlier login in
	// the same browser (JRN-9). It proves nothing by itself, and no second factor.
	ByRememberedDevice Method = "remembered device"
)

// A FactorStep is a way to prove the one-time password that a journey
// definition may name (PUSH-20).
type FactorStep string

const (
	PushStep             FactorStep = "push"               // as policy asks, plain or with a presence check
	PushWithPresenceStep FactorStep = "push-with-presence" // never plain
	PasscodeStep         FactorStep = "passcode"
)

// Remember says what a journey has to do with remembered devices (JRN-9).
type Remember string

const (
	NotRemembered Remember = ""       // the rule that decided allows none
	MayRemember   Remember = "may"    // one counts, and this device may become one
	WillRemember  Remember = "ticked" // and shall, once the login succeeds
)

// A Resync is a passcode whose authenticator's clock or counter is so far off
// that the next passcode must confirm it (CRED-10). A journey has one at most.
type Resync struct {
	Authenticator string
	Step          int64     // of the first passcode, or its counter
	Drift         int64     // in steps, that it showed
	Until         time.Time // for the next one; zero while there was no first
	Tries         int64     // of the next one, that missed
}

// A Journey is one attempt to log in: a row of the database. What comes next
// in it is decided by package journey alone.
type Journey struct {
	Tenant          string
	ID              string
	Version         int64 // raised by every step; a step names the version it was decided on
	Application     string
	Protocol        Protocol
	Request         []byte // JSON the protocol stored with its request and needs for the answer
	Invitation      string // by whose link it was begun, outside any login (ENR-19); empty in a login
	Adding          bool   // begun on the self-service pages for a further authenticator (CRED-16); it logs in to nothing
	Browser         string // hash of the browser's cookie: where failures count, and the last method is kept (CRED-20)
	Binding         []byte // SHA-256 of the secret of who began it; without one nobody can go on with it
	Fingerprint     string // what the person's browser calls itself, for mails and pages
	IP              string
	Language        string       // picked by the person or asked by the application; empty means negotiate
	UserID          string       // empty until identified, and for ever in a decoy
	Name            string       // as typed
	Decoy           bool         // the name is nobody's; every page behaves as if it were somebody's
	KnownBrowser    bool         // the user has logged in from this browser before (CRED-20)
	Refused         string       // why policy refuses this login, said once everything is passed
	FreshAfter      time.Time    // validations older than this do not count (ForceAuthn, max_age)
	ACR             []string     // contexts the application asked for, best first
	Steps           []FactorStep // what the journey definition names, in its order; none is all
	ApplicationName string       // of the application, as it is now
	ApplicationHome string       // and its own entry page; may be empty
	CannotShow      bool         // the application, as it is now, can show no number (PUSH-21)
	PlainPush       bool         // and may have a push without a presence check
	Resync          Resync
	Remember        Remember  // fixed when evaluated; ticked on the pages of the second factor
	Policy          int64     // version of the access policy the requirements were taken from
	Method          Method    // method chosen on the page of choice; empty while choosing
	Pushes          int64     // push requests sent in this journey
	PushID          string    // the push request whose outcome the page waits for
	PushAt          time.Time // when that was sent; kept for a decoy too, whose request nobody got
	Notice          string    // locale key of what the next page says first; cleared by the next step
	Enroll          Stage     // where self-provisioning stands; empty outside it
	Platform        Platform
	Code            Code
	Reset           Reset // where the setting anew of a forgotten password stands; empty outside it
	StartedAt       time.Time
	ExpiresAt       time.Time
	EndedAt         time.Time
	Outcome         Outcome
	Required        []Validation // fixed when evaluated (JRN-15)
	Passed          []Passed     // those not revoked
	Taken           TakenStep    // the step under way, for the record; zero in a journey that was only read
	Recorded        Recorded     // the store's: what its rows hold, so that a step writes what it changed alone
}

// Login reports whether the journey leads to an application, and not merely to
// an authenticator.
func (j *Journey) Login() bool { return j.Invitation == "" && !j.Adding }

// HashBinding is how the secret that binds a journey is stored.
func HashBinding(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

// BoundBy reports whether secret is the one that the journey was begun with.
func (j *Journey) BoundBy(secret string) bool {
	return secret != "" && subtle.ConstantTimeCompare(HashBinding(secret), j.Binding) == 1
}

// FactorStands reports whether the journey has a second factor that was proved
// and not taken back since. A remembered device is none.
func (j *Journey) FactorStands() bool {
	return slices.ContainsFunc(j.Passed, func(p Passed) bool {
		return p.Validation == SecondFactor && p.Method != ByRememberedDevice || p.Method == ByVerifiedPasskey
	})
}

// A TakenStep records one step of a journey for the diagram of its session (JRN-5):
// where it stood, who acted, what was handed in, and what came of it. It holds no
// secret and nothing typed.
type TakenStep struct {
	Step     string    `json:"step"`
	Executor string    `json:"executor"`
	Input    string    `json:"input"`
	Result   string    `json:"result,omitempty"` // locale key of what the next page said; empty where it just went on
	At       time.Time `json:"at"`
}

// Recorded are the validations of a journey that the store has rows of.
type Recorded struct{ Required, Passed []Validation }

// A Stage is where self-provisioning stands in a journey.
type Stage string

const (
	NotEnrolling     Stage = ""
	EnrollOffered    Stage = "offered"
	EnrollCode       Stage = "code"
	EnrollPlatform   Stage = "platform"
	EnrollScan       Stage = "scan"
	EnrollThirdParty Stage = "third-party"
	EnrollNoMail     Stage = "no-mail"
)

// A Reset is where the setting anew of a forgotten password stands in a journey.
type Reset string

const (
	NotResetting Reset = ""
	ResetCode    Reset = "code"   // the mailed code is asked for
	ResetFactor  Reset = "factor" // it was right: a second factor is, and then the new password
)

// A Code is a code that was mailed, in self-provisioning (ENR-6) or to set a
// forgotten password anew; which of them, its MAC is bound to. A journey holds at
// most one, so a new one voids the old by replacing it.
type Code struct {
	MAC       []byte // HMAC under the root Root; the code itself is nowhere
	Root      int64
	SentAt    time.Time
	ExpiresAt time.Time
	Tries     int64
	Sends     int64
	PassedAt  time.Time
}

// A Passed validation tells how, with what and when.
type Passed struct {
	Validation    Validation
	Method        Method
	Authenticator string // id; empty for a password, and of a remembered device that one's
	At            time.Time
}

// An Outcome is how a journey ended; empty while it goes on.
type Outcome string

const (
	Succeeded Outcome = "success"
	Failed    Outcome = "failure"
	Cancelled Outcome = "cancelled"
	Denied    Outcome = "denied"
)

// Over reports whether the journey has ended, or lived as long as it may.
func (j *Journey) Over(now time.Time) bool { return !j.EndedAt.IsZero() || !now.Before(j.ExpiresAt) }

// Has reports whether v has been passed and not revoked since.
func (j *Journey) Has(v Validation) bool {
	return slices.ContainsFunc(j.Passed, func(p Passed) bool { return p.Validation == v })
}

// Proved reports whether somebody showed to be the journey's user, by the
// password or by the code mailed in its place: what only the user may learn, such
// as the names of authenticators, may be said from then on.
func (j *Journey) Proved() bool { return j.Has(Password) || j.Reset == ResetFactor }

// Missing lists what is required and not yet passed, in the order required.
func (j *Journey) Missing() []Validation {
	var missing []Validation
	for _, v := range j.Required {
		if !j.Has(v) {
			missing = append(missing, v)
		}
	}
	return missing
}

// A Session is what a browser holds after a finished login.
type Session struct {
	Tenant    string
	ID        string // also OIDC's sid and the root of SAML's SessionIndex
	UserID    string
	Browser   string
	Agent     string // what the browser called itself when something was last proved in it
	IP        string // from where that was
	CreatedAt time.Time
	SeenAt    time.Time
	Idle      time.Duration // after which it ends unused
	ExpiresAt time.Time     // absolute
	EndedAt   time.Time
	AuthTime  time.Time // when the person last proved something
	Passed    []Passed
}

// Stale reports whether it is time to note that the session was seen: once a
// minute at most, so that reading pages does not become writing.
func (s Session) Stale(now time.Time) bool { return now.Sub(s.SeenAt) >= time.Minute }

// SessionApplication is one application a session has logged in to.
type SessionApplication struct {
	Session     string
	Application string
	Protocol    Protocol
	Index       string // random: SAML SessionIndex, OIDC sid
	Subject     string // OIDC sub, or the NameID as the JSON of its parts
	StartedAt   time.Time
	EndedAt     time.Time
}
