package main

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"
)

// A Report is all that was measured, as --json prints it. Times are in
// milliseconds, memory is in MiB.
type Report struct {
	At       time.Time `json:"at"`
	Duration string    `json:"duration"` // of each scenario
	Runs     []Run     `json:"runs"`
}

// A Run is the scenarios on one database.
type Run struct {
	Database   string   `json:"database"`
	Machine    Machine  `json:"machine"`
	ReadyMS    float64  `json:"ready_ms"`   // from the start to ready, on a folder that exists
	IdleMiB    float64  `json:"idle_mib"`   // at rest
	Complaints int      `json:"complaints"` // failures of its own that the server logged
	Rows       []Row    `json:"scenarios"`
	Targets    []Target `json:"targets"`
}

// A Row is one scenario. ServerMS is what the server's process spent on CPUs for
// one login, its share of everything in the background included; DriverMS is
// what the load spent, on the same machine. Rates and CPU are zero where only a
// moment is timed.
type Row struct {
	Scenario  string   `json:"scenario"`
	Title     string   `json:"title"`
	Browsers  int      `json:"browsers"`
	Done      int      `json:"done"`
	Failed    int      `json:"failed"`
	Errors    []string `json:"errors,omitempty"`
	PerSecond float64  `json:"per_second"`
	PerCore   float64  `json:"per_core_second"` // per second of the server's CPU time
	MedianMS  float64  `json:"median_ms"`
	P95MS     float64  `json:"p95_ms"`
	P99MS     float64  `json:"p99_ms"`
	ServerMS  float64  `json:"server_cpu_ms"`
	DriverMS  float64  `json:"driver_cpu_ms"`
	Others    float64  `json:"others_percent"` // of the machine, used by neither: PostgreSQL, or unrelated processes
	PeakMiB   float64  `json:"peak_mib"`

	// Of what was done once as a whole: how long that took.
	TookSeconds float64 `json:"took_seconds,omitempty"`

	// Of what is done for two kinds of people in turn: by how much the medians of what
	// they wait differ, at the most.
	DifferencePercent float64 `json:"difference_percent,omitempty"`

	// What the expensive part of it did alone, in the same minutes; empty where
	// there is none to compare with.
	Alone          string  `json:"alone,omitempty"`
	AlonePerSecond float64 `json:"alone_per_second,omitempty"`
	AloneMS        float64 `json:"alone_cpu_ms,omitempty"`
}

// A Target is a figure that shall be reached, and what was.
type Target struct {
	Name string  `json:"name"`
	Got  float64 `json:"got"`
	Want float64 `json:"want"`
	Unit string  `json:"unit"`
	Most bool    `json:"most,omitempty"` // Want is the most, else the least
	Met  bool    `json:"met"`
}

// note adds what failed.
func (row *Row) note(m reading) {
	row.Failed += m.failed
	row.Errors = append(row.Errors, m.errors...)
	row.Errors = row.Errors[:min(len(row.Errors), fewErrors)]
}

// times says how long it took.
func (row *Row) times(m reading) {
	row.Done = len(m.each)
	row.MedianMS, row.P95MS, row.P99MS = milliseconds(m.quantile(0.5)), milliseconds(m.quantile(0.95)), milliseconds(m.quantile(0.99))
}

// rates says how often it was done, and at what expense.
func (row *Row) rates(m reading, used spent) {
	if row.Done == 0 {
		return
	}
	row.PerSecond = float64(row.Done) / m.took.Seconds()
	row.Others = max(0, 100*float64(used.all-used.server-used.driver)/float64(int64(runtime.NumCPU())*int64(m.took)))
	row.ServerMS = milliseconds(used.server) / float64(row.Done)
	row.DriverMS = milliseconds(used.driver) / float64(row.Done)
	if used.server > 0 {
		row.PerCore = float64(row.Done) / used.server.Seconds()
	}
}

// failed counts all that must not have happened: logins that failed, and what
// the server logged as its own failures, which may be the same ones.
func (r Report) failed() (n int) {
	for _, run := range r.Runs {
		logins := 0
		for _, row := range run.Rows {
			logins += row.Failed
		}
		n += max(logins, run.Complaints)
	}
	return n
}

func complaintsIn(log []byte) int { return bytes.Count(log, []byte(`"level":"ERROR"`)) }

// hashMiB is the memory of one hash.
const hashMiB = 19

