package e2e

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"encoding/xml"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

const (
	mfa        = "https://refeds.org/profile/mfa"
	persistent = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
)

// A RelyingParty is one on a library that others wrote, in a process of its own: a
// site whose pages say what the library said. The programs are in the folder
// clients.
type RelyingParty struct {
	Base string
	t    *testing.T
	desk *Browser
}

// startRelyingParty runs a program and gives it what it must know. It is at base.
func startRelyingParty(t *testing.T, desk *Browser, base string, given map[string]any, command ...string) *RelyingParty {
	t.Helper()
	given["base"] = base
	text, err := json.Marshal(given)
	if err != nil {
		t.Fatal(err)
	}
	log := new(syncBuffer)
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(os.Environ(), "RELYING_PARTY="+string(text))
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("%s said:\n%s", strings.Join(command, " "), log)
		}
	})
	s := &RelyingParty{Base: base, t: t, desk: desk}
	awaitPage(t, base+"/ready")
	return s
}

// open opens a page of the relying party and waits for the answer of the library
// that it comes to, after however many redirects.
func (s *RelyingParty) open(path string) {
	s.t.Helper()
	s.desk.Open(s.Base + path)
	s.desk.Await("an answer of the library", `location.href.startsWith("`+s.Base+`") && document.querySelector("#told, #refused")`)
}

// accepted reads from the page what the library said, which must not be a refusal.
func accepted[T any](s *RelyingParty) T {
	s.t.Helper()
	s.desk.Await("what the library says", seen("#told, #refused"))
	if s.desk.Has("#refused") {
		s.t.Fatalf("the library refuses: %s", s.desk.Text("#refused"))
	}
	var v T
	if err := json.Unmarshal([]byte(s.desk.Text("#told")), &v); err != nil {
		s.t.Fatal(err)
	}
	return v
}

// refused opens a page on which the library must refuse, and say why.
func (s *RelyingParty) refused(path, why string) {
	s.t.Helper()
	s.open(path)
	if s.desk.Has("#told") {
		s.t.Errorf("%s: the library took it: %.300s", path, s.desk.Text("#told"))
	} else if said := s.desk.Text("#refused"); !regexp.MustCompile(why).MatchString(said) {
		s.t.Errorf("%s: refused for another reason than %q: %s", path, why, said)
	}
}

// refusesTampered lets the library have answers that somebody changed on their way;
// each must be refused for its own reason. It is of a browser that is signed in.
func (s *RelyingParty) refusesTampered(answers [][2]string) {
	s.t.Helper()
	for _, a := range answers {
		s.refused("/?spoil="+a[0], a[1])
	}
}

func needNode(t *testing.T) {
	t.Helper()
	old := exec.CommandContext(t.Context(), "node", "-e", "process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)").Run()
	need(t, "node 20 or newer", old == nil)
	_, err := os.Stat("clients/node_modules")
	need(t, "node_modules of e2e/clients", err == nil)
}

