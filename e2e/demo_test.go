package e2e

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
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

	t   *testing.T
	bin string
	dir string

	addr    string
	process *exec.Cmd
	log     *syncBuffer
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
	if testing.Short() {
		t.Skip("a whole demo takes longer than -short allows")
	}
	bin, err := build()
	if err != nil {
		t.Fatal(err)
	}
	d := &Demo{t: t, bin: bin, dir: filepath.Join(t.TempDir(), "demo"), addr: freeAddr(t), log: new(syncBuffer)}
	t.Cleanup(d.finish)
	d.Start()
	return d
}

// Start runs the demo in its folder and reads where everything is. After Kill it
// comes up again as what it was, at the same address.
func (d *Demo) Start() {
	d.t.Helper()
	d.process = exec.Command(d.bin, "demo", "--json", "--dir", d.dir, "--addr", d.addr)
	d.process.Stderr = d.log
	stdout, err := d.process.StdoutPipe()
	if err != nil {
		d.t.Fatal(err)
	}
	if err := d.process.Start(); err != nil {
		d.t.Fatal(err)
	}
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
	case <-time.After(patience):
		d.t.Fatalf("demo --json said nothing for %v\n%s", patience, d.log)
	}
	d.awaitReady()
}

func (d *Demo) awaitReady() {
	d.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		res, err := http.Get(d.Mailbox)
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
			err = fmt.Errorf("mailbox: %s", res.Status)
		}
		if time.Now().After(end) {
			d.t.Fatalf("demo is not ready: %v\n%s", err, d.log)
		}
	}
}

// Kill ends the demo the way a power cut does: no signal handler runs.
func (d *Demo) Kill() {
	d.t.Helper()
	if err := d.process.Process.Kill(); err != nil {
		d.t.Fatal(err)
	}
	d.process.Wait()
	d.process = nil
}

// finish stops the demo politely, which must work, and looks at what it said.
func (d *Demo) finish() {
	if d.process != nil {
		d.t.Helper()
		end(d.t, d.process)
	}
	listen(d.t, d.log)
}

// end asks a process of ours to stop and waits until it has.
func end(t *testing.T, process *exec.Cmd) {
	t.Helper()
	process.Process.Signal(os.Interrupt)
	done := make(chan struct{})
	go func() { process.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(patience):
		process.Process.Kill()
		<-done
		t.Errorf("%s did not stop within %v of being asked to", filepath.Base(process.Path), patience)
	}
}

// listen looks for what no log of ours may have, and shows the log of a test
// that failed.
func listen(t *testing.T, log *syncBuffer) {
	t.Helper()
	said := log.String()
	for _, bad := range []string{"DATA RACE", "panic: ", "panic serving"} {
		if strings.Contains(said, bad) {
			t.Errorf("the log has %q", bad)
		}
	}
	if t.Failed() {
		t.Logf("the log:\n%s", said)
	}
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
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		if mails := d.mailsTo(to); len(mails) > before {
			return mails[len(mails)-1]
		}
		if time.Now().After(end) {
			d.t.Fatalf("no mail to %s came within %v; the mailbox has %+v", to, patience, d.Mails())
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

// scratch is a folder for what the tests of a run share.
var scratch string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "latchkey-e2e")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	scratch = dir
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

// build makes the program once for all tests of a run. TestMain removes it.
var build = sync.OnceValues(func() (string, error) { return buildWith("latchkey") })

// buildRaced makes it with the flags in TEST_RACE, which scripts/test sets to those
// of the race detector: for servers whose requests come at the same time.
var buildRaced = sync.OnceValues(func() (string, error) {
	flags := strings.Fields(os.Getenv("TEST_RACE"))
	if len(flags) == 0 {
		return build()
	}
	return buildWith("latchkey-raced", flags...)
})

// raced says that buildRaced uses the race detector.
func raced() bool { return os.Getenv("TEST_RACE") != "" }

func buildWith(name string, flags ...string) (string, error) {
	bin := filepath.Join(scratch, name)
	args := append([]string{"build", "-ldflags=-w", "-o", bin}, flags...)
	out, err := exec.Command("go", append(args, "github.com/latchkey-id/latchkey/cmd/latchkey")...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return bin, nil
}

// freeAddr returns an address on which nothing listens. No two tests get the same,
// and the port is below those that the system takes for outgoing connections.
func freeAddr(t *testing.T) string {
	t.Helper()
	var lc net.ListenConfig
	for range 100 {
		addr := fmt.Sprintf("localhost:%d", firstPort+int(portsTaken.Add(1))%10_000)
		if l, err := lc.Listen(t.Context(), "tcp", addr); err == nil {
			l.Close()
			return addr
		}
	}
	t.Fatal("no port is free")
	return ""
}

const firstPort = 20_000

// portsTaken begins at another number in each process: another run may be under way.
var portsTaken = func() *atomic.Int64 {
	n := new(atomic.Int64)
	n.Store(int64(os.Getpid()) * 97)
	return n
}()

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

// A syncBuffer is a log written by one goroutine and read by another.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
