package templates

import (
	"strings"
	"time"
)

// Identify asks for the user name. Fields: username. Buttons: continue, cancel.
type Identify struct {
	Application string // its name; empty when the journey is not for one
	Name        string // already known, from a hint or an earlier attempt
	Passkey     string // JSON of a PasskeyRequest where a passkey may stand for name and password; else empty
}

func (Identify) template() string { return "identify.html" }
func (Identify) heading() Text    { return Text{Key: "identify.heading"} }

// Password asks for the password. Fields: password, and the name again as
// username. Buttons: continue, forgot, back, cancel.
type Password struct {
	Application string
	Name        string // as typed
	Reset       bool   // a forgotten one can be set anew
}

func (Password) template() string { return "password.html" }
func (Password) heading() Text    { return Text{Key: "password.heading"} }

// Choose asks which way to confirm. Fields: method. Buttons: continue, back,
// cancel.
type Choose struct {
	Application string
	Name        string
	Methods     []Method // strongest first
}

func (Choose) template() string { return "choose.html" }
func (Choose) heading() Text    { return Text{Key: "choose.heading"} }

// A Method is one row of the page of choice.
type Method struct {
	Kind     string    // the field's value: "push", "passcode", "challenge", "passkey", "recovery code", or "enrol" for who has no authenticator yet
	Detail   Text      // what helps to choose, such as which phone; may be empty
	Used     time.Time // when the phone of the detail was last used; zero when not to be told
	Picked   bool      // preselected
	Disabled Text      // why it cannot be chosen now; empty when it can
	Until    time.Time // when it can be again, with Disabled; zero when not to be told
}

// Label names the method.
func (m Method) Label() Text {
	return Text{Key: "choose.method." + strings.ReplaceAll(m.Kind, " ", "-")}
}

// Push waits for the phone. It has a Stream. Buttons: continue (what scripts
// press when the stream says go, and people without scripts when they have
// approved), again, passcode, cancel.
type Push struct {
	Application string
	Name        string
	Number      string // to be entered or picked on the phone; empty without a presence check
	Pick        bool   // the phone shows it among others
	IP          string // what the phone shows besides the application and the tenant's name
	Place       string // where that address is; may be empty
	At          time.Time
	Left        int    // seconds until the request expires
	Total       int    // seconds it had
	AgainIn     int    // seconds until another may be sent
	Again       bool   // whether another may be sent at all in this journey
	Passcode    bool   // whether a passcode may be entered instead
	Silent      bool   // among the apps asked is one that does not ring: it must be opened by hand
	App         string // address of the web authenticator, where it may be in this very device; else empty
}

func (Push) template() string { return "push.html" }
func (Push) heading() Text    { return Text{Key: "push.heading"} }

// Spaced is the number digit by digit, as a screen reader should say it.
func (b Push) Spaced() string {
	spaced := make([]byte, 0, 2*len(b.Number))
	for i := range len(b.Number) {
		if i > 0 {
			spaced = append(spaced, ' ')
		}
		spaced = append(spaced, b.Number[i])
	}
	return string(spaced)
}

// Grouped is the number as people read it: six digits in two groups.
func (b Push) Grouped() string {
	if len(b.Number) < 6 {
		return b.Number
	}
	return b.Number[:len(b.Number)/2] + "\u00a0" + b.Number[len(b.Number)/2:]
}

// How says what to do with the phone.
func (b Push) How() Text {
	switch {
	case b.Number == "":
		return Text{Key: "push.plain"}
	case b.Pick:
		return Text{"push.pick", []any{"number", b.Grouped()}}
	}
	return Text{"push.number", []any{"number", b.Grouped()}}
}

// Ways a push request ends without an approval, and reasons it was never sent.
const (
	PushMistake     = "mistake"      // denied on the phone: I made a mistake
	PushNotMe       = "not-me"       // denied on the phone: it wasn't me
	PushExpired     = "expired"      // nobody answered in time
	PushSuperseded  = "superseded"   // another one was sent from this browser
	PushWrongNumber = "wrong-number" // the presence check failed
	PushElsewhere   = "elsewhere"    // one sent from another browser still waits
	PushLocked      = "locked"       // too many went unanswered
	PushUnreachable = "unreachable"  // no authenticator can be reached by push now
	PushResync      = "resync"       // approved, but the app's clock is too far off
	PushNoLonger    = "no-longer"    // approved, but push was taken away meanwhile
)

// PushEnded says how a push request ended and what can be done. Buttons: again,
// passcode, back, cancel.
type PushEnded struct {
	Application string
	Name        string
	Why         string    // PushMistake and so on
	Again       bool      // whether push may be sent again in this journey
	AgainIn     int       // seconds until then
	Passcode    bool      // whether a passcode may be entered instead
	Last        bool      // no more can be sent in this journey
	Until       time.Time // when push is back, with PushLocked; zero when not to be told
	Newer       time.Time // when the newer one was sent, with PushSuperseded; zero when none was
}

func (PushEnded) template() string { return "push_ended.html" }
func (b PushEnded) heading() Text  { return Text{Key: "push.ended." + b.Why + ".heading"} }

// Explanation says what happened.
func (b PushEnded) Explanation() Text { return Text{Key: "push.ended." + b.Why + ".text"} }

