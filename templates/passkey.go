package templates

import "time"

// A PasskeyRequest are the options of an assertion, which a script passes to
// the browser (WebAuthn, section 5.5), with bytes in base64url.
type PasskeyRequest struct {
	Challenge        string              `json:"challenge"`
	RPID             string              `json:"rpId"`
	Timeout          int                 `json:"timeout"` // milliseconds
	UserVerification string              `json:"userVerification"`
	Allow            []PasskeyCredential `json:"allowCredentials,omitempty"`
}

// A PasskeyCredential names one passkey (WebAuthn, section 5.8.3).
type PasskeyCredential struct {
	Type       string   `json:"type"`
	ID         string   `json:"id"`
	Transports []string `json:"transports,omitempty"`
}

// A PasskeyCreation are the options of a new credential, which a script passes
// to the browser (WebAuthn, section 5.4), with bytes in base64url.
type PasskeyCreation struct {
	Challenge   string              `json:"challenge"`
	RP          PasskeyParty        `json:"rp"`
	User        PasskeyUser         `json:"user"`
	Parameters  []PasskeyParameter  `json:"pubKeyCredParams"`
	Timeout     int                 `json:"timeout"` // milliseconds
	Exclude     []PasskeyCredential `json:"excludeCredentials,omitempty"`
	Selection   PasskeySelection    `json:"authenticatorSelection"`
	Attestation string              `json:"attestation"`
}

// A PasskeyParty is the relying party.
type PasskeyParty struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// A PasskeyUser is the user of a new credential.
type PasskeyUser struct {
	ID          string `json:"id"` // the user handle, in base64url, which identifies no person
	Name        string `json:"name"`
	DisplayName string `json:"displayName"`
}

// A PasskeyParameter is an algorithm, by its COSE identifier.
type PasskeyParameter struct {
	Type      string `json:"type"`
	Algorithm int64  `json:"alg"`
}

// A PasskeySelection are requirements for the passkey.
type PasskeySelection struct {
	ResidentKey      string `json:"residentKey"`
	UserVerification string `json:"userVerification"`
}

// Passkey asks for a passkey as the second factor. Fields: signed, which a
// script fills in. Buttons: continue, recovery, back, cancel.
type Passkey struct {
	Application string
	Name        string
	Request     string // JSON of a PasskeyRequest
	Recovery    bool   // whether a recovery code may be typed instead
}

func (Passkey) template() string { return "passkey.html" }
func (Passkey) heading() Text    { return Text{Key: "passkey.heading"} }

// MePasskeys lists the person's passkeys, and adds one. Fields: name, nonce,
// made, which a script fills in. Buttons: add.
type MePasskeys struct {
	Name     string
	Passkeys []PasskeyItem
	Creation string // JSON of a PasskeyCreation
	Nonce    string // from which its challenge is derived again
	Typed    string // value of the field for the name
}

func (MePasskeys) template() string { return "me_passkeys.html" }
func (MePasskeys) heading() Text    { return Text{Key: "me.nav.passkeys"} }

// A PasskeyItem is one of the person's passkeys.
type PasskeyItem struct {
	Address    string // of its own page
	Name       string
	Synced     bool // it may be copied to the person's other devices
	EnrolledAt time.Time
	LastUsedAt time.Time // zero when never
}
