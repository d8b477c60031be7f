package journey

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
)

// A Prompt is what a face shows of a journey: where it stands, who acts next,
// what is asked and may be chosen, and what went wrong. It is all that a face
// knows: the browser's makes a page of it, the journey API JSON, RADIUS a packet.
//
// Until a password was proved, the prompts of a name that exists, of one that
// does not, and of one that is locked are equal as JSON (ENR-4).
type Prompt struct {
	Journey string `json:"-"`
	State   string `json:"state"` // opaque; goes back with the input, see [Engine.Take]
	Step    Step   `json:"-"`
	Reason  Reason `json:"reason,omitempty"` // why it goes no further; empty where it does
	Until   Time   `json:"until,omitzero"`   // when a lock or an invitation ends; zero where that is not told

	Application string `json:"application,omitempty"` // its name; empty where the journey leads to an authenticator alone
	Home        string `json:"home,omitempty"`        // the application's own entry page
	Name        string `json:"name,omitempty"`        // of the person, as typed
	Language    string `json:"language"`              // tag of the language to show it in
	Problem     string `json:"problem,omitempty"`     // locale key of what went wrong; empty where nothing did
	Notice      string `json:"notice,omitempty"`      // locale key of what to say first otherwise
	Session     string `json:"session,omitempty"`     // name of the person who has signed in with this client since: Continue goes on so (JRN-8)

	Remember *RememberBox `json:"remember,omitempty"`  // to ask beside the second factor; nil where it must not be asked
	FirstPIN *FirstPIN    `json:"first_pin,omitempty"` // goes with the authenticator that was just set up; nil where there is none
	Push     *PushStatus  `json:"push,omitempty"`      // where a push could be sent or was
	Ask      Ask          `json:"-"`                   // what is asked or shown, by its type; nil where nothing is

	// Stale reports whether the input was not taken, because the journey stood
	// elsewhere than the prompt on which it was decided, or takes no such input.
	Stale bool `json:"stale,omitempty"`
	// Outcome is how the journey ended, once it has.
	Outcome identity.Outcome `json:"outcome,omitempty"`
	// EndedNow reports whether the call that returned this prompt ended the journey:
	// an application is answered then, and never again.
	EndedNow bool `json:"-"`

	// What a face needs to answer the application.
	ApplicationID string            `json:"-"`
	Protocol      identity.Protocol `json:"-"`
	Request       Request           `json:"-"`
	Adding        bool              `json:"-"` // leads to a further authenticator (CRED-16)
	Invited       bool              `json:"-"` // leads to an authenticator, by an invitation (ENR-19)
}

// Login reports whether the journey leads to an application.
func (p *Prompt) Login() bool { return !p.Adding && !p.Invited }

// A RememberBox asks whether to remember this device (JRN-9).
type RememberBox struct {
	Days   int  `json:"days"`
	Ticked bool `json:"ticked"`
}

// A FirstPIN is the PIN to type with the first passcodes of a new authenticator.
type FirstPIN struct {
	PIN    string `json:"pin"`
	After  bool   `json:"after"`  // the passcode, not before it
	Change bool   `json:"change"` // it must be changed in the first login
}

// A PushStatus says whether another push may be sent, and what keeps it from
// being sent.
type PushStatus struct {
	OtherMethods []identity.Method `json:"other_methods,omitempty"` // other ways that may be chosen instead
	Offered      bool              `json:"offered"`
	AgainIn      int               `json:"again_in"`              // seconds until the next may be sent; 0 once it may
	Last         bool              `json:"last"`                  // this journey has sent as many as it may
	LockedUntil  Time              `json:"locked_until,omitzero"` // too many requests (PUSH-9); zero when push is not locked
	TooOld       []OldApp          `json:"too_old,omitempty"`     // apps that keep push from being offered (PUSH-22)
}

// An Ask is what a prompt asks for or shows: one of the types below. Its kind is
// the "type" of the challenge in JSON.
type Ask interface{ kind() string }