// judge compares what was measured with what shall be reached.
func (run *Run) judge() {
	least := func(name string, got, want float64, unit string) {
		run.Targets = append(run.Targets, Target{name, got, want, unit, false, got >= want})
	}
	most := func(name string, got, want float64, unit string) {
		run.Targets = append(run.Targets, Target{name, got, want, unit, true, got < want})
	}
	without := run.IdleMiB // memory of a server at work that hashes nothing
	for _, row := range run.Rows {
		if row.Done == 0 {
			continue
		}
		switch row.Scenario {
		case "fresh":
			least("Fresh logins, of what the hash alone allows, by rate", 100*row.PerSecond/row.AlonePerSecond, 85, "%")
			least("Fresh logins, of what the hash alone allows, by the server's CPU", 100*row.AloneMS/row.ServerMS, 85, "%")
			most("Fresh login, CPU beside the hash", row.ServerMS-row.AloneMS, 5, "ms")
		case "passcode":
			without = max(without, row.PeakMiB)
			most("Fresh login without password, CPU", row.ServerMS, 5, "ms")
		case "crowd":
			most("64 at once, logins that failed", float64(row.Failed), 1, "")
			most("64 at once, memory beyond logins without a hash and one hash a core", row.PeakMiB-without-hashMiB*float64(run.Machine.Cores), hashMiB, "MiB")
		case "silent":
			least("Silent sign-on, a core", row.PerCore, 400, "/s")
		case "saml":
			least("SAML sign-on, of two complete XML signatures, by the server's CPU", 100*2*row.AloneMS/row.ServerMS, 70, "%")
		case "refresh":
			least("Refresh, a core", row.PerCore, 1000, "/s")
		case "push":
			most("Approval to browser, median", row.MedianMS, 100, "ms")
		case "nodes":
			most("Approval to browser at another node, median", row.MedianMS, 200, "ms")
		case "flood":
			most("Single sign-on while wrong passwords are typed, 95th percentile", row.P95MS, 250, "ms")
		case "waiting":
			most("All that waited, answered in", row.TookSeconds, 60, "s")
			most("Approval to browser while all wait, median", row.MedianMS, 100, "ms")
			most("Approval to browser while all wait, 99th percentile", row.P99MS, 500, "ms")
			most("Memory while all wait", row.PeakMiB, 300, "MiB")
		case "names":
			most("Answers to a user's name and to nobody's, difference of medians", row.DifferencePercent, mostDifference, "%")
		case "check":
			most("A passcode checked against 5 authenticators, median", row.MedianMS, 2, "ms")
		case "expiry":
			most("Unused among 200,000 authenticators found and changed in", row.TookSeconds, 30, "s")
			most("Its longest transaction, in which nobody else writes", row.P99MS, 50, "ms")
		case "import":
			most("10,000 tokens of a PSKC file, imported in", row.TookSeconds, 20, "s")
			most("A batch of it, in which nobody else writes, 99th percentile", row.P99MS, 50, "ms")
		}
	}
	most("Ready on an existing folder", run.ReadyMS, 500, "ms")
	most("Memory at rest", run.IdleMiB, 60, "MiB")
}

// table writes the report for people.
func (r Report) table(w io.Writer) error {
	var b strings.Builder
	for _, run := range r.Runs {
		m := run.Machine
		fmt.Fprintf(&b, "%s · %s, %d cores · %s · %s a scenario\n", run.Database, m.CPU, m.Cores, m.Go, r.Duration)
		fmt.Fprintf(&b, "Server and load share these cores: rates are of both together, \"a core\" is a second of the server's CPU time.\n"+
			"\"Others\" is what neither used of the machine meanwhile: PostgreSQL's own processes, or unrelated ones that spoil the figures.\n\n")
		t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintln(t, "\tat once\tdone\tfailed\tper s\ta core\tmedian ms\tp99 ms\tserver CPU ms\tload CPU ms\tothers %\tpeak MiB\t")
		for _, row := range run.Rows {
			fmt.Fprintln(t, row.line())
		}
		if err := t.Flush(); err != nil {
			return err
		}
		fmt.Fprintf(&b, "\nThis machine alone: argon2id %.1f/s on all cores, %.2f ms each; RSA-2048 %.2f ms; complete XML signature %.2f ms; ES256 %.3f ms; fsync %.2f ms.\n",
			m.HashPerSecond, m.HashMS, m.RSAMS, m.XMLMS, m.ES256MS, m.FsyncMS)
		for _, row := range run.Rows {
			if row.Alone != "" {
				fmt.Fprintf(&b, "Beside %q: %s %.1f/s, %.2f ms of CPU each.\n", row.Title, row.Alone, row.AlonePerSecond, row.AloneMS)
			}
		}
		b.WriteString("\n")
		t = tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		for _, target := range run.Targets {
			fmt.Fprintln(t, target.line())
		}
		if err := t.Flush(); err != nil {
			return err
		}
		if run.Complaints > 0 {
			fmt.Fprintf(&b, "The server logged %d failures of its own.\n", run.Complaints)
		}
		for _, row := range run.Rows {
			for _, e := range row.Errors {
				fmt.Fprintf(&b, "%s: %s\n", row.Scenario, e)
			}
		}
		b.WriteString("\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (row Row) line() string {
	if row.PerSecond == 0 { // of a moment only its length is known
		return fmt.Sprintf("%s\t%d\t%d\t%d\t\t\t%.1f\t%.1f\t\t\t\t%.0f\t", row.Title, row.Browsers, row.Done, row.Failed,
			row.MedianMS, row.P99MS, row.PeakMiB)
	}
	return fmt.Sprintf("%s\t%d\t%d\t%d\t%.1f\t%.0f\t%.1f\t%.1f\t%.2f\t%.2f\t%.0f\t%.0f\t", row.Title, row.Browsers, row.Done, row.Failed,
		row.PerSecond, row.PerCore, row.MedianMS, row.P99MS, row.ServerMS, row.DriverMS, row.Others, row.PeakMiB)
}

func (t Target) line() string {
	bound, verdict := "at least", "met"
	if t.Most {
		bound = "below"
	}
	if !t.Met {
		verdict = "MISSED"
	}
	return fmt.Sprintf("%s\t%.1f %s\t%s %g %s\t%s", t.Name, t.Got, t.Unit, bound, t.Want, t.Unit, verdict)
}
