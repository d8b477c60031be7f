package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/phone"
)

// A House is a `latchkey serve` in a process and a folder of its own, furnished
// by the commands an operator types beside it. One user is at home in it; mails
// are files.
type House struct {
	Base string
	User User

	t      *testing.T
	bin    string
	dir    string
	source string // of the database
	phone  *phone.Phone
}

// StartHouse starts a fresh server on an empty database and stops it with the
// test.
func StartHouse(t *testing.T, source string) *House {
	t.Helper()
	if testing.Short() {
		t.Skip("a whole server takes longer than -short allows")
	}
	bin, err := buildRaced()
	if err != nil {
		t.Fatal(err)
	}
	h := &House{t: t, bin: bin, dir: filepath.Join(t.TempDir(), "house"), source: source, Base: "http://" + freeAddr(t),
		phone: &phone.Phone{Dir: filepath.Join(t.TempDir(), "phone")}}
	log := new(syncBuffer)
	server := h.command("serve")
	server.Stderr = log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		end(t, server)
		listen(t, log)
	})
	awaitPage(t, h.Base+"/readyz")
	h.User = User{Name: "anna.berg", Password: "correct horse battery", Mail: "anna@example.org"}
	h.run(nil, "", "group", "add", "Nurses")
	h.run(nil, h.User.Password+"\n", "user", "add", h.User.Name, "--mail", h.User.Mail, "--display-name", "Anna Berg", "--group", "Nurses")
	return h
}

func (h *House) command(args ...string) *exec.Cmd {
	cmd := exec.Command(h.bin, append(args, "--dir", h.dir)...)
	cmd.Env = append(os.Environ(), "LATCHKEY_BASE_URL="+h.Base, "LATCHKEY_DATABASE="+h.source,
		"LATCHKEY_MAIL_FOLDER=mails", "LATCHKEY_MAIL_FROM=login@example.org", "LATCHKEY_TENANT=default")
	return cmd
}

// Issuer is what the first tenant is called by OpenID Connect.
func (h *House) Issuer() string { return h.Base + "/t/default" }

// run types a command that must succeed and reads what it says, as JSON, into
// v; nil for nothing.
func (h *House) run(v any, stdin string, args ...string) {
	h.t.Helper()
	cmd := h.command(append(args, "--json")...)
	cmd.Stdin = strings.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		h.t.Fatalf("latchkey %s: %v\n%s", strings.Join(args, " "), err, &stderr)
	}
	if v == nil {
		return
	}
	if err := json.Unmarshal(out, v); err != nil {
		h.t.Fatalf("latchkey %s --json: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// SignIn goes the whole way into an application, enrolling an authenticator on
// the house's phone in the middle of it and reading a passcode from that.
func (h *House) SignIn(b *Browser, application string) {
	h.t.Helper()
	w := &Walk{Desk: b, User: h.User, App: Application{URL: application}}
	w.SignIn()
	w.TypeMailed(h.awaitCode)
	w.PickPlatform("linux")
	account, err := h.phone.Activate(h.t.Context(), phone.Activation{Base: h.Base, Code: w.ShortCode(), Name: "Terminal"})
	if err != nil {
		h.t.Fatal(err)
	}
	w.wake()
	w.TypePasscode(func() string {
		code, err := h.phone.Passcode(h.t.Context(), account.ID)
		if err != nil {
			h.t.Fatal(err)
		}
		return code.Code
	})
}

var mailedCode = regexp.MustCompile(`(?:Your code is|Ihr Code ist) ([0-9]{6})`)

// awaitCode waits for the first mail and returns the code in it.
func (h *House) awaitCode() string {
	h.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if codes := h.mailedCodes(); len(codes) > 0 {
			return codes[0]
		}
	}
	h.t.Fatalf("no mail with a code came within %v", patience)
	return ""
}

// mailedCodes are the codes in the mails there are.
func (h *House) mailedCodes() (codes []string) {
	h.t.Helper()
	mails, err := filepath.Glob(filepath.Join(h.dir, "mails", "*.eml"))
	if err != nil {
		h.t.Fatal(err)
	}
	for _, mail := range mails {
		text, err := os.ReadFile(mail)
		if err != nil {
			h.t.Fatal(err)
		}
		if found := mailedCode.FindSubmatch(text); found != nil {
			codes = append(codes, string(found[1]))
		}
	}
	return codes
}

// awaitPage waits until an address answers 200.
func awaitPage(t *testing.T, address string) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		res, err := http.Get(address)
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
			err = fmt.Errorf("it answers %s", res.Status)
		}
		if time.Now().After(end) {
			t.Fatalf("%s is not ready after %v: %v", address, patience, err)
		}
	}
}
