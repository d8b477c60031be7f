package main

import (
	"bytes"
	"encoding/csv"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/report"
)

// What somebody typed for a user name is shown to operators, and does nothing
// to them: no formula in a spreadsheet, no second line in a table or a log, no
// writing that runs backwards over what follows (attack 19). Taken out: the
// apostrophe, and a spreadsheet would have fetched the address; printable, and
// the table had a row that never was.
func TestADM7_HostileNamesInThePushReport(t *testing.T) {
	for _, typed := range []string{`=HYPERLINK("https://evil.example/","anna")`, "+1", "@SUM(A1)", "anna\n2026-01-01  boss", "anna\u202egnik", "<b>anna</b>",
		"\tanna", "anna\x1b[2J"} {
		row := report.Push{At: time.Unix(0, 0), Name: typed, User: typed, Application: typed, Place: typed, Presence: "enter", Outcome: "approved", ID: "psh_1"}
		say := func(asCSV, asJSON bool) string {
			t.Helper()
			var out bytes.Buffer
			p, err := pushes.printer(&shell{flags: &commands{JSON: asJSON}, stdout: &out}, asCSV)
			if err != nil {
				t.Fatal(err)
			}
			err = printAll(p, func(yield func(report.Push, error) bool) { yield(row, nil) })
			if err != nil {
				t.Fatal(err)
			}
			return out.String()
		}
		rows, err := csv.NewReader(strings.NewReader(say(true, false))).ReadAll()
		if err != nil || len(rows) != 2 {
			t.Fatalf("%q: %d rows of CSV, %v, want 2", typed, len(rows), err)
		}
		for _, cell := range rows[1] {
			if cell != "" && strings.ContainsAny(cell[:1], "=+-@\t") {
				t.Errorf("%q: a cell %q that is a formula", typed, cell)
			}
		}
		if table := say(false, false); strings.Count(table, "\n") != 2 || strings.ContainsAny(table, "\u202e\x1b\t") {
			t.Errorf("%q: a table of %q", typed, table)
		}
		if told := say(false, true); strings.Contains(told, "\x1b") || strings.Count(told, "anna\n") > 0 {
			t.Errorf("%q: JSON of %q", typed, told)
		}
	}
}

// An outcome nobody can have is refused, with the nearest.
func TestADM7_ReportPushRefuses(t *testing.T) {
	p := newInstallation(t)
	p.fails(exitFailed, `did you mean "expired"`, "", "report", "push", "--outcome", "expird")
	p.succeeds("", "user", "add", "anna", "--no-password")
	p.fails(exitFailed, `did you mean "anna"`, "", "report", "push", "--user", "anan")
	p.fails(exitUsage, "exclude each other", "", "report", "push", "--csv", "--json")
	p.fails(exitUsage, "--limit", "", "report", "push", "--limit", "-1")
	if rows := read[[]report.Push](p, "", "report", "push", "--outcome", "waiting"); len(rows) != 0 {
		t.Errorf("%+v", rows)
	}
}
