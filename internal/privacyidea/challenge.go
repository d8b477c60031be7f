package privacyidea

import (
	"crypto/rsa"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"strings"
)

// A Challenge is a push request as the app receives it. All values are strings.
type Challenge struct {
	Nonce    string // as EncodeNonce returns it
	Address  string // where the app sends its answer
	Serial   string
	Title    string
	Question string
	Presence []string // numbers to pick from; empty without a presence check
	Reasons  bool     // the app may give a reason when it declines
}

// EncodeNonce returns a nonce in Base32, as the protocol requires.
func EncodeNonce(nonce string) string {
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString([]byte(nonce))
}

// wireChallenge is the JSON form of a challenge.
type wireChallenge struct {
	Nonce                 string `json:"nonce"`
	Question              string `json:"question"`
	Serial                string `json:"serial"`
	Title                 string `json:"title"`
	SSLVerify             string `json:"sslverify"`
	URL                   string `json:"url"`
	RequirePresence       string `json:"require_presence,omitempty"`
	Version               string `json:"version,omitempty"`
	Signature             string `json:"signature"`
	Capabilities          string `json:"capabilities,omitempty"`
	CapabilitiesSignature string `json:"capabilities_signature,omitempty"`
}

// sslVerify tells the app to always check certificates.
const sslVerify = "1"

// Sign returns the JSON of a challenge, signed with the server's key for its
// authenticator. The texts come from people, so a "|" in them is replaced by a
// "/". Otherwise an attacker could shift the boundaries of the signed fields.
func (c Challenge) Sign(key *rsa.PrivateKey) (json.RawMessage, error) {
	clean := strings.NewReplacer("|", "/")
	m := wireChallenge{Nonce: c.Nonce, Question: clean.Replace(c.Question), Serial: c.Serial, Title: clean.Replace(c.Title),
		SSLVerify: sslVerify, URL: c.Address}
	text := strings.Join([]string{m.Nonce, m.URL, m.Serial, m.Question, m.Title, m.SSLVerify}, "|")
	if len(c.Presence) > 0 {
		m.RequirePresence, m.Version = strings.Join(c.Presence, ","), "2"
		text += "|" + m.RequirePresence
	}
	var err error
	if m.Signature, err = Sign(key, text); err != nil {
		return nil, err
	}
	if c.Reasons {
		m.Capabilities = `["` + DeclineReason + `"]`
		if m.CapabilitiesSignature, err = Sign(key, signedCapabilities(m.Capabilities, m.Nonce)); err != nil {
			return nil, err
		}
	}
	data, err := json.Marshal(m)
	if err != nil { // impossible for this struct
		return nil, fmt.Errorf("privacyidea: challenge: %w", err)
	}
	return data, nil
}

// signedCapabilities returns the canonical JSON (RFC 8785) that the signature of
// the capabilities covers. The capabilities are canonical JSON already, and the
// nonce is Base32, in which nothing needs escaping.
func signedCapabilities(capabilities, nonce string) string {
	return `{"capabilities":` + capabilities + `,"nonce":"` + nonce + `"}`
}
