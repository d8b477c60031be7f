package latchkey_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// make run takes an address, and without one leaves it to the demo.
func TestMakeRun(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"run", "ADDR=localhost:9000"}, "./bin/latchkey demo --addr localhost:9000"},
		{[]string{"run"}, "./bin/latchkey demo"},
	} {
		out, err := exec.CommandContext(t.Context(), "make", append([]string{"-n", "--no-print-directory"}, tt.args...)...).CombinedOutput()
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		if got := strings.TrimSpace(lines[len(lines)-1]); err != nil || got != tt.want {
			t.Errorf("make %s: %v, runs %q last, want %q", strings.Join(tt.args, " "), err, got, tt.want)
		}
	}
}

// What make build builds of a clean clone knows its commit, whatever GOFLAGS says of it.
// (scripts/reproduce shows that it is the same to the byte each time.) Without -buildvcs in
// the Makefile it does not.
func TestMakeBuild_KnowsItsCommit(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	git := func(args ...string) string {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), "git", args...).Output()
		if err != nil {
			t.Fatalf("git %s: %v", strings.Join(args, " "), err)
		}
		return strings.TrimSpace(string(out))
	}
	head := git("rev-parse", "HEAD")
	clone := filepath.Join(t.TempDir(), "clone")
	git("clone", "-q", "--no-hardlinks", ".", clone)
	git("-C", clone, "checkout", "-q", head)
	// The Makefile as it is here, committed or not, so that this test is of it.
	text, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	makefile := filepath.Join(t.TempDir(), "Makefile")
	if err := os.WriteFile(makefile, text, 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "make", "-f", makefile, "build")
	build.Dir, build.Env = clone, append(os.Environ(), "GOFLAGS=-buildvcs=false")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("make build: %v\n%s", err, out)
	}
	out, err := exec.CommandContext(t.Context(), filepath.Join(clone, "bin", "latchkey"), "version", "--json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var version struct {
		Version, Commit string
		Modified        bool
	}
	if err := json.Unmarshal(out, &version); err != nil {
		t.Fatal(err)
	}
	if version.Commit != head || version.Modified || version.Version == "" || version.Version == "(devel)" {
		t.Errorf("version %+v, want commit %s, unmodified", version, head)
	}
}