// openid-client goes the whole way: a login with a passcode, a refresh that
// rotates, and a logout, and what is not so must be noticed on either side.
func TestClients_OIDC1_OpenIDClient(t *testing.T) {
	t.Parallel()
	needNode(t)
	process := chromium(t)
	storetest.EachSource(t, func(t *testing.T, source string) {
		h := StartServer(t, source)
		base := "http://" + freeAddr(t)
		var app struct {
			ID     string `json:"client_id"`
			Secret string `json:"client_secret"`
		}
		h.run(&app, "", "app", "add", "oidc", "--name", "Wiki", "--redirect-uri", base+"/callback", "--post-logout-uri", base+"/goodbye", "--offline")
		desk := Browse(t, process, Profile{})
		s := startRelyingParty(t, desk, base, map[string]any{"issuer": h.Issuer(), "client_id": app.ID, "client_secret": app.Secret}, "node", "clients/oidc.mjs")

		began := time.Now().Truncate(time.Second)
		h.SignIn(desk, s.Base)
		type person struct {
			Claims struct {
				Iss, Sub, ACR, Sid string
				Aud, AMR           []string
				AuthTime           int64 `json:"auth_time"`
			}
			Userinfo struct {
				Sub, Name, Email string
				Username         string `json:"preferred_username"`
				Groups           []string
			}
			Scope   string
			Rotated bool
		}
		first := accepted[person](s)
		c, u := first.Claims, first.Userinfo
		if c.Iss != h.Issuer() || !slices.Equal(c.Aud, []string{app.ID}) || c.ACR != mfa || !slices.Equal(c.AMR, []string{"pwd", "otp", "mfa"}) || c.Sid == "" {
			t.Errorf("ID token %+v", c)
		}
		if at := time.Unix(c.AuthTime, 0); at.Before(began) || at.After(time.Now()) {
			t.Errorf("auth_time %v, want between %v and now", at, began)
		}
		if c.Sub == "" || strings.Contains(c.Sub, "anna") || u.Sub != c.Sub || u.Name != "Anna Berg" || u.Username != "anna.berg" ||
			u.Email != "anna@example.org" || !slices.Equal(u.Groups, []string{"Nurses"}) {
			t.Errorf("subject %q, userinfo %+v", c.Sub, u)
		}

		s.refusesTampered([][2]string{
			{"state", "OAUTH_INVALID_RESPONSE|state"},
			{"issuer", "iss"},
			{"no-issuer", "iss"},
			{"code", "invalid_grant"},
			{"verifier", "invalid_grant"},
			{"nonce", "nonce"},
			{"subject", "signature"},
			{"audience", "aud"},
		})

		s.open("/refresh")
		again := accepted[person](s)
		if !again.Rotated || again.Claims.Sub != c.Sub || again.Claims.AuthTime != c.AuthTime || again.Userinfo.Email != u.Email {
			t.Errorf("after a refresh %+v", again)
		}
		s.open("/userinfo")
		accepted[any](s)
		type token struct {
			Active   bool
			Sub      string
			ClientID string `json:"client_id"`
		}
		s.open("/introspect")
		if got, want := accepted[token](s), (token{true, c.Sub, app.ID}); got != want {
			t.Errorf("the access token is said to be %+v, want %+v", got, want)
		}
		s.refused("/reuse", "invalid_grant")
		s.refused("/userinfo", `"status": 401`) // the family is ended, and what it gave
		s.open("/introspect")
		if got := accepted[token](s); got != (token{}) {
			t.Errorf("a token of a family that is ended is said to be %+v", got)
		}

		s.open("/logout")
		if out := accepted[map[string]string](s); out["state"] != "out" {
			t.Errorf("logged out with %v", out)
		}
		s.refused("/?spoil=none", "login_required") // it asks with prompt=none
	})
}

// node-saml: signed requests by Redirect.
func TestClients_SAML1_NodeSAML(t *testing.T) {
	t.Parallel()
	needNode(t)
	serviceProvider(t, [][2]string{
		{"name", "Invalid document signature"},
		{"audience", "Invalid document signature"},
		{"unsigned", "[Ii]nvalid (document )?signature"},
		{"response-unsigned", "[Ii]nvalid (document )?signature"},
		{"assertion-unsigned", "[Ii]nvalid (document )?signature"},
		{"wrapped", "[Ii]nvalid (document )?signature"},
		{"replay", "InResponseTo is not valid"},
	}, "node", "clients/saml.mjs")
}

// pysaml2: our metadata by its signature, signed requests by POST, and xmlsec1
// as what checks.
func TestClients_SAML1_PySAML2(t *testing.T) {
	t.Parallel()
	const python = "/usr/bin/python3" // Debian's: another has not Debian's packages
	need(t, "python3-pysaml2", exec.CommandContext(t.Context(), python, "-c", "import saml2").Run() == nil)
	serviceProvider(t, [][2]string{
		{"name", "SignatureError"},
		{"audience", "SignatureError"},
		{"unsigned", "SignatureError"},
		{"response-unsigned", "SignatureError"},
		{"assertion-unsigned", "SignatureError"},
		{"wrapped", "SignatureError|IndexError"},
		{"replay", "UnsolicitedResponse"},
	}, python, "clients/saml.py")
}

