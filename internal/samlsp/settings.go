package samlsp

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// Settings are an application's, for people to read.
type Settings struct {
	ACS            []string      `json:"acs"`                     // where answers go, the default first
	NameID         string        `json:"name_id"`                 // the format given where a request names none
	ForceNameID    string        `json:"force_name_id,omitempty"` // the format given whatever a request names
	SignedRequests bool          `json:"signed_requests"`         // a request without a signature is refused
	Certificates   []Certificate `json:"certificates"`            // of the keys its requests are checked by
	Attributes     []string      `json:"attributes"`              // what it is told of a person
	LeftOut        []string      `json:"left_out,omitempty"`      // what of its metadata could not be used, and why
}

// A Certificate is one of a service provider's.
type Certificate struct {
	SHA256    string    `json:"sha256"` // of the DER, hex
	Key       string    `json:"key"`    // such as "RSA 2048"
	Subject   string    `json:"subject"`
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"` // for people: a key stays good until metadata drops it (SAML metadata interoperability, section 2.6.1)
}

// SettingsOf reads an application's configuration.
func SettingsOf(app identity.Application) (Settings, error) {
	sp, err := Read(app)
	if err != nil {
		return Settings{}, err
	}
	s := Settings{NameID: sp.NameID, ForceNameID: sp.ForceNameID, SignedRequests: sp.SignedRequests, Certificates: []Certificate{}, LeftOut: sp.LeftOut}
	for _, e := range sp.Endpoints {
		s.ACS = append(s.ACS, e.URL)
	}
	for _, a := range sp.Attributes {
		name := a.Friendly
		if name == "" {
			name = a.Name
		}
		s.Attributes = append(s.Attributes, name)
	}
	for _, c := range sp.Keys {
		sum := sha256.Sum256(c.Raw)
		s.Certificates = append(s.Certificates, Certificate{SHA256: hex.EncodeToString(sum[:]), Key: keyOf(c), Subject: c.Subject.String(),
			NotBefore: c.NotBefore.UTC(), NotAfter: c.NotAfter.UTC()})
	}
	return s, nil
}

func keyOf(c *x509.Certificate) string {
	switch key := c.PublicKey.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA %d", key.N.BitLen())
	case *ecdsa.PublicKey:
		return "ECDSA " + key.Curve.Params().Name
	}
	return c.PublicKeyAlgorithm.String()
}

// Changes says, a sentence each, what differs between two states of an
// application that came of its metadata.
func Changes(before, after identity.Application) ([]string, error) {
	old, err := SettingsOf(before)
	if err != nil {
		return nil, err
	}
	now, err := SettingsOf(after)
	if err != nil {
		return nil, err
	}
	var all []string
	differ := func(what string, old, now []string) {
		for _, v := range now {
			if !slices.Contains(old, v) {
				all = append(all, what+" added: "+v)
			}
		}
		for _, v := range old {
			if !slices.Contains(now, v) {
				all = append(all, what+" gone: "+v)
			}
		}
	}
	differ("key", fingerprints(old), fingerprints(now))
	differ("address for answers", old.ACS, now.ACS)
	if len(old.ACS) > 0 && len(now.ACS) > 0 && old.ACS[0] != now.ACS[0] {
		all = append(all, "default address for answers: "+now.ACS[0]+", was "+old.ACS[0])
	}
	if old.NameID != now.NameID {
		all = append(all, "NameID: "+now.NameID+", was "+old.NameID)
	}
	if old.SignedRequests != now.SignedRequests {
		all = append(all, map[bool]string{true: "requests must be signed now", false: "requests need no signature any more"}[now.SignedRequests])
	}
	differ("left out", old.LeftOut, now.LeftOut)
	if len(all) == 0 && string(before.Config) != string(after.Config) {
		all = append(all, "indexes or order of its addresses")
	}
	return all, nil
}

func fingerprints(s Settings) []string {
	var all []string
	for _, c := range s.Certificates {
		all = append(all, strings.Join([]string{"SHA-256", c.SHA256, "of", c.Key + ",", c.Subject}, " "))
	}
	return all
}
