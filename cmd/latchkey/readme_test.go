package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/phone"
)

// readmeBlock is the first block of code below a heading of the README, or below a text in
// it.
func readmeBlock(t *testing.T, below string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), below)
	_, rest, _ = strings.Cut(rest, "\n```\n")
	block, _, whole := strings.Cut(rest, "\n```\n")
	if !found || !whole {
		t.Fatalf("README.md has no block of code below %q", below)
	}
	return block
}

// commandsOf parts a block of code into its commands: a line, those that a backslash joins
// to it, and a document that follows it.
func commandsOf(block string) (all []string) {
	var command, end string
	for line := range strings.Lines(block) {
		command += line
		line = strings.TrimRight(line, "\n")
		if _, after, ok := strings.Cut(line, "<<"); ok && end == "" {
			end = after
			continue
		}
		if strings.HasSuffix(line, "\\") || end != "" && line != end {
			continue
		}
		all = append(all, command)
		command, end = "", ""
	}
	return all
}

// certificateFor writes a certificate for a host, and its key, and returns who trusts it.
func certificateFor(t *testing.T, host, certFile, keyFile string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{host},
		IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return pool
}

// freePort is a port on which nothing listens.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// What the README says of running it is typed line by line, with the program as it is
// built, and then somebody signs in for the first time. Only what no test has is other:
// the folders, the port, the certificate, the mail server, and where the name leads.
func TestQLT1_ReadmeRunIt(t *testing.T) {
	program := buildProgram(t)
	home := t.TempDir()
	box, port := mailbox(t)
	listen := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	if err := os.MkdirAll(filepath.Join(home, "ssl"), 0o700); err != nil {
		t.Fatal(err)
	}
	trusted := certificateFor(t, "login.example.org", filepath.Join(home, "ssl", "login.pem"), filepath.Join(home, "ssl", "login.key"))
	metadata := `<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://payroll.example.org/saml">
		<SPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"><AssertionConsumerService
		Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="https://payroll.example.org/acs" index="0"/></SPSSODescriptor></EntityDescriptor>`
	if err := os.WriteFile(filepath.Join(home, "payroll.xml"), []byte(metadata), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Dir(program), filepath.Join(home, "bin")); err != nil {
		t.Fatal(err)
	}
	here := strings.NewReplacer("/var/lib/latchkey", filepath.Join(home, "data"), "/etc/ssl/", filepath.Join(home, "ssl")+"/", "--listen :443", "--listen "+listen)
	command := func(text string) *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), "bash", "-euc", here.Replace(text))
		cmd.Dir = home
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "LATCHKEY_MAIL_HOST=127.0.0.1", fmt.Sprint("LATCHKEY_MAIL_PORT=", port), "LATCHKEY_MAIL_TLS=none", "LATCHKEY_STOP_DELAY=0s"}
		return cmd
	}
	commands := commandsOf(readmeBlock(t, "\n## Run it\n"))
	last := len(commands) - 1
	if last < 4 || !strings.HasPrefix(commands[last], "bin/latchkey serve ") {
		t.Fatalf("commands in the README: %q", commands)
	}
	for _, text := range commands[:last] {
		cmd := command(text)
		cmd.Stdin = strings.NewReader("correct horse battery\n") // for the command that asks for a password
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s%v\n%s", text, err, out)
		}
	}
	var log syncBuffer
	serve := command("exec " + commands[last])
	serve.Stderr = &log
	serve.Cancel = func() error { return serve.Process.Signal(syscall.SIGTERM) }
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := serve.Wait(); serve.ProcessState.ExitCode() != exitOK {
			t.Errorf("serve: %v\n%s", err, log.String())
		}
	})

	// The name leads here, as if it were entered in DNS.
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if address != "login.example.org:443" {
				return nil, fmt.Errorf("%s was asked for", address)
			}
			return new(net.Dialer).DialContext(ctx, network, listen)
		}}
	t.Cleanup(transport.CloseIdleConnections)
	for end := time.Now().Add(maxWait); ; time.Sleep(20 * time.Millisecond) {
		res, err := (&http.Client{Transport: transport}).Get("https://login.example.org/readyz")
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				break
			}
		}
		if time.Now().After(end) {
			t.Fatalf("not ready: %v\n%s", err, log.String())
		}
	}
	b := newBrowser(t)
	b.client.Transport = transport
	b.open("https://login.example.org/t/default/me")
	b.post("username", "anna.berg")
	if !strings.Contains(b.page, "Example Hospital") || strings.Contains(b.page, ">default<") {
		t.Errorf("whose page is it?\n%s", b.page)
	}
	b.post("password", "correct horse battery", "do", "continue")
	b.post("do", "continue") // send me the code
	var code string
	for end := time.Now().Add(maxWait); code == ""; time.Sleep(20 * time.Millisecond) {
		for _, m := range box.Mails() {
			if found := regexp.MustCompile(`Your code is ([0-9]{6})`).FindStringSubmatch(m.Text); found != nil {
				code = found[1]
			}
		}
		if time.Now().After(end) {
			t.Fatalf("no mail with a code\n%s", log.String())
		}
	}
	b.post("code", code, "do", "continue")
	b.post("platform", "android", "do", "continue")
	app := &phone.Phone{Dir: filepath.Join(home, "phone"), HTTP: &http.Client{Transport: transport}}
	account, err := app.Activate(t.Context(), phone.Activation{Base: "https://login.example.org", Code: b.find(`id="short-code"[^>]*>([^<]+)<`), Name: "Terminal"})
	if err != nil || account.Organisation != "Example Hospital" {
		t.Fatalf("account: %+v, %v", account, err)
	}
	b.post("do", "continue")
	passcode, err := app.Passcode(t.Context(), account.ID)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.page, `name="passcode"`) {
		b.post("method", "passcode", "do", "continue")
	}
	b.post("passcode", passcode.Code, "do", "continue")
	if b.at.String() != "https://login.example.org/t/default/me" || !strings.Contains(b.page, "anna.berg") {
		t.Errorf("the first sign-in ended at %s:\n%s", b.at, b.page)
	}
}

