package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// maxWait is how long a server or a mail may take before a test gives up. It is long
// because the processors may be busy with other tests.
const maxWait = 30 * time.Second

// A writer is a log written by one goroutine and read by another.
type writer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (w *writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(p)
}

func (w *writer) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.String()
}

// serving runs serve in a folder until the test ends, and returns its base.
func serving(t *testing.T, dir string) string {
	t.Helper()
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	base := fmt.Sprintf("http://localhost:%d", l.Addr().(*net.TCPAddr).Port)
	l.Close()
	t.Setenv("LATCHKEY_BASE_URL", base)
	t.Setenv("LATCHKEY_LISTEN", strings.TrimPrefix(base, "http://"))
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var log writer
	code := make(chan int, 1)
	go func() { code <- run(ctx, []string{"serve", "--dir", dir}, nil, io.Discard, &log) }()
	t.Cleanup(func() {
		stop()
		if got := <-code; got != fine || !strings.Contains(log.String(), "stopping") {
			t.Errorf("serve: exit %d\n%s", got, log.String())
		}
	})
	for end := time.Now().Add(maxWait); ; time.Sleep(10 * time.Millisecond) {
		res, err := http.Get(base + "/readyz")
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return base
			}
		}
		if time.Now().After(end) {
			t.Fatalf("not ready: %v\n%s", err, log.String())
		}
	}
}

// serve in an empty folder makes what init makes, and commands work beside it.
func TestServe(t *testing.T) {
	p := place{t, filepath.Join(t.TempDir(), "house")}
	base := serving(t, p.dir)
	p.ok("correct horse\n", "user", "add", "anna", "--mail", "anna@example.org")
	if users := read[[]userRow](p, "", "user", "list"); len(users) != 1 {
		t.Errorf("users: %+v", users)
	}
	added := read[struct {
		appRow
		Issuer   string `json:"issuer"`
		ClientID string `json:"client_id"`
		Secret   string `json:"client_secret"`
	}](p, "", "app", "add", "oidc", "--name", "Wiki", "--redirect-uri", "https://wiki.example.org/a,b")
	if added.Issuer != base+"/t/default" || added.ClientID == "" || added.Secret == "" {
		t.Errorf("added: %+v", added)
	}
	// The running server knows it at once: its answer goes to the application.
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Get(added.Issuer + "/oauth/authorize?response_type=code&scope=openid&prompt=none&state=s&client_id=" + added.ClientID +
		"&redirect_uri=https://wiki.example.org/a,b&code_challenge_method=S256&code_challenge=" + strings.Repeat("a", 43))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if to := res.Header.Get("Location"); res.StatusCode != http.StatusSeeOther || !strings.Contains(to, "/begin/") {
		t.Errorf("authorize: %s, to %s", res.Status, to)
	}
	sp := `<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://payroll.example.org/saml">
		<SPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
			<AssertionConsumerService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="https://payroll.example.org/acs" index="0"/>
		</SPSSODescriptor></EntityDescriptor>`
	saml := read[struct {
		appRow
		Metadata string `json:"metadata"`
	}](p, sp, "app", "add", "saml", "--metadata", "-", "--name", "Payroll")
	if saml.Identifier != "https://payroll.example.org/saml" || saml.Name != "Payroll" {
		t.Errorf("added: %+v", saml)
	}
	if res, err := client.Get(saml.Metadata); err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("our metadata at %s: %v, %v", saml.Metadata, res, err)
	} else {
		res.Body.Close()
	}
	p.refused(failed, "already", sp, "app", "add", "saml", "--metadata", "-")
	p.refused(failed, "metadata: ", "<x", "app", "add", "saml", "--metadata", "-")
	p.ok(`{"rules":[{"name":"payroll","applications":["Payroll"],"require":["password"]},{"name":"rest","require":["password","otp"]}]}`, "policy", "set", "access")
	p.ok("", "app", "list")
	p.refused(failed, "redirect URI", "", "app", "add", "oidc", "--name", "Bad", "--redirect-uri", "http://wiki.example.org/")
	p.refused(failed, `no authenticator "LK-1"`, "", "authenticator", "revoke", "LK-1")
	if out := p.ok("", "authenticator", "list", "--json"); strings.TrimSpace(out) != "[]" {
		t.Errorf("authenticators: %s", out)
	}
}

func TestServe_BadConfiguration(t *testing.T) {
	p := furnish(t, "--base-url", "https://login.example.org")
	p.refused(failed, "set tls_cert and tls_key", "", "serve")
}

func TestPhone_Use(t *testing.T) {
	p := place{t, t.TempDir()}
	p.refused(misuse, "--base and --code", "", "phone", "activate")
	p.refused(misuse, "--base and --code", "", "phone", "activate", "--base", "https://login.example.org")
	p.refused(misuse, "--not-me", "", "phone", "deny", "psh_x")
	p.refused(failed, "neither https nor a loopback address", "", "phone", "activate", "http://login.example.org/authenticator/#v1.x")
	p.refused(failed, "no such account", "", "phone", "passcode")
	if out := p.ok("", "phone", "list", "--json"); strings.TrimSpace(out) != "[]" {
		t.Errorf("accounts: %s", out)
	}
}
