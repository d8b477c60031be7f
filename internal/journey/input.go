package journey

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// An Input is one thing that a person did: one of the types below. Each face
// makes it of what it is given: a form, JSON, a packet. As JSON an input is an
// object whose "type" is its kind; docs/protocol-journey.md has them all.
type Input interface {
	// Kind is the input's name in JSON and in the record of a journey's steps.
	Kind() string
}

// Inputs, by what a person does.
type (
	// EnterName names the person who signs in.
	EnterName struct {
		Name string `json:"name"`
	}
	// EnterPassword gives the password.
	EnterPassword struct {
		Password string `json:"password"`
	}
	// ForgotPassword asks for a code by mail to set a new password.
	ForgotPassword struct{}
	// ChooseMethod chooses a way to confirm, or self-provisioning (MethodEnroll).
	// Choosing push sends one.
	ChooseMethod struct {
		Method identity.Method `json:"method"`
		Remembering
	}
	// EnterPasscode gives a passcode: as the second factor, or as the proof that
	// another vendor's app was set up.
	EnterPasscode struct {
		Passcode string `json:"passcode"`
		Remembering
	}
	// EnterResponse gives the response to a challenge.
	EnterResponse struct {
		Response string `json:"response"`
		Remembering
	}
	// EnterRecoveryCode gives a recovery code.
	EnterRecoveryCode struct {
		Code string `json:"code"`
	}
	// EnterMailCode gives a code that was mailed.
	EnterMailCode struct {
		Code string `json:"code"`
	}
	// SignWithPasskey gives what the browser had a passkey sign: the JSON of a
	// PublicKeyCredential (WebAuthn, section 5.1).
	SignWithPasskey struct {
		Credential json.RawMessage `json:"credential"`
		Remembering
	}
	// ChoosePIN sets a PIN in place of one that was handed out.
	ChoosePIN struct {
		PIN   string `json:"pin"`
		Again string `json:"again"`
	}
	// ChoosePassword sets a password in place of one that was forgotten or is due.
	ChoosePassword struct {
		Password string `json:"password"`
		Again    string `json:"again"`
	}
	// ChoosePlatform chooses where the authenticator will run.
	ChoosePlatform struct {
		Platform identity.Platform `json:"platform"`
	}
	// Continue goes on from where the journey stands: to self-provisioning that is
	// offered, or from what the phone has done. It decides nothing that the prompt
	// showed, so it needs only the version of a state and not what the phone changed.
	Continue struct{ Remembering }
	// Resend asks for another of what the prompt is about: a mailed code, a push, a
	// challenge, an activation.
	Resend struct{ Remembering }
	// GoBack goes one step back (JRN-3).
	GoBack struct{}
	// Cancel leaves the journey for good.
	Cancel struct{}
	// PickLanguage picks the language of the prompts that follow. It is taken
	// whatever the state.
	PickLanguage struct {
		Language string `json:"language"`
	}
)

// Remembering is whether the person asked beside a second factor that this device
// be remembered; nil where that was not asked.
type Remembering struct {
	Remember *bool `json:"remember,omitempty"`
}

func (r Remembering) remember() *bool { return r.Remember }

// MethodEnroll is what [ChooseMethod] takes for self-provisioning.
const MethodEnroll identity.Method = "enrol"

func (EnterName) Kind() string         { return "name" }
func (EnterPassword) Kind() string     { return "password" }
func (ForgotPassword) Kind() string    { return "forgot-password" }
func (ChooseMethod) Kind() string      { return "method" }
func (EnterPasscode) Kind() string     { return "passcode" }
func (EnterResponse) Kind() string     { return "response" }
func (EnterRecoveryCode) Kind() string { return "recovery-code" }
func (EnterMailCode) Kind() string     { return "mail-code" }
func (SignWithPasskey) Kind() string   { return "passkey" }
func (ChoosePIN) Kind() string         { return "new-pin" }
func (ChoosePassword) Kind() string    { return "new-password" }
func (ChoosePlatform) Kind() string    { return "platform" }
func (Continue) Kind() string          { return "continue" }
func (Resend) Kind() string            { return "resend" }
func (GoBack) Kind() string            { return "back" }
func (Cancel) Kind() string            { return "cancel" }
func (PickLanguage) Kind() string      { return "language" }

// readers read each kind of input from JSON.
var readers = map[string]func(data []byte) (Input, error){
	"name":            read[EnterName],
	"password":        read[EnterPassword],
	"forgot-password": read[ForgotPassword],
	"method":          read[ChooseMethod],
	"passcode":        read[EnterPasscode],
	"response":        read[EnterResponse],
	"recovery-code":   read[EnterRecoveryCode],
	"mail-code":       read[EnterMailCode],
	"passkey":         read[SignWithPasskey],
	"new-pin":         read[ChoosePIN],
	"new-password":    read[ChoosePassword],
	"platform":        read[ChoosePlatform],
	"continue":        read[Continue],
	"resend":          read[Resend],
	"back":            read[GoBack],
	"cancel":          read[Cancel],
	"language":        read[PickLanguage],
}

// ReadInput reads an input from JSON: an object with its kind as "type" and the
// fields of that kind. Anything else is an Invalid.
func ReadInput(data []byte) (Input, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return nil, invalidInput(err)
	}
	var kind string
	if err := json.Unmarshal(fields["type"], &kind); err != nil {
		return nil, invalidInput(fmt.Errorf("type: %w", err))
	}
	reader, ok := readers[kind]
	if !ok {
		return nil, invalidInput(fmt.Errorf("no input is of type %q", kind))
	}
	delete(fields, "type")
	rest, err := json.Marshal(fields)
	if err != nil {
		return nil, invalidInput(err)
	}
	return reader(rest)
}

// read reads the fields of an input. One that it does not have is an error: it was
// meant to do something.
func read[T Input](fields []byte) (Input, error) {
	var in T
	d := json.NewDecoder(bytes.NewReader(fields))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return nil, invalidInput(err)
	}
	return in, nil
}

func invalidInput(err error) error {
	return &identity.Error{Kind: identity.Invalid, Key: "error.invalid", Err: fmt.Errorf("journey: input: %w", err)}
}
