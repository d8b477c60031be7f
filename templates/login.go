package templates

import (
	"strings"
	"time"
)

// Identify asks for the user name. Fields: username. Buttons: continue, cancel.
type Identify struct {
	Application string // its name; empty when the journey is not for one
	Name        string // already known, from a hint or an earlier attempt
	Label       string // what the tenant calls the field; empty where it is as the language has it
	Mail        bool   // a mail address may be typed as well
	Passkey     string // JSON of a PasskeyRequest where a passkey may replace name and password; else empty
}

func (Identify) template() string { return "identify.html" }
func (Identify) heading() Text    { return Text{Key: "identify.heading"} }

// Password asks for the password. Fields: password, and the name again as
// username. Buttons: continue, forgot, back, cancel.
type Password struct {
	Application string
	Name        string // as typed
	Reset       bool   // whether a forgotten password can be reset
}

func (Password) template() string { return "password.html" }
func (Password) heading() Text    { return Text{Key: "password.heading"} }

// Choose asks for the method of the second factor. Each is a button, of the name
// method. Other buttons: back, cancel.
type Choose struct {
	Application string
	Name        string
	Methods     []Method // the one that worked last in this browser first, then the strongest
}

func (Choose) template() string { return "choose.html" }
func (Choose) heading() Text    { return Text{Key: "choose.heading"} }

// A Method is one row of the Choose page.
type Method struct {
	Kind        string    // the field's value: "push", "passcode", "challenge", "passkey", "recovery code", or "enrol" for users without an authenticator
	Detail      Text      // such as the name of the phone; may be empty
	Used        time.Time // when the phone of Detail was last used; zero if not shown
	Preselected bool
	Disabled    Text      // why it cannot be chosen now; empty if it can
	Until       time.Time // with Disabled: when it can be chosen again; zero if not shown
}

// Label names the method.
func (m Method) Label() Text {
	return Text{Key: "choose.method." + strings.ReplaceAll(m.Kind, " ", "-")}
}

// A Way is another way to confirm that a page offers: the kind of a [Method]. Its
// button has the name method.
type Way string

// Text is that of the button.
func (w Way) Text() Text { return Text{Key: "do.instead." + strings.ReplaceAll(string(w), " ", "-")} }

// Push waits for the phone. It has a Stream. Buttons: continue (submitted by
// scripts on the event of the stream, and pressed by people without scripts
// after they have approved), again, those of the other ways, cancel.
type Push struct {
	Application string
	Name        string
	Number      string // to enter or pick on the phone; empty without a presence check
	Pick        bool   // the phone shows several numbers to pick from
	IP          string // of the browser, as the phone shows it
	Place       string // of that address; may be empty
	Browser     string // and its system, as the phone shows them; may be empty
	At          time.Time
	Left        int      // seconds until the request expires
	Total       int      // seconds it had
	AgainIn     int      // seconds until another may be sent
	Again       bool     // whether another may be sent at all in this journey
	OtherWays   []Way    // that may be used instead
	TooOld      []OldApp // apps that cannot answer it; others can
	Silent      bool     // one of the apps gets no notification and must be opened by hand
	App         string   // address of the web authenticator, where it may be on this device; else empty
}

func (Push) template() string { return "push.html" }
func (Push) heading() Text    { return Text{Key: "push.heading"} }

// Spaced is the number with a space between digits, so that a screen reader
// reads each.
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

// Grouped is the number for people: six digits in two groups.
func (b Push) Grouped() string {
	if len(b.Number) < 6 {
		return b.Number
	}
	return b.Number[:len(b.Number)/2] + "\u00a0" + b.Number[len(b.Number)/2:]
}

// How says what to do on the phone.
func (b Push) How() Text {
	switch {
	case b.Number == "":
		return Text{Key: "push.plain"}
	case b.Pick:
		return Text{"push.pick", []any{"number", b.Grouped()}}
	}
	return Text{"push.number", []any{"number", b.Grouped()}}
}

// How a push request ended without an approval, or why none was sent.
const (
	PushMistake     = "mistake"      // denied on the phone: I made a mistake
	PushExpired     = "expired"      // nobody answered in time
	PushSuperseded  = "superseded"   // another one was sent from this browser
	PushWrongNumber = "wrong-number" // the presence check failed
	PushElsewhere   = "elsewhere"    // a request from another browser is still open
	PushLocked      = "locked"       // too many went unanswered
	PushUnreachable = "unreachable"  // no authenticator can answer it any more
	PushTooOld      = "too-old"      // nor can it, because the app is too old for the presence check (PUSH-22)
	PushResync      = "resync"       // approved with a passcode from the outer window, which no next one set right
	PushNoLonger    = "no-longer"    // approved, but push was disabled meanwhile
)

