package identity

import (
	"crypto/sha256"
	"crypto/subtle"
	"slices"
	"time"
)

// A Validation is something that a user must prove in a journey.
type Validation string

const (
	Password        Validation = "password"
	SecondFactor    Validation = "otp"
	VerifiedPasskey Validation = "passkey" // a passkey that verified its user; it does not also count as a second factor
)

// A Method is how a validation was passed. Package journey's doc.go lists all that a new
// one needs.
type Method string

const (
	ByPassword Method = "password"
	ByPasscode Method = "passcode"
	ByPush     Method = "push"

	ByPasskey         Method = "passkey"          // without user verification
	ByVerifiedPasskey Method = "verified passkey" // with user verification
	ByChallenge       Method = "challenge"        // the response to a challenge (RFC 6287)
	ByRecoveryCode    Method = "recovery code"

	// ByRememberedDevice stands for the second factor of an earlier login in the same browser
	// (JRN-9). It proves nothing by itself and is not a second factor.
	ByRememberedDevice Method = "remembered device"
)

// A FactorStep is a way to prove the second factor that a journey definition may name (PUSH-20).
type FactorStep string

const (
	PushStep             FactorStep = "push"               // as policy says, with or without a presence check
	PushWithPresenceStep FactorStep = "push-with-presence" // always with a presence check
	PasscodeStep         FactorStep = "passcode"
)

// Remember says what a journey does with remembered devices (JRN-9).
type Remember string

const (
	NotRemembered Remember = ""       // the deciding rule does not allow them
	MayRemember   Remember = "may"    // a remembered device counts, and this one may be remembered
	WillRemember  Remember = "ticked" // this device will be remembered when the login succeeds
)

// A Resync is a passcode whose authenticator's clock or counter is so far off that the next
// passcode must confirm it (CRED-10). A journey has at most one.
type Resync struct {
	Authenticator string
	Step          int64     // time step or counter of the first passcode
	Drift         int64     // drift in steps that the first passcode implies
	Until         time.Time // until when the next passcode may come; zero without a first one
	Tries         int64     // wrong attempts at the next one
}

// A Journey is one attempt to log in, a row of the database. Only package journey decides what
// comes next in it.
type Journey struct {
	Tenant          string
	ID              string
	Version         int64 // incremented by every step; a step names the version it was decided on
	Application     string
	Protocol        Protocol
	Request         []byte // JSON that the protocol stored with its request and needs for the answer
	Invitation      string // id of the invitation that began it, outside a login (ENR-19); empty in a login
	Adding          bool   // begun on the self-service pages to add an authenticator (CRED-16); not a login
	Browser         string // hash of the browser's cookie: where failures count, and the last method is kept (CRED-20)
	Binding         []byte // SHA-256 of the secret of whoever began it; without the secret nobody can go on with it
	Fingerprint     string // the browser's description of itself, for mails and pages
	IP              string
	Language        string       // chosen by the user or requested by the application; empty means negotiate
	UserID          string       // empty until the user is known, and always in a decoy
	Name            string       // as typed
	Decoy           bool         // the name belongs to no user; all pages behave as if it did
	StandIn         string       // in a decoy: id of a user whose rows are read and thrown away, so that it takes as long (T-LOG-02)
	KnownBrowser    bool         // the user has logged in from this browser before (CRED-20)
	Refused         string       // why policy refuses this login; shown only after everything was proved
	FreshAfter      time.Time    // validations older than this do not count (ForceAuthn, max_age)
	ACR             []string     // authentication contexts the application requested, preferred first
	Steps           []FactorStep // steps of the journey definition, in order; empty means all
	ApplicationName string       // the application's present name
	ApplicationHome string       // the application's present entry page; may be empty
	CannotShow      bool         // the application can show no number, according to its present settings (PUSH-21)
	PlainPush       bool         // with CannotShow: a push without a presence check is allowed
	Resync          Resync
	Remember        Remember  // set when the login is evaluated and on the pages of the second factor
	Policy          int64     // version of the access policy that the requirements come from
	Method          Method    // chosen by the user; empty before
	Pushes          int64     // push requests sent in this journey
	PushID          string    // the push request that the page waits for
	PushAt          time.Time // when it was sent; set in a decoy too, although nobody received it
	Notice          string    // locale key of a message on the next page; cleared by the next step
	Enroll          Stage     // stage of self-provisioning; empty outside it
	Platform        Platform
	Code            Code
	Reset           Reset // stage of replacing a forgotten password; empty outside it
	StartedAt       time.Time
	ExpiresAt       time.Time
	EndedAt         time.Time
	Outcome         Outcome
	Required        []Validation      // set when the login is evaluated (JRN-15)
	Spared          []Validation      // set with it: required of others at this application, not of this user; never read
	Passed          []CompletedFactor // validations not revoked since
	Taken           TakenStep         // the present step, for the record; zero in a journey that was only read
	Recorded        Recorded          // used by the store: what its rows contain, so that a step only writes changes
}