type (
	// AskedName asks for the user name.
	AskedName struct {
		Passkey *AskedPasskey `json:"passkey,omitempty"` // that may stand for name and password; nil where none may
	}
	// AskedPassword asks for the password.
	AskedPassword struct {
		Reset bool `json:"reset"` // a forgotten one can be reset
	}
	// AskedMethod asks which way to confirm.
	AskedMethod struct {
		Methods []MethodChoice `json:"methods"`
	}
	// AskedPush waits for the phone to answer.
	AskedPush struct {
		Number       string `json:"code,omitempty"` // to be entered or picked on the phone; empty without a presence check
		Pick         bool   `json:"pick"`           // the phone shows it among others
		Address      string `json:"address,omitempty"`
		Place        string `json:"place,omitempty"` // where that address is
		Browser      string `json:"browser,omitempty"`
		StartedAt    Time   `json:"started"`
		Left         int    `json:"left"`           // seconds until the request expires
		Total        int    `json:"total"`          // seconds it had
		Silent       bool   `json:"silent"`         // an app that was asked gives no notification
		OnThisDevice bool   `json:"on_this_device"` // the web authenticator may run on the very device of the client
		Approved     bool   `json:"-"`              // the phone has approved, and the journey has not claimed that yet
	}
	// AskedAnother says how a push ended without a login.
	AskedAnother struct {
		Outcome store.PushOutcome `json:"outcome"`
		Newer   Time              `json:"newer,omitzero"` // when the newer one was sent, if one superseded it
	}
	// AskedPasscode asks for a passcode.
	AskedPasscode struct {
		Next     bool   `json:"next"`              // the one after a passcode from the outer window
		Approved bool   `json:"approved"`          // that came with the approval of a push
		Counter  bool   `json:"counter,omitempty"` // with Next: of an authenticator that counts, and has no clock
		Only     bool   `json:"only"`              // no other way could be chosen
		Recovery bool   `json:"recovery"`          // a recovery code may be typed instead
		PIN      string `json:"pin,omitempty"`     // where the PIN stands that is typed with it: before or after
	}
	// AskedResponse asks for the response to a challenge.
	AskedResponse struct {
		Digits   string `json:"digits,omitempty"` // of the challenge; empty once it expired
		Only     bool   `json:"only"`
		Recovery bool   `json:"recovery"`
	}
	// AskedPasskey asks for the signature of a passkey (WebAuthn, section 5.5).
	AskedPasskey struct {
		Challenge string              `json:"challenge"` // base64url
		RelyingID string              `json:"rpId"`
		Verified  bool                `json:"verified"` // the passkey must verify its user
		Allow     []PasskeyCredential `json:"allow,omitempty"`
		Recovery  bool                `json:"recovery"`
	}
	// AskedRecoveryCode asks for a recovery code.
	AskedRecoveryCode struct{}
	// AskedMailCode asks for a code that was mailed: to enrol, or to reset a password.
	AskedMailCode struct {
		Address  string `json:"address,omitempty"` // masked; empty until a password was proved (ENR-5)
		Minutes  int    `json:"minutes"`           // that it can be used
		ResendIn int    `json:"resend_in"`         // seconds until another may be sent
	}
	// AskedPIN asks for a new PIN.
	AskedPIN struct {
		Least   int64 `json:"least"`
		Most    int64 `json:"most"`
		Trivial bool  `json:"trivial"` // trivial ones are allowed
		After   bool  `json:"after"`   // it is typed after the passcode
	}
	// AskedNewPassword asks for a new password.
	AskedNewPassword struct {
		Forgotten bool  `json:"forgotten"`
		Least     int64 `json:"least"`
		Common    bool  `json:"common"` // common passwords are refused
	}
	// AskedToEnroll offers self-provisioning.
	AskedToEnroll struct {
		Address string `json:"address,omitempty"` // masked
	}
	// AskedPlatform asks where the authenticator will run.
	AskedPlatform struct {
		Platforms []PlatformChoice `json:"platforms"`
	}
	// AskedActivation waits for an app to be set up with what is shown.
	AskedActivation struct {
		Platform  identity.Platform `json:"platform"`
		Link      string            `json:"link,omitempty"` // what the QR code holds; empty unless it waits
		ShortCode string            `json:"code,omitempty"`
		Taken     bool              `json:"taken"`         // an app has it, and is being set up
		PIN       string            `json:"pin,omitempty"` // to begin with, once taken
		Over      bool              `json:"over"`          // a new one is needed
		Here      bool              `json:"here"`          // the browser may run on that platform
		Install   string            `json:"app,omitempty"` // address from which the app is installed
		Left      int               `json:"left"`          // seconds that it can be used
	}
	// AskedConfirmation shows a secret for another vendor's app, and asks for a
	// passcode of it.
	AskedConfirmation struct {
		Link   string `json:"link,omitempty"`   // otpauth; empty once it is over
		Secret string `json:"secret,omitempty"` // for typing
		Over   bool   `json:"over"`
		Here   bool   `json:"here"` // the browser may be the phone that holds the app
		Left   int    `json:"left"` // seconds that it can be used
	}
)

