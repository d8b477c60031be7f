package main

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// A transcriptRun is an installation made by the program as it is shipped, and a shell in the
// folder around it, as an operator has.
type transcriptRun struct {
	t    *testing.T
	home string
	env  []string
	mask *strings.Replacer
}

// stages are the circumstances under which every command must say the same.
var stages = []string{"sqlite", "postgres", "server"}

// newTranscriptRun makes an installation by init and, if name is "server", serves it until
// the test ends.
func newTranscriptRun(t *testing.T, name string) *transcriptRun {
	program := buildProgram(t)
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("localhost:%d", l.Addr().(*net.TCPAddr).Port)
	l.Close()
	s := &transcriptRun{t: t, home: t.TempDir(), mask: strings.NewReplacer()}
	s.env = []string{"PATH=" + filepath.Dir(program) + ":" + os.Getenv("PATH"), "HOME=" + s.home, "LC_ALL=C.UTF-8",
		"SUDO_USER=operator", "LATCHKEY_DIR=server", "LATCHKEY_LISTEN=" + address, "LATCHKEY_BASE_URL=http://" + address,
		"LATCHKEY_MAIL_FOLDER=mails", "LATCHKEY_MAIL_FROM=login@example.org"}
	hidden := []string{s.home, "~", address, "localhost:8080"}
	if name == "postgres" {
		source := storetest.Empty(t)["postgres"]
		if source == "" {
			t.Skip("TEST_POSTGRES names no server")
		}
		s.env = append(s.env, "LATCHKEY_DATABASE="+source)
		hidden = append(hidden, source, "postgres://…")
	}
	s.mask = strings.NewReplacer(hidden...)
	if out, err := s.bash(`latchkey init --name "Example Hospital"`).CombinedOutput(); err != nil {
		t.Fatalf("init: %v\n%s", err, out)
	}
	if name == "server" {
		s.serve("http://" + address)
	}
	return s
}

// serial is a word for the number of the only authenticator there is, or of the only one
// of a kind.
const serial = `serial() { latchkey authenticator list | awk -v kind="${1:-}" 'NR > 1 && (kind == "" || $2 == kind) { print $1 }'; }; `

// bash is a line typed on the stage.
func (s *transcriptRun) bash(line string) *exec.Cmd {
	cmd := exec.CommandContext(s.t.Context(), "bash", "-c", "set -o pipefail; "+serial+line)
	cmd.Dir, cmd.Env = s.home, s.env
	return cmd
}

// serve runs the program's server until the test ends.
func (s *transcriptRun) serve(base string) {
	s.t.Helper()
	var log syncBuffer
	cmd := s.bash("exec latchkey serve")
	cmd.Env = append(cmd.Env, "LATCHKEY_STOP_DELAY=0s")
	cmd.Stderr = &log
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { // the test's context has ended, and told it to stop
		if err := cmd.Wait(); cmd.ProcessState.ExitCode() != exitOK {
			s.t.Errorf("serve: %v\n%s", err, log.String())
		}
	})
	for end := time.Now().Add(maxWait); ; time.Sleep(20 * time.Millisecond) {
		if res, err := http.Get(base + "/readyz"); err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(end) {
			s.t.Fatalf("not ready:\n%s", log.String())
		}
	}
}

// What is another each time is masked, so that the rest can be compared.
var masks = []struct {
	what *regexp.Regexp
	by   string
}{
	{regexp.MustCompile(`\b([a-z]{3}_)[a-z2-7]{26}\b`), "$1…"},
	{regexp.MustCompile(`\b20\d\d-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?Z?`), "TIME"},
	{regexp.MustCompile(`\bLK-[0-9A-Z]+(-[0-9A-Z]+)*\b`), "LK-…"},
	{regexp.MustCompile(`\bsecret=[A-Z2-7]+`), "secret=…"},
	{regexp.MustCompile(`\benrollment_credential=[0-9a-f]+`), "enrollment_credential=…"},
	{regexp.MustCompile(`%2Flocalhost%3A\d+`), "%2FHERE"},
	{regexp.MustCompile(`(Client id +|client_id": ")\S{10,}?("|\n)`), "$1…$2"},
	{regexp.MustCompile(`((?:Client )?[Ss]ecret +|client_secret": ")\S{20,}?("|\n)`), "$1…$2"},
	{regexp.MustCompile(`(?m)(^[ █▀▄]+\n)+`), "(QR code)\n"},
	{regexp.MustCompile(`\bv0\.0\.0-\S+|\(devel\)`), "VERSION"},
	{regexp.MustCompile(`\(.*go1\.\d+.*\)`), "(GO)"},
	{regexp.MustCompile(`TIME +(waiting|sent) +TIME`), "TIME  waiting or sent  TIME"},
	{regexp.MustCompile(`(INVITED +MAIL) +UNTIL`), "$1  UNTIL"}, // as wide as the word below
	{regexp.MustCompile(`\b\d+ rows of \d+ tables`), "N rows of N tables"},
	{regexp.MustCompile(`("secret": ")[A-Z2-7]+`), "$1…"},
	{regexp.MustCompile(`(shown this once: )\d{4} \d{4}`), "${1}CODE"},
	{regexp.MustCompile(`("passcode": ")\d+`), "${1}CODE"},
	{regexp.MustCompile(`\b([0-9A-Z]{4}-){3}[0-9A-Z]{4}\b`), "CODE"},
	{regexp.MustCompile(` +\n`), "\n"},
}