// Login reports whether the journey is a login to an application, and not only an enrolment.
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

// HasSecondFactor reports whether a second factor was proved in the journey and not revoked since.
// A remembered device does not count.
func (j *Journey) HasSecondFactor() bool {
	return slices.ContainsFunc(j.Passed, func(p CompletedFactor) bool {
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

// A Stage is the stage of self-provisioning in a journey.
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

// A Reset is the stage of replacing a forgotten password in a journey.
type Reset string

const (
	NotResetting Reset = ""
	ResetCode    Reset = "code"   // waiting for the mailed code
	ResetFactor  Reset = "factor" // the code was right; a second factor is next, then the new password
)

// A Code is what a journey knows of the mailed code that it asked for, for self-provisioning
// (ENR-6) or for replacing a forgotten password; it says nothing of whether there was anybody to
// mail one to. A journey has at most one code, so that a new code voids the old one.
type Code struct {
	SentAt    time.Time // when it was asked for
	ExpiresAt time.Time // zero where the journey waits for none
	Tries     int64
	Sends     int64 // how often one was asked for; the number of the newest
	PassedAt  time.Time
}

// A CompletedFactor says of a validation how, with what and when it was proved.
type CompletedFactor struct {
	Validation    Validation
	Method        Method
	Authenticator string // id of the authenticator or remembered device; empty for a password
	At            time.Time
}

// An Outcome is how a journey ended; empty while it continues.
type Outcome string

const (
	Succeeded Outcome = "success"
	Failed    Outcome = "failure"
	Cancelled Outcome = "cancelled"
	Denied    Outcome = "denied"
)

// Over reports whether the journey has ended or expired.
func (j *Journey) Over(now time.Time) bool { return !j.EndedAt.IsZero() || !now.Before(j.ExpiresAt) }

// Has reports whether v was passed and not revoked since.
func (j *Journey) Has(v Validation) bool {
	return slices.ContainsFunc(j.Passed, func(p CompletedFactor) bool { return p.Validation == v })
}

// Proved reports whether somebody proved to be the journey's user, by the password or by the code
// mailed in its place. From then on, pages may show what only the user may learn, such as the names
// of authenticators.
func (j *Journey) Proved() bool { return j.Has(Password) || j.Reset == ResetFactor }

// Missing lists what is required and not yet passed, in the required order.
func (j *Journey) Missing() []Validation {
	var missing []Validation
	for _, v := range j.Required {
		if !j.Has(v) {
			missing = append(missing, v)
		}
	}
	return missing
}

// A Session is a browser's session after a successful login.
type Session struct {
	Tenant    string
	ID        string // also OIDC's sid and the base of SAML's SessionIndex
	UserID    string
	Browser   string
	Agent     string // User-Agent when something was last proved in the session
	IP        string // address at that time
	CreatedAt time.Time
	SeenAt    time.Time
	Idle      time.Duration // time without use after which it ends
	ExpiresAt time.Time     // absolute
	EndedAt   time.Time
	AuthTime  time.Time // when the user last proved something
	Passed    []CompletedFactor
}

// Stale reports whether the time of the last use should be stored again: at most once a minute, so
// that not every page causes a write.
func (s Session) Stale(now time.Time) bool { return now.Sub(s.SeenAt) >= time.Minute }

// A SessionApplication is an application that a session has logged in to.
type SessionApplication struct {
	Session     string
	Application string
	Protocol    Protocol
	Index       string // random: SAML SessionIndex, OIDC sid
	Subject     string // OIDC sub, or the NameID as the JSON of its parts
	StartedAt   time.Time
	EndedAt     time.Time
}