// What the README says of the authenticator for the terminal can be typed from what the
// pages show: the short code and the server's address, the id of a request, the number.
func TestReadme_Phone(t *testing.T) {
	program := buildProgram(t)
	t.Setenv("LATCHKEY_MAIL_FOLDER", "mails")
	t.Setenv("LATCHKEY_MAIL_FROM", "login@example.org")
	p := installation{t, filepath.Join(t.TempDir(), "server")}
	base := startServer(t, p.dir)
	p.succeeds("correct horse\n", "user", "add", "anna", "--mail", "anna@example.org")
	commands := commandsOf(readmeBlock(t, "An authenticator for the terminal"))
	if len(commands) != 4 {
		t.Fatalf("commands in the README: %q", commands)
	}
	home := t.TempDir()
	if err := os.Symlink(filepath.Dir(program), filepath.Join(home, "bin")); err != nil {
		t.Fatal(err)
	}
	typed := func(text, want string, shown ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "bash", "-euc", strings.NewReplacer(shown...).Replace(text))
		cmd.Dir, cmd.Env = home, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home}
		out, err := cmd.CombinedOutput()
		if err != nil || !regexp.MustCompile(want).Match(out) {
			t.Fatalf("%s%v\n%s\nwant %s", text, err, out, want)
		}
		return string(out)
	}

	b := newBrowser(t)
	b.open(base + "/")
	b.post("username", "anna")
	b.post("password", "correct horse", "do", "continue")
	b.post("do", "continue") // send me the code
	b.post("code", awaitMailCode(t, filepath.Join(p.dir, "mails")), "do", "continue")
	b.post("platform", "android", "do", "continue")
	if qr, details := strings.Index(b.page, `class="qr"`), strings.Contains(b.page, "<details><summary>"); qr < 0 || details {
		t.Errorf("the page has a QR code at %d; something is behind a link: %t\n%s", qr, details, b.page)
	}
	code := b.find(`id="short-code"[^>]*>([0-9A-Z]{4}-[0-9A-Z]{4})<`)
	if where := strings.TrimPrefix(base, "http://"); !strings.Contains(b.page, where) {
		t.Errorf("the page does not show %s", where)
	}
	typed(commands[0], "is active, push is enabled", "7KQ2-M9XF", code, "http://localhost:8080", base)
	typed(commands[1], `^\d{6}\n$`)
	b.post("do", "continue") // done; on to the choice
	b.post("method", "push", "do", "continue")
	number := b.find(`class="number"[^>]*>([0-9]+)<`)
	id := regexp.MustCompile(`psh_\w+`).FindString(typed(commands[2], `psh_\w+`))
	typed(commands[3], "approved", "psh_…", id, "47", number)
	b.post("do", "continue") // I have approved it
	if b.at.Path != "/t/default/me" {
		t.Errorf("arrived at %s:\n%s", b.at, b.page)
	}
}