// Passcode asks for a one-time password. Fields: passcode. Buttons: continue,
// push, back, cancel.
type Passcode struct {
	Application string
	Name        string
	Push        bool      // whether a push may be sent instead
	Only        bool      // nothing else could be chosen: the page follows the password
	Recovery    bool      // with Only: but a recovery code
	PIN         string    // where it stands, before or after, for who types one with the passcode; else empty
	Typed       string    // what the field held when another language was picked (ENR-13)
	Approved    bool      // on the phone, whose clock is too far off: the next passcode ends that (PUSH-16)
	Paused      time.Time // until when push is locked, where it would be offered; else zero
	TooOld      []OldApp  // apps that keep push from being offered (PUSH-22)
}

// An OldApp is an authenticator whose app cannot do a presence check.
type OldApp struct {
	Name  string // of the authenticator
	App   string // and its version, such as "latchkey-web 1.0.0"
	Least string // the least version that can; empty where nobody knows one
}

// Says what it has, and what it needs.
func (o OldApp) Says() Text {
	if o.Least == "" {
		return Text{"old.app", []any{"device", o.Name, "app", o.App}}
	}
	return Text{"old.app.least", []any{"device", o.Name, "app", o.App, "least", o.Least}}
}

func (Passcode) template() string { return "passcode.html" }

func (b Passcode) heading() Text {
	if b.Approved {
		return Text{Key: "push.ended.resync.heading"}
	}
	return Text{Key: "passcode.heading"}
}

// Why a login is refused.
const (
	RefusedByPolicy  = "policy"     // the access policy denies it
	RefusedNotTarget = "not-target" // no authenticator, and not a target user (ENR-3)
	RefusedLeave     = "leave"      // none left, and no operator's leave to enrol another (ENR-1)
	RefusedNoWay     = "no-way"     // no allowed method is to be had now (PUSH-9a)
	RefusedPushOnly  = "push-only"  // so, and what the user has makes no passcodes
	RefusedNoPasskey = "no-passkey" // one is asked for, and the user has none
	RefusedNoReset   = "no-reset"   // of a forgotten password: no second factor to show besides the mail
	RefusedLocked    = "locked"     // too many logins failed (CRED-20)

	RefusedLockedByOperator = "locked-by-operator" // until one unlocks
	RefusedPushLocked       = "push-locked"        // too many requests, and passcodes are refused (PUSH-9a)
	RefusedAppTooOld        = "app-too-old"        // to do the presence check, and passcodes are refused
)

// Refused says that this login cannot succeed, and whom to ask. Buttons: back,
// cancel.
type Refused struct {
	Application string
	Name        string
	Why         string    // RefusedByPolicy and so on
	Until       time.Time // when it may be tried again; zero when not to be told
	TooOld      []OldApp  // with RefusedAppTooOld
}

func (Refused) template() string { return "refused.html" }
func (b Refused) heading() Text  { return Text{Key: "refused." + b.Why + ".heading"} }

// Explanation says why, and what can be done.
func (b Refused) Explanation() Text { return Text{Key: "refused." + b.Why + ".text"} }

// Ended is shown for a journey that is over. It leads back to the application
// and never answers it a second time (JRN-4).
type Ended struct {
	Application string
	Home        string // the application's own entry page; may be empty
	Done        bool   // it succeeded, in this tab or another
}

func (Ended) template() string { return "ended.html" }

func (b Ended) heading() Text {
	if b.Done {
		return Text{Key: "ended.done.heading"}
	}
	return Text{Key: "ended.heading"}
}

// Problem is the page for whatever no other page can say, with Page.Problem and
// Page.ErrorID.
type Problem struct {
	Application string
	Home        string // where to start again; may be empty
}

func (Problem) template() string { return "problem.html" }
func (Problem) heading() Text    { return Text{Key: "problem.heading"} }

// A Field is a hidden field of a form.
type Field struct{ Name, Value string }

// AutoPost sends the browser on with a form. Scripts press its button; without
// them people do. The response's form-action must allow To.
type AutoPost struct {
	Application string
	To          string // the application's address, validated by the protocol
	Fields      []Field
	Refused     bool // what is sent says why nobody was signed in
}

func (AutoPost) template() string { return "autopost.html" }

func (b AutoPost) heading() Text {
	if b.Refused {
		return Text{"autopost.refused.heading", []any{"application", b.Application}}
	}
	return Text{"autopost.heading", []any{"application", b.Application}}
}

// LogoutConfirm asks whether to sign out everywhere. Buttons: logout, stay.
type LogoutConfirm struct {
	Application string // that asked for it; may be empty
	Name        string
	Fields      []Field // what the protocol needs again
}

func (LogoutConfirm) template() string { return "logout_confirm.html" }
func (LogoutConfirm) heading() Text    { return Text{Key: "logout.heading"} }

// LoggedOut says that the session is over.
type LoggedOut struct {
	Application string   // that asked for it; may be empty
	Home        string   // a way on; may be empty
	Failed      []string // names of applications that could not be told
}

func (LoggedOut) template() string { return "logged_out.html" }
func (LoggedOut) heading() Text    { return Text{Key: "loggedout.heading"} }
