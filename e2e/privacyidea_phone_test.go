package e2e

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// A StorePhone has the privacyIDEA Authenticator on it, as its protocol is
// described: it scans a link, registers a key, asks what waits and answers.
type PrivacyIDEAPhone struct {
	t      *testing.T
	key    *rsa.PrivateKey
	server *rsa.PublicKey
	link   url.Values
}

// RegisterPrivacyIDEA registers with what the QR code holds.
func RegisterPrivacyIDEA(t *testing.T, link string) *PrivacyIDEAPhone {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil || u.Scheme != "otpauth" || u.Host != "pipush" || u.Query().Get("poll_only") != "True" {
		t.Fatalf("the QR code holds %q, %v", link, err)
	}
	p := &PrivacyIDEAPhone{t: t, link: u.Query()}
	if p.key, err = rsa.GenerateKey(rand.Reader, 4096); err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&p.key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	var said struct {
		Detail struct {
			Key string `json:"public_key"`
		} `json:"detail"`
	}
	p.call(http.PostForm(p.link.Get("url"), url.Values{"enrollment_credential": p.link["enrollment_credential"], "serial": p.link["serial"],
		"fbtoken": {"no_firebase_token"}, "pubkey": {base64.StdEncoding.EncodeToString(der)}, "capabilities": {`["decline_reason"]`}}))(&said)
	der, err = base64.StdEncoding.DecodeString(said.Detail.Key)
	if err != nil {
		t.Fatal(err)
	}
	if p.server, err = x509.ParsePKCS1PublicKey(der); err != nil {
		t.Fatal(err)
	}
	return p
}

// call reads an answer, which must be a good one.
func (p *PrivacyIDEAPhone) call(res *http.Response, err error) func(into any) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
	return func(into any) {
		p.t.Helper()
		defer res.Body.Close()
		if err := json.NewDecoder(res.Body).Decode(into); err != nil || res.StatusCode != http.StatusOK {
			p.t.Fatalf("%d %v: %+v", res.StatusCode, err, into)
		}
	}
}

func (p *PrivacyIDEAPhone) sign(text string) string {
	digest := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, p.key, crypto.SHA256, digest[:])
	if err != nil {
		p.t.Fatal(err)
	}
	return base32.StdEncoding.EncodeToString(signature)
}

// Await asks until a request waits, and looks at the server's signature.
func (p *PrivacyIDEAPhone) Await() map[string]string {
	p.t.Helper()
	for end := time.Now().Add(maxWait); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		timestamp := time.Now().UTC().Format("2006-01-02T15:04:05.000000Z")
		var said struct {
			Result struct {
				Value []map[string]string `json:"value"`
			} `json:"result"`
		}
		p.call(http.Get(p.link.Get("url") + "?" + url.Values{"serial": p.link["serial"], "timestamp": {timestamp},
			"signature": {p.sign(p.link.Get("serial") + "|" + timestamp)}, "capabilities": {`["decline_reason"]`}}.Encode()))(&said)
		if len(said.Result.Value) == 0 {
			continue
		}
		c := said.Result.Value[0]
		signed := []string{c["nonce"], c["url"], c["serial"], c["question"], c["title"], c["sslverify"]}
		if options := c["require_presence"]; options != "" {
			signed = append(signed, options)
		}
		digest := sha256.Sum256([]byte(strings.Join(signed, "|")))
		raw, err := base32.StdEncoding.DecodeString(c["signature"])
		if err == nil {
			err = rsa.VerifyPKCS1v15(p.server, crypto.SHA256, digest[:], raw)
		}
		if err != nil {
			p.t.Fatalf("the app would drop %v: %v", c, err)
		}
		return c
	}
	p.t.Fatal("no request comes to the phone")
	return nil
}

// Answer approves, with the number picked if there is one to pick, and reports
// what the server thinks of it.
func (p *PrivacyIDEAPhone) Answer(c map[string]string, picked string) bool {
	p.t.Helper()
	text := c["nonce"] + "|" + c["serial"]
	form := url.Values{"serial": {c["serial"]}, "nonce": {c["nonce"]}}
	if picked != "" {
		text += "|" + picked
		form.Set("presence_answer", picked)
	}
	form.Set("signature", p.sign(text))
	var said struct {
		Result struct {
			Value bool `json:"value"`
		} `json:"result"`
	}
	p.call(http.PostForm(c["url"], form))(&said)
	return said.Result.Value
}
