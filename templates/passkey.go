package templates

import "time"

// A PasskeyRequest is what a script of ours asks the browser to have signed: the
// options of WebAuthn, section 5.5, with bytes in base64url.
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

// A PasskeyCreation is what a script of ours asks the browser to make: the options
// of WebAuthn, section 5.4, with bytes in base64url.
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

// A PasskeyParty is who asks.
type PasskeyParty struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// A PasskeyUser is for whom.
type PasskeyUser struct {
	ID          string `json:"id"` // the handle, in base64url: nothing that tells of the person
	Name        string `json:"name"`
	DisplayName string `json:"displayName"`
}

// A PasskeyParameter is an algorithm, in COSE's numbers.
type PasskeyParameter struct {
	Type      string `json:"type"`
	Algorithm int64  `json:"alg"`
}

// A PasskeySelection says what the passkey should be like.
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

// MePasskeys lists one's passkeys and is where one is added. Fields: name,
// nonce, made, which a script fills in. Buttons: add.
type MePasskeys struct {
	Name     string
	Passkeys []HeldPasskey
	Creation string // JSON of a PasskeyCreation
	Nonce    string // by which its challenge is known again
	Typed    string // what the name's field held
}

func (MePasskeys) template() string { return "me_passkeys.html" }
func (MePasskeys) heading() Text    { return Text{Key: "me.nav.passkeys"} }

// A HeldPasskey is one of the person's own.
type HeldPasskey struct {
	Address    string // of its own page
	Name       string
	Synced     bool // it may be copied to the person's other devices
	EnrolledAt time.Time
	LastUsedAt time.Time // zero when never
}