func (s *transcriptRun) masked(text string) string {
	text = s.mask.Replace(text)
	for _, m := range masks {
		text = m.what.ReplaceAllString(text, m.by)
	}
	return text
}

// runLine runs a line and returns what a terminal would show.
func (s *transcriptRun) runLine(line string) string {
	s.t.Helper()
	out, err := s.bash(line).CombinedOutput()
	said := s.masked(string(out))
	if said != "" && !strings.HasSuffix(said, "\n") {
		said += "\n"
	}
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		said += fmt.Sprintf("[exit %d]\n", failed.ExitCode())
	} else if err != nil {
		s.t.Fatalf("%s: %v", line, err)
	}
	return said
}

// replay types all lines of a transcript anew.
func (s *transcriptRun) replay(transcript string) string {
	s.t.Helper()
	var b strings.Builder
	for line := range strings.Lines(transcript) {
		command, ok := strings.CutPrefix(line, "$ ")
		if ok {
			b.WriteString(line + s.runLine(strings.TrimSuffix(command, "\n")))
		} else if strings.HasPrefix(line, "# ") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// transcripts are sessions at a terminal: what is typed stands after "$ ", what
// was said below. A line "# on: sqlite" keeps one to some stages.
func transcripts(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", "transcripts", "*.txt"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	all := make(map[string]string)
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(path)] = string(text)
	}
	return all
}

// Every transcript happens again just so: on SQLite, on PostgreSQL, and beside a
// server that runs.
func TestTranscripts(t *testing.T) {
	for name, want := range transcripts(t) {
		on := stages
		if first, ok := strings.CutPrefix(want, "# on: "); ok {
			line, _, _ := strings.Cut(first, "\n")
			on = strings.Fields(line)
		}
		for _, where := range on {
			t.Run(strings.TrimSuffix(name, ".txt")+"/"+where, func(t *testing.T) {
				if *update && where != on[0] {
					t.Skip("the first stage writes what was said")
				}
				got := newTranscriptRun(t, where).replay(want)
				if *update {
					golden(t, filepath.Join("transcripts", name), got)
				} else if got != want {
					t.Errorf("%s", difference(got, want))
				}
			})
		}
	}
}

// difference shows the first line in which two texts differ, after the line
// that was typed.
func difference(got, want string) string {
	typed := ""
	a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("after %q\ngot  %s\nwant %s", typed, strings.Join(a[i:min(i+8, len(a))], "\n     "), b[i])
		}
		if strings.HasPrefix(a[i], "$ ") {
			typed = a[i]
		}
	}
	return fmt.Sprintf("got %d lines, want %d", len(a), len(b))
}

var commandTyped = regexp.MustCompile(`\blatchkey((?: [a-z][a-z-]*)+)`)

// commandOf finds the command a line types, if any.
func commandOf(model *kong.Application, words string) *kong.Node {
	node := model.Node
	for _, word := range strings.Fields(words) {
		if child := childOf(node, word); child != nil {
			node = child
		}
	}
	return node
}

// No command without a transcript in which it is typed.
func TestTranscripts_OfEveryCommand(t *testing.T) {
	all := commandModel(t)
	typed := make(map[string]bool)
	for _, text := range transcripts(t) {
		lines := bufio.NewScanner(strings.NewReader(text))
		for lines.Scan() {
			if line, ok := strings.CutPrefix(lines.Text(), "$ "); ok {
				for _, words := range commandTyped.FindAllStringSubmatch(line, -1) {
					typed[pathOf(commandOf(all, words[1]))] = true
				}
			}
		}
	}
	var missing []string
	for _, leaf := range all.Leaves(false) {
		if path := pathOf(leaf); !typed[path] {
			missing = append(missing, path)
		}
	}
	if slices.Sort(missing); len(missing) > 0 {
		t.Errorf("no transcript of: %s", strings.Join(missing, ", "))
	}
}
