package e2e

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A Demo is a `latchkey demo` in a process and a folder of its own.
type Demo struct {
	Base         string        `json:"base"`
	Tenant       string        `json:"tenant"`
	Mailbox      string        `json:"mailbox"`
	Applications []Application `json:"applications"`
	Users        []User        `json:"users"`

	*program

	addr string
}

// An Application is one that people sign in to, at its own address.
type Application struct {
	Name     string `json:"name"`
	Protocol string `json:"protocol"`
	URL      string `json:"url"`
}

// A User is one of the demo's people.
type User struct {
	Name          string `json:"name"`
	Password      string `json:"password"`
	Mail          string `json:"mail"`
	Authenticator bool   `json:"authenticator"` // has one already
	Target        bool   `json:"target"`        // may enrol one
	Seed          string `json:"seed"`          // of the one that came with the demo
}

// A Mail is one that the demo's mail server took.
type Mail struct {
	To      string `json:"to"`
	Subject string `json:"subject"`
	Text    string `json:"text"`
}

// StartDemo starts a fresh demo and stops it with the test.
func StartDemo(t *testing.T) *Demo {
	t.Helper()
	d := &Demo{program: newProgram(t, build), addr: freeAddr(t)}
	d.Start()
	return d
}

// Start runs the demo in its folder and reads where everything is. After Kill it
// comes up again as what it was, at the same address.
func (d *Demo) Start() {
	d.t.Helper()
	cmd := d.command("demo", "--json", "--addr", d.addr)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		d.t.Fatal(err)
	}
	d.serve(cmd)
	read := make(chan error, 1)
	go func() {
		read <- json.NewDecoder(stdout).Decode(d)
		io.Copy(io.Discard, stdout)
	}()
	select {
	case err := <-read:
		if err != nil {
			d.t.Fatalf("demo --json: %v\n%s", err, d.log)
		}
	case <-time.After(maxWait):
		d.t.Fatalf("demo --json said nothing for %v\n%s", maxWait, d.log)
	}
	awaitPage(d.t, d.Mailbox)
}

// Restart kills the demo and starts it again.
func (d *Demo) Restart() {
	d.t.Helper()
	d.Kill()
	d.Start()
}

// Application returns the one that speaks the protocol, "saml" or "oidc".
func (d *Demo) Application(protocol string) Application {
	d.t.Helper()
	for _, a := range d.Applications {
		if a.Protocol == protocol {
			return a
		}
	}
	d.t.Fatalf("demo has no application by %s, only %v", protocol, d.Applications)
	return Application{}
}

// Newcomer returns somebody who has no authenticator and may enrol one.
func (d *Demo) Newcomer() User {
	d.t.Helper()
	for _, u := range d.Users {
		if u.Target && !u.Authenticator {
			return u
		}
	}
	d.t.Fatalf("demo has nobody who may enrol, only %+v", d.Users)
	return User{}
}

// Owner returns one of those whose authenticator came with the demo, another
// for each language: a passcode works once.
func (d *Demo) Owner(lang string) User {
	d.t.Helper()
	n := map[string]int{"en": 0, "de": 1, "ar": 2}[lang]
	for _, u := range d.Users {
		if u.Seed == "" {
			continue
		}
		if n == 0 {
			return u
		}
		n--
	}
	d.t.Fatalf("demo has too few authenticators, only %+v", d.Users)
	return User{}
}

// Mails returns what is in the mailbox now.
func (d *Demo) Mails() []Mail {
	d.t.Helper()
	res, err := http.Get(d.Mailbox + "?format=json")
	if err != nil {
		d.t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		d.t.Fatalf("mailbox: %s", res.Status)
	}
	var mails []Mail
	if err := json.NewDecoder(res.Body).Decode(&mails); err != nil {
		d.t.Fatalf("mailbox: %v", err)
	}
	return mails
}

// AwaitMail waits until the mailbox has more mails than before to the address,
// and returns the newest.
func (d *Demo) AwaitMail(to string, before int) Mail {
	d.t.Helper()
	for end := time.Now().Add(maxWait); ; time.Sleep(50 * time.Millisecond) {
		if mails := d.mailsTo(to); len(mails) > before {
			return mails[len(mails)-1]
		}
		if time.Now().After(end) {
			d.t.Fatalf("no mail to %s came within %v; the mailbox has %+v", to, maxWait, d.Mails())
		}
	}
}

func (d *Demo) mailsTo(address string) []Mail {
	d.t.Helper()
	var found []Mail
	for _, m := range d.Mails() {
		if strings.Contains(m.To, address) {
			found = append(found, m)
		}
	}
	return found
}

// runDir is a folder for what the tests of a run share.
var runDir string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "latchkey-e2e")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	runDir = dir
	// Much of what these tests do is wait: for a page, for a request to expire, for a
	// push service that never answers. The command line still has the last word.
	if err := flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0))); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	stopSharedChromium()
	os.RemoveAll(dir)
	os.Exit(code)
}

// need finds a program or a file the tests cannot do without. Its absence is a
// skip on a desk and an error in CI, where it would hide that nothing ran.
func need(t *testing.T, what string, found bool) {
	t.Helper()
	switch {
	case found:
	case os.Getenv("CI") != "":
		t.Fatalf("%s is missing; scripts/prepare should have installed it", what)
	default:
		t.Skipf("%s is missing; make test installs it", what)
	}
}