// PushEnded says how a push request ended and what can be done. Buttons: again,
// those of the other ways, back, cancel.
type PushEnded struct {
	Application string
	Name        string
	Why         string    // PushMistake and so on
	Again       bool      // whether another may be sent in this journey
	AgainIn     int       // seconds until then
	OtherWays   []Way     // that may be used instead
	Last        bool      // the limit of requests in this journey is reached
	Until       time.Time // with PushLocked: when push is available again; zero if not shown
	Newer       time.Time // with PushSuperseded: when the newer request was sent; zero if there is none
	TooOld      []OldApp  // apps that cannot answer a request
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
	Only        bool      // there is no other method: the page follows the password
	Recovery    bool      // with Only: a recovery code may be used instead
	PIN         string    // "before" or "after": where a PIN is typed with the passcode; empty without one
	Typed       string    // value of the field when another language was picked (ENR-13)
	Approved    bool      // the push was approved with a passcode too far off: the next one corrects that (PUSH-16)
	Counter     bool      // with Approved: it is made by a counter, and by no clock
	Paused      time.Time // until when push is locked, where it would else be offered; zero if not
	TooOld      []OldApp  // apps because of which push is not offered (PUSH-22)
}

// An OldApp is an authenticator whose app cannot do a presence check.
type OldApp struct {
	Name  string // of the authenticator
	App   string // app and version, such as "latchkey-web 1.0.0"
	Least string // the lowest version that can; empty if unknown
}

// Explanation says which version the app has and which it needs.
func (o OldApp) Explanation() Text {
	if o.Least == "" {
		return Text{"old.app", []any{"device", o.Name, "app", o.App}}
	}
	return Text{"old.app.least", []any{"device", o.Name, "app", o.App, "least", o.Least}}
}

func (Passcode) template() string { return "passcode.html" }

func (b Passcode) heading() Text {
	switch {
	case b.Approved && b.Counter:
		return Text{Key: "passcode.resync.counter.heading"}
	case b.Approved:
		return Text{Key: "passcode.resync.heading"}
	}
	return Text{Key: "passcode.heading"}
}

// How says what to type.
func (b Passcode) How() Text {
	switch {
	case b.Approved && b.Counter:
		return Text{Key: "passcode.resync.counter.text"}
	case b.Approved:
		return Text{Key: "passcode.resync.text"}
	}
	return Text{Key: "passcode.how"}
}

// Why a login is refused.
const (
	RefusedByPolicy  = "policy"     // the access policy denies it
	RefusedNotTarget = "not-target" // no authenticator, and not a target user (ENR-3)
	RefusedNoPermit  = "leave"      // no authenticator left, and no permit to enrol another (ENR-1)
	RefusedNoMethod  = "no-way"     // no allowed method is available now (PUSH-9a)
	RefusedPushOnly  = "push-only"  // as RefusedNoMethod, and the user's authenticators make no passcodes
	RefusedNoPasskey = "no-passkey" // a passkey is required, and the user has none
	RefusedNoReset   = "no-reset"   // of a forgotten password: the user has no second factor beside the mail
	RefusedRejected  = "rejected"   // on the phone, with *it wasn't me*: the attempt is over (PUSH-14)
	RefusedLocked    = "locked"     // too many logins failed (CRED-20)

	RefusedLockedByOperator = "locked-by-operator" // until an operator unlocks the user
	RefusedPushLocked       = "push-locked"        // too many requests, and passcodes are refused (PUSH-9a)
	RefusedAppTooOld        = "app-too-old"        // for the presence check, and passcodes are refused
)

// Refused says why this login cannot succeed, and whom to ask. Buttons: back,
// except with RefusedRejected, and cancel.
type Refused struct {
	Application string
	Name        string
	Why         string    // RefusedByPolicy and so on
	Until       time.Time // when it may be tried again; zero if not shown
	TooOld      []OldApp  // with RefusedAppTooOld
}

func (Refused) template() string { return "refused.html" }
func (b Refused) heading() Text  { return Text{Key: "refused." + b.Why + ".heading"} }

// Explanation says why, and what can be done.
func (b Refused) Explanation() Text { return Text{Key: "refused." + b.Why + ".text"} }

// Ended is the page of a journey that is over. It leads back to the application
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

// Problem is the page for errors that no other page shows. It has Page.Problem
// and Page.ErrorID.
type Problem struct {
	Application string
	Home        string // where to start again; may be empty
}

func (Problem) template() string { return "problem.html" }
func (Problem) heading() Text    { return Text{Key: "problem.heading"} }

// A Field is a hidden field of a form.
type Field struct{ Name, Value string }

// AutoPost sends the browser to an application with a form. Scripts submit it;
// without them the person presses its button. The response's form-action must
// allow To.
type AutoPost struct {
	Application string
	To          string // the application's address, validated by the protocol
	Fields      []Field
	Refused     bool // the form carries an error and no sign-in
}

func (AutoPost) template() string { return "autopost.html" }

func (b AutoPost) heading() Text {
	if b.Refused {
		return Text{"autopost.refused.heading", []any{"application", b.Application}}
	}
	return Text{"autopost.heading", []any{"application", b.Application}}
}

// LogoutConfirm asks whether to sign out of all applications. Buttons: logout,
// stay.
type LogoutConfirm struct {
	Application string // that asked for it; may be empty
	Name        string
	Fields      []Field // to be sent back to the protocol
}

func (LogoutConfirm) template() string { return "logout_confirm.html" }
func (LogoutConfirm) heading() Text    { return Text{Key: "logout.heading"} }

// LoggedOut says that the session is over.
type LoggedOut struct {
	Application string   // that asked for it; may be empty
	Home        string   // where to go on; may be empty
	Failed      []string // names of applications that could not be signed out
}

func (LoggedOut) template() string { return "logged_out.html" }
func (LoggedOut) heading() Text    { return Text{Key: "loggedout.heading"} }
