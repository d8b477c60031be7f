package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// built is the server, as it is measured: without the race detector.
func built(t *testing.T) string {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("the bench reads /proc, which only Linux has")
	}
	binary := filepath.Join(t.TempDir(), "latchkey")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "../../cmd/latchkey")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, said)
	}
	return binary
}

// Every scenario works on every database at hand, and the JSON holds all that
// was measured.
func TestEveryScenario(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a server")
	}
	var out, said bytes.Buffer
	if code := run(t.Context(), []string{"--quick", "--json", "--binary", built(t)}, &out, &said); code != 0 {
		t.Fatalf("exit code %d\n%s%s", code, said.String(), out.String())
	}
	var report Report
	decoder := json.NewDecoder(&out)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&report); err != nil {
		t.Fatal(err)
	}
	want := []string{"SQLite"}
	if os.Getenv("TEST_POSTGRES") != "" {
		want = append(want, "PostgreSQL")
	}
	var got []string
	for _, run := range report.Runs {
		got = append(got, run.Database)
		run.whole(t)
	}
	if !slices.Equal(got, want) {
		t.Errorf("measured on %v, want %v", got, want)
	}
}

// whole checks that nothing is missing from a run. How fast it was is no
// question for a test: it shares its machine with others.
func (run Run) whole(t *testing.T) {
	t.Helper()
	m := run.Machine
	for what, value := range map[string]float64{"hash/s": m.HashPerSecond, "hash": m.HashMS, "RSA": m.RSAMS, "XML": m.XMLMS,
		"ES256": m.ES256MS, "fsync": m.FsyncMS, "ready": run.ReadyMS, "idle": run.IdleMiB} {
		if value <= 0 {
			t.Errorf("%s: %s is %g", run.Database, what, value)
		}
	}
	var names []string
	for _, row := range run.Rows {
		names = append(names, row.Scenario)
		if row.Done == 0 || row.Failed != 0 || row.MedianMS <= 0 || row.P99MS < row.MedianMS || row.PeakMiB <= 0 {
			t.Errorf("%s: %+v", run.Database, row)
		}
	}
	want := scenarioNames()
	if run.Database == "SQLite" {
		want = slices.DeleteFunc(want, func(name string) bool { return name == "nodes" })
	}
	if !slices.Equal(names, want) {
		t.Errorf("%s: scenarios %v, want %v", run.Database, names, want)
	}
	if len(run.Targets) < len(run.Rows) {
		t.Errorf("%s: %d targets of %d scenarios", run.Database, len(run.Targets), len(run.Rows))
	}
}

// A login that fails makes the run fail, whatever else was fast.
func TestFailuresFail(t *testing.T) {
	for want, r := range map[int]Run{
		0: {Rows: []Row{{Done: 1000}}},
		2: {Rows: []Row{{Done: 1000}, {Done: 1000, Failed: 2}}, Complaints: 1},
		3: {Rows: []Row{{Done: 1000}, {Done: 1000, Failed: 2}}, Complaints: 3},
	} {
		if got := (Report{Runs: []Run{r}}).failed(); got != want {
			t.Errorf("%d failed, want %d", got, want)
		}
	}
	if got := complaintsIn([]byte(`{"level":"INFO"}` + "\n" + `{"level":"ERROR"}` + "\n")); got != 1 {
		t.Errorf("%d complaints, want 1", got)
	}
}

func TestWrongUse(t *testing.T) {
	for _, tt := range []struct {
		args []string
		says string
	}{
		{[]string{"--only", "slient"}, `no scenario "slient"`},
		{[]string{"--duration", "0s"}, "positive"},
		{[]string{"--base", "bin/other", "--rounds", "1"}, "two rounds"},
		{[]string{"fresh"}, "no arguments"},
		{[]string{"--fast"}, "-fast"},
	} {
		var out, said bytes.Buffer
		if code := run(t.Context(), tt.args, &out, &said); code != 2 || !strings.Contains(said.String(), tt.says) {
			t.Errorf("%v: exit code %d, want 2; said %q, want %q", tt.args, code, said.String(), tt.says)
		}
	}
}