// serviceProvider goes the whole way with a service provider: its metadata to us,
// ours to it, a login with a passcode, another by the session; and it is to notice
// what was changed on the way.
func serviceProvider(t *testing.T, spoilt [][2]string, command ...string) {
	t.Helper()
	needXMLTools(t)
	process := chromium(t)
	storetest.EachSource(t, func(t *testing.T, source string) {
		h := StartServer(t, source)
		metadata := fetch(t, h.Issuer()+"/saml/metadata")
		var idp struct {
			EntityID    string `xml:"entityID,attr"`
			Certificate string `xml:"IDPSSODescriptor>KeyDescriptor>KeyInfo>X509Data>X509Certificate"`
		}
		if err := xml.Unmarshal(metadata, &idp); err != nil {
			t.Fatal(err)
		}
		der, err := base64.StdEncoding.DecodeString(idp.Certificate)
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		ours := write(t, dir, "idp.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
		key, certificate := keyPair(t, dir)
		verify(t, ours, "metadata:EntityDescriptor", metadata)
		validate(t, "metadata", metadata)

		desk := Browse(t, process, Profile{})
		xmlsec, _ := exec.LookPath("xmlsec1")
		s := startRelyingParty(t, desk, "http://"+freeAddr(t), map[string]any{"key": key, "certificate": certificate, "xmlsec": xmlsec,
			"idp": map[string]string{"entity_id": idp.EntityID, "certificate": ours, "sso": h.Issuer() + "/saml/sso"}}, command...)
		h.run(nil, string(fetch(t, s.Base+"/metadata")), "app", "add", "saml", "--metadata", "-", "--name", "Payroll")

		type person struct {
			NameID     string `json:"name_id"`
			Format     string
			Issuer     string
			Session    string
			Context    string
			Attributes map[string]any
			Response   string
		}
		h.SignIn(desk, s.Base)
		first := accepted[person](s)
		s.open("/")
		second := accepted[person](s)
		for _, p := range []person{first, second} {
			if p.Format != persistent || len(p.NameID) < 32 || strings.Contains(p.NameID, "anna") || p.NameID != first.NameID {
				t.Errorf("NameID %q (%s), first %q", p.NameID, p.Format, first.NameID)
			}
			if p.Issuer != idp.EntityID || p.Session == "" || p.Context != mfa {
				t.Errorf("issuer %q, session %q, context %q", p.Issuer, p.Session, p.Context)
			}
			if got := attributes(p.Attributes); got != "displayName=Anna Berg isMemberOf=Nurses mail=anna@example.org uid=anna.berg" {
				t.Errorf("attributes %s", got)
			}
			response := []byte(p.Response)
			begin, end := bytes.Index(response, []byte("<saml:Assertion")), bytes.Index(response, []byte("</saml:Assertion>"))
			assertion := response[begin : end+len("</saml:Assertion>")]
			verify(t, ours, "protocol:Response", response)
			verify(t, ours, "assertion:Assertion", assertion)
			validate(t, "protocol", response)
			validate(t, "assertion", assertion)
		}
		s.refusesTampered(spoilt)
	})
}

// attributes says attributes in one way: libraries call them by their names or
// their friendly names, and give one value or a list.
func attributes(all map[string]any) string {
	friendly := map[string]string{"urn:oid:0.9.2342.19200300.100.1.1": "uid", "urn:oid:2.16.840.1.113730.3.1.241": "displayName",
		"urn:oid:0.9.2342.19200300.100.1.3": "mail", "urn:oid:1.3.6.1.4.1.5923.1.5.1.1": "isMemberOf"}
	var told []string
	for name, value := range all {
		if known, ok := friendly[name]; ok {
			name = known
		}
		if list, ok := value.([]any); ok && len(list) == 1 {
			value = list[0]
		}
		told = append(told, fmt.Sprintf("%s=%v", name, value))
	}
	slices.Sort(told)
	return strings.Join(told, " ")
}

// keyPair makes a service provider's key and certificate, as PEM files.
func keyPair(t *testing.T, dir string) (key, certificate string) {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "sp"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return write(t, dir, "key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})),
		write(t, dir, "certificate.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func write(t *testing.T, dir, name string, text []byte) (file string) {
	t.Helper()
	file = filepath.Join(dir, name)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func fetch(t *testing.T, address string) []byte {
	t.Helper()
	res, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", address, res.Status, err)
	}
	return body
}
