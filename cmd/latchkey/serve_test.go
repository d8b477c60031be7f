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

// A syncBuffer is a log written by one goroutine and read by another.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (w *syncBuffer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(p)
}

func (w *syncBuffer) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.String()
}

// startServer runs serve in a folder until the test ends, and returns its base.
func startServer(t *testing.T, dir string) string {
	t.Helper()
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	base := fmt.Sprintf("http://localhost:%d", l.Addr().(*net.TCPAddr).Port)
	l.Close()
	t.Setenv("LATCHKEY_BASE_URL", base)
	t.Setenv("LATCHKEY_STOP_DELAY", "0s")
	t.Setenv("LATCHKEY_LISTEN", strings.TrimPrefix(base, "http://"))
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var log syncBuffer
	code := make(chan int, 1)
	go func() { code <- run(ctx, []string{"serve", "--dir", dir}, nil, io.Discard, &log) }()
	t.Cleanup(func() {
		stop()
		if got := <-code; got != exitOK || !strings.Contains(log.String(), "stopping") {
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
	p := installation{t, filepath.Join(t.TempDir(), "server")}
	base := startServer(t, p.dir)
	p.succeeds("correct horse\n", "user", "add", "anna", "--mail", "anna@example.org")
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
	p.fails(exitFailed, "already", sp, "app", "add", "saml", "--metadata", "-")
	p.fails(exitFailed, "metadata: ", "<x", "app", "add", "saml", "--metadata", "-")
	p.succeeds(`{"rules":[{"name":"payroll","applications":["Payroll"],"require":["password"]},{"name":"rest","require":["password","otp"]}]}`, "policy", "set", "access")
	p.succeeds("", "app", "list")
	p.fails(exitFailed, "redirect URI", "", "app", "add", "oidc", "--name", "Bad", "--redirect-uri", "http://wiki.example.org/")
	p.fails(exitFailed, `no authenticator "LK-1"`, "", "authenticator", "revoke", "LK-1")
	if out := p.succeeds("", "authenticator", "list", "--json"); strings.TrimSpace(out) != "[]" {
		t.Errorf("authenticators: %s", out)
	}
}

func TestServe_BadConfiguration(t *testing.T) {
	p := newInstallation(t, "--base-url", "https://login.example.org")
	p.fails(exitFailed, "set tls_cert and tls_key", "", "serve")
}

func TestPhone_Use(t *testing.T) {
	p := installation{t, t.TempDir()}
	p.fails(exitUsage, "give the short code and --base", "", "phone", "activate")
	p.fails(exitUsage, "give the short code and --base", "", "phone", "activate", "--base", "https://login.example.org")
	for _, code := range [][]string{{"7KQ2-M9XF"}, {"7kq2m9xf"}, {"--code", "7KQ2-M9XF"}} {
		p.fails(exitUsage, "is a short code: say by --base which server it is for", "", append([]string{"phone", "activate"}, code...)...)
	}
	p.fails(exitUsage, "do not go with it", "", "phone", "activate", "https://login.example.org/authenticator/#v1.x", "--code", "7KQ2-M9XF")
	p.fails(exitUsage, "--not-me", "", "phone", "deny", "psh_x")
	p.fails(exitFailed, "neither https nor a loopback address", "", "phone", "activate", "http://login.example.org/authenticator/#v1.x")
	p.fails(exitFailed, "no such account", "", "phone", "passcode")
	if out := p.succeeds("", "phone", "list", "--json"); strings.TrimSpace(out) != "[]" {
		t.Errorf("accounts: %s", out)
	}
}
