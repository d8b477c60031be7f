package privacyidea

import (
	"crypto/rsa"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"strings"
)

// A Challenge is a request as the app is shown it. All its values are strings.
type Challenge struct {
	Nonce    string // see Nonce
	Address  string // where the answer goes
	Serial   string
	Title    string
	Question string
	Presence []string // what to pick from; empty without a presence check
	Reasons  bool     // the app may say why it declines
}

// Nonce writes a nonce of ours in Base32, as the protocol has them.
func Nonce(nonce string) string {
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString([]byte(nonce))
}

// message is a challenge as it travels.
type message struct {
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

// sslVerify tells the app to check certificates, always.
const sslVerify = "1"

// Sign returns the JSON of a challenge, signed with the server's key of its
// authenticator. What the challenge says people typed: a "|" in it, which would
// let fields be parted otherwise than they were signed, becomes a "/".
func (c Challenge) Sign(key *rsa.PrivateKey) (json.RawMessage, error) {
	clean := strings.NewReplacer("|", "/")
	m := message{Nonce: c.Nonce, Question: clean.Replace(c.Question), Serial: c.Serial, Title: clean.Replace(c.Title),
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
	if err != nil { // of a plain struct: cannot be
		return nil, fmt.Errorf("privacyidea: challenge: %w", err)
	}
	return data, nil
}

// signedCapabilities is the canonical JSON (RFC 8785) that their signature is
// over. Capabilities are canonical JSON already, and a nonce is Base32, in which
// nothing needs escaping.
func signedCapabilities(capabilities, nonce string) string {
	return `{"capabilities":` + capabilities + `,"nonce":"` + nonce + `"}`
}