func (AskedName) kind() string         { return "NAME" }
func (AskedPassword) kind() string     { return "PASSWORD" }
func (AskedMethod) kind() string       { return "METHOD" }
func (AskedPush) kind() string         { return "CODE" }
func (AskedAnother) kind() string      { return "PUSH_ENDED" }
func (AskedPasscode) kind() string     { return "PASSCODE" }
func (AskedResponse) kind() string     { return "RESPONSE" }
func (AskedPasskey) kind() string      { return "PASSKEY" }
func (AskedRecoveryCode) kind() string { return "RECOVERY_CODE" }
func (AskedMailCode) kind() string     { return "MAIL_CODE" }
func (AskedPIN) kind() string          { return "NEW_PIN" }
func (AskedNewPassword) kind() string  { return "NEW_PASSWORD" }
func (AskedToEnroll) kind() string     { return "ENROLLMENT" }
func (AskedPlatform) kind() string     { return "PLATFORM" }
func (AskedActivation) kind() string   { return "ACTIVATION" }
func (AskedConfirmation) kind() string { return "CONFIRMATION" }

// A MethodChoice is one way to confirm.
type MethodChoice struct {
	Method   identity.Method `json:"method"`
	Picked   bool            `json:"picked"`             // preselected
	Disabled Reason          `json:"disabled,omitempty"` // why it cannot be chosen now; empty when it can
	Device   string          `json:"device,omitempty"`   // of a push: the one authenticator it goes to; empty where there are several, or until a password was proved
	Devices  int             `json:"devices,omitempty"`  // of a push: how many it goes to
	Until    Time            `json:"until,omitzero"`     // when it can be chosen again, with ReasonPushLocked
	LastUsed Time            `json:"last_used,omitzero"` // when that device was last used
}

// ReasonPushLimit says that push is shown and cannot be chosen because this journey
// has sent as many requests as it may. ReasonPushLocked and ReasonAppTooOld are the
// others.
const ReasonPushLimit Reason = "limit"

// A PlatformChoice is one platform on which to enrol.
type PlatformChoice struct {
	Platform identity.Platform `json:"platform"`
	Here     bool              `json:"here"`   // the browser runs on it
	Picked   bool              `json:"picked"` // preselected
}

// A PasskeyCredential names a passkey that may sign.
type PasskeyCredential struct {
	ID         []byte   `json:"id"`
	Transports []string `json:"transports,omitempty"`
}

// types names steps in JSON, where the upper-case step does not: the step that
// waits for a push is the browser's side of a presence check, which has had a
// name from the beginning (docs/protocol-authenticator.md).
var types = map[Step]string{WaitForPush: "USER_PRESENCE"}

// Type is the step's name in JSON.
func (s Step) Type() string {
	if name, ok := types[s]; ok {
		return name
	}
	return strings.ToUpper(strings.ReplaceAll(string(s), " ", "_"))
}

// MarshalJSON writes the prompt as docs/protocol-journey.md has it: the step's
// type and executor, and as its challenge what is asked.
func (p *Prompt) MarshalJSON() ([]byte, error) {
	challenge, err := marshalAsk(p.Ask)
	if err != nil {
		return nil, err
	}
	type fields Prompt
	return json.Marshal(struct {
		Type      string          `json:"type"`
		Executor  Executor        `json:"executor"`
		Challenge json.RawMessage `json:"challenge,omitempty"`
		*fields
	}{p.Step.Type(), p.Step.Executor(), challenge, (*fields)(p)})
}

// marshalAsk writes what is asked with its kind as the first field.
func marshalAsk(ask Ask) (json.RawMessage, error) {
	if ask == nil {
		return nil, nil
	}
	fields, err := json.Marshal(ask)
	if err != nil {
		return nil, err
	}
	head := `{"type":"` + ask.kind() + `"`
	if len(fields) > len("{}") {
		head += ","
	}
	return append([]byte(head), fields[1:]...), nil
}

// A Time is a moment that is unix seconds in JSON.
type Time struct{ time.Time }

// MarshalJSON writes unix seconds.
func (t Time) MarshalJSON() ([]byte, error) { return strconv.AppendInt(nil, t.Unix(), 10), nil }
