package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A program is Latchkey with a folder of its own, and the process that serves from
// it while one is running.
type program struct {
	t   *testing.T
	bin string
	dir string
	env []string // besides the test's own

	process *exec.Cmd
	log     *syncBuffer // of all processes that served
}

// newProgram prepares a folder. What serves from it in the end is stopped with the
// test, and its log is looked at.
func newProgram(t *testing.T, build func() (bin string, err error), env ...string) *program {
	t.Helper()
	if testing.Short() {
		t.Skip("a whole server takes longer than -short allows")
	}
	bin, err := build()
	if err != nil {
		t.Fatal(err)
	}
	p := &program{t: t, bin: bin, dir: filepath.Join(t.TempDir(), "data"), env: env, log: new(syncBuffer)}
	t.Cleanup(func() {
		if p.process != nil {
			p.stop()
		}
		p.checkLog()
	})
	return p
}

func (p *program) command(args ...string) *exec.Cmd {
	cmd := exec.Command(p.bin, append(args, "--dir", p.dir)...)
	// No balancer has to notice that it stops, where the test does not say so.
	cmd.Env = append(append(os.Environ(), "LATCHKEY_STOP_DELAY=0s"), p.env...)
	return cmd
}

// run runs a command of an operator, which must succeed, and reads what it prints,
// as JSON, into v; nil for nothing.
func (p *program) run(v any, stdin string, args ...string) {
	p.t.Helper()
	cmd := p.command(append(args, "--json")...)
	cmd.Stdin = strings.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		p.t.Fatalf("latchkey %s: %v\n%s%s", strings.Join(args, " "), err, out, &stderr)
	}
	if v == nil {
		return
	}
	if err := json.Unmarshal(out, v); err != nil {
		p.t.Fatalf("latchkey %s --json: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// setPolicy replaces a policy by a document.
func (p *program) setPolicy(kind, document string, flags ...string) {
	p.t.Helper()
	p.run(nil, document, append([]string{"policy", "set", kind}, flags...)...)
}

// serial returns that of a user's one authenticator.
func (p *program) serial(user string) string {
	p.t.Helper()
	var rows []struct{ Serial string }
	p.run(&rows, "", "authenticator", "list", "--user", user)
	if len(rows) != 1 {
		p.t.Fatalf("%s has %d authenticators, want one", user, len(rows))
	}
	return rows[0].Serial
}

// serve starts a command that serves until it is stopped.
func (p *program) serve(cmd *exec.Cmd) {
	p.t.Helper()
	p.process = cmd
	cmd.Stderr = p.log
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
}

// Kill ends the process the way a power cut does: no signal handler runs.
func (p *program) Kill() {
	p.t.Helper()
	if err := p.process.Process.Kill(); err != nil {
		p.t.Fatal(err)
	}
	p.process.Wait()
	p.process = nil
}

// stop asks the process to stop, which it must do, and waits until it has.
func (p *program) stop() {
	process := p.process
	p.process = nil
	process.Process.Signal(os.Interrupt)
	done := make(chan struct{})
	go func() { process.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(maxWait):
		process.Process.Kill()
		<-done
		p.t.Errorf("%s did not stop within %v of being asked to", filepath.Base(process.Path), maxWait)
	}
}

// maxLog is how much of the log of a failed test is shown: its end.
const maxLog = 16 << 10

// checkLog looks for what no log of ours may have, and shows the log of a test
// that failed.
func (p *program) checkLog() {
	text := p.log.String()
	for _, bad := range []string{"DATA RACE", "panic: ", "panic serving"} {
		if at := strings.Index(text, bad); at >= 0 {
			p.t.Errorf("the log has %q: %.4000s", bad, text[at:])
		}
	}
	if p.t.Failed() {
		p.t.Logf("the end of the log:\n%s", text[max(0, len(text)-maxLog):])
	}
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
	bin := filepath.Join(runDir, name)
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

// awaitPage waits until an address answers 200.
func awaitPage(t *testing.T, address string) {
	t.Helper()
	for end := time.Now().Add(maxWait); ; time.Sleep(20 * time.Millisecond) {
		res, err := http.Get(address)
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
			err = fmt.Errorf("it answers %s", res.Status)
		}
		if time.Now().After(end) {
			t.Fatalf("%s is not ready after %v: %v", address, maxWait, err)
		}
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
