package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/report"
	"github.com/latchkey-id/latchkey/internal/store"
)

// write writes events into the database, as a server beside it would.
func (p installation) write(events ...audit.Event) {
	p.t.Helper()
	s := &shell{flags: &commands{Dir: p.dir}, getenv: func(string) string { return "" }}
	err := s.inTenant(p.t.Context(), func(ts tenantScope) error {
		for _, e := range events {
			if e.User != "" {
				u, err := ts.db.Users().ByName(p.t.Context(), ts.tenant.ID, e.User)
				if err != nil {
					return err
				}
				e.User = u.ID
			}
			who := ts.who
			who.IP = "192.0.2.17"
			if err := ts.db.InTx(p.t.Context(), who, func(tx *store.Tx) error { return tx.Event(p.t.Context(), e) }); err != nil {
				return err
			}
			time.Sleep(2 * time.Millisecond) // within one, events have no order
		}
		return nil
	})
	if err != nil {
		p.t.Fatal(err)
	}
}

// parseTable reads CSV.
func (p installation) parseTable(text string) [][]string {
	p.t.Helper()
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		p.t.Fatalf("%v:\n%s", err, text)
	}
	return rows
}

func TestAuditExport(t *testing.T) {
	onEveryDatabase(t, func(t *testing.T, p installation) {
		p.succeeds("", "user", "add", "=cmd()", "--no-password", "--mail", "a@example.org")
		p.succeeds("", "user", "add", "bo", "--no-password")
		rows := p.parseTable(p.succeeds("", "audit", "export", "--action", "user.added"))
		if len(rows) != 3 || rows[0][0] != "time" || rows[1][1] != "user.added" || !strings.Contains(rows[1][15], "a@example.org") {
			t.Errorf("CSV: %q", rows)
		}
		var names []string
		for line := range strings.Lines(p.succeeds("", "audit", "export", "--json", "--action", "user")) {
			var e report.Event
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatalf("%v: %s", err, line)
			}
			names = append(names, e.Personal["name"])
		}
		if got := strings.Join(names, " "); got != "=cmd() bo" {
			t.Errorf("JSON lines, oldest first: %q", got)
		}
		all := p.parseTable(p.succeeds("", "audit", "export"))
		for _, tt := range []struct {
			args []string
			want int
		}{
			{[]string{"--user", "bo"}, 1},
			{[]string{"--since", "1h"}, len(all) - 1},
			{[]string{"--until", "1h"}, 0},
			{[]string{"--since", "2020-01-01", "--until", "2100-01-01"}, len(all) - 1},
			{[]string{"--actor", "command line"}, len(all) - 1},
			{[]string{"--actor", "nobody-at-all"}, 0},
			{[]string{"--action", "user", "--user", "bo"}, 1},
			{[]string{"--kind", "user.added"}, 2},
		} {
			if got := len(p.parseTable(p.succeeds("", append([]string{"audit", "export"}, tt.args...)...))) - 1; got != tt.want {
				t.Errorf("audit export %s: %d events, want %d", strings.Join(tt.args, " "), got, tt.want)
			}
		}
		actor := all[len(all)-1][4]
		who, _, _ := strings.Cut(actor, ":")
		if got := read[[]report.Event](p, "", "audit", "list", "--actor", who); len(got) != len(all)-1 {
			t.Errorf("%d events by %s, want %d", len(got), who, len(all)-1)
		}
		p.fails(exitUsage, "--until", "", "audit", "export", "--until", "yesterday")
		p.fails(exitUsage, "exclude", "", "audit", "export", "--until", "1h", "--follow")
		p.fails(exitUsage, "exclude", "", "audit", "list", "--csv", "--json")
		p.fails(exitFailed, `did you mean "user.added"`, "", "audit", "export", "--action", "user.aded")
	})
}

// follow runs a command until it is told to stop, and returns what it says.
func (p installation) follow(args ...string) (said *syncBuffer, stop func() (code int, complaint string)) {
	ctx, cancel := context.WithCancel(p.t.Context())
	var out, errs syncBuffer
	code := make(chan int, 1)
	go func() { code <- run(ctx, append(args, "--dir", p.dir), nil, &out, &errs) }()
	return &out, func() (int, string) {
		cancel()
		return <-code, errs.String()
	}
}

// waitFor waits until w holds a text, and returns how long that took.
func (w *syncBuffer) waitFor(t *testing.T, text string) time.Duration {
	t.Helper()
	began := time.Now()
	for !strings.Contains(w.String(), text) {
		if time.Since(began) > 10*time.Second {
			t.Fatalf("never says %q:\n%s", text, w.String())
		}
		time.Sleep(time.Millisecond)
	}
	return time.Since(began)
}

// Who follows the audit sees what another process does within a quarter of a
// second, ends it by an interrupt, and has done nothing wrong.
func TestAuditFollow(t *testing.T) {
	onEveryDatabase(t, func(t *testing.T, p installation) {
		p.succeeds("", "user", "add", "before", "--no-password")
		for _, args := range [][]string{{"audit", "list"}, {"audit", "list", "--json"}, {"audit", "list", "--csv"}, {"audit", "export"}, {"audit", "export", "--json"}} {
			said, stop := p.follow(append(args, "--follow", "--action", "user")...)
			said.waitFor(t, "before")
			least := time.Hour
			for i := range 3 {
				name := fmt.Sprintf("%s%d", strings.ReplaceAll(strings.Join(args, ""), "-", ""), i)
				p.succeeds("", "user", "add", name, "--no-password")
				least = min(least, said.waitFor(t, name))
				n := 0 // an event is a line in every form
				for line := range strings.Lines(said.String()) {
					if strings.Contains(line, name) {
						n++
					}
				}
				if n != 1 {
					t.Errorf("%s says %s %d times", strings.Join(args, " "), name, n)
				}
			}
			if least > 250*time.Millisecond {
				t.Errorf("%s: seen after %s, want 250 ms at most", strings.Join(args, " "), least)
			}
			if code, complaint := stop(); code != exitOK || complaint != "" {
				t.Errorf("%s, interrupted: exit %d, %s", strings.Join(args, " "), code, complaint)
			}
		}
		var errs bytes.Buffer
		if code := run(t.Context(), []string{"audit", "export", "--follow", "--dir", p.dir}, nil, brokenPipe{}, &errs); code != exitOK || errs.Len() > 0 {
			t.Errorf("following into a closed pipe: exit %d, %s", code, errs.String())
		}
	})
}

func TestENR18_ReportEnrollments(t *testing.T) {
	onEveryDatabase(t, func(t *testing.T, p installation) {
		p.succeeds("", "user", "add", "anna", "--no-password")
		p.succeeds("", "user", "add", "=bo", "--no-password")
		data := map[string]string{"activation": "act_1", "platform": "android", "template": "standard"}
		p.write(audit.Event{Kind: audit.EnrollCodeSent, User: "anna", Journey: "jrn_1"},
			audit.Event{Kind: audit.EnrollCodeRight, User: "anna", Journey: "jrn_1"},
			audit.Event{Kind: audit.EnrollNoMail, User: "=bo", Journey: "jrn_2"},
			audit.Event{Kind: audit.EnrollActivation, User: "anna", Journey: "jrn_1", Data: data},
			audit.Event{Kind: audit.EnrollFinished, User: "anna", Journey: "jrn_1", Data: data})
		rows := read[[]report.Enrollment](p, "", "report", "enrollments")
		if len(rows) != 2 {
			t.Fatalf("%d enrolments, want 2: %+v", len(rows), rows)
		}
		bo, anna := rows[0], rows[1]
		if bo.User != "=bo" || bo.Outcome != audit.NoMail || len(bo.Stages) != 1 {
			t.Errorf("bo: %+v", bo)
		}
		if anna.User != "anna" || anna.IP != "192.0.2.17" || anna.Platform != "android" || anna.Template != "standard" ||
			anna.Outcome != audit.Finished || len(anna.Stages) != 4 || anna.Stages[3].Kind != audit.EnrollFinished || anna.At.IsZero() {
			t.Errorf("anna: %+v", anna)
		}
		if got := p.parseTable(p.succeeds("", "report", "enrollments", "--csv", "--limit", "0")); len(got) != 3 || got[1][1] != "'=bo" || got[2][8] != "finished" {
			t.Errorf("CSV: %q", got)
		}
		if out := p.succeeds("", "report", "enrollments", "--user", "anna"); !strings.Contains(out, "code-sent +0s") || strings.Contains(out, "bo") {
			t.Errorf("of anna:\n%s", out)
		}
		for _, tt := range []struct {
			args []string
			want int
		}{{[]string{"--limit", "1"}, 1}, {[]string{"--since", "1h"}, 2}, {[]string{"--until", "1h"}, 0}, {[]string{"--user", anna.UserID}, 1}} {
			if got := read[[]report.Enrollment](p, "", append([]string{"report", "enrollments"}, tt.args...)...); len(got) != tt.want {
				t.Errorf("report enrollments %s: %d, want %d", strings.Join(tt.args, " "), len(got), tt.want)
			}
		}
		// Of who is removed, what happened stays: not who it was, nor from where.
		p.succeeds("", "user", "remove", "anna", "--yes")
		gone := read[[]report.Enrollment](p, "", "report", "enrollments", "--user", anna.UserID)
		if len(gone) != 1 || gone[0].User != anna.UserID || gone[0].IP != "" || gone[0].Outcome != audit.Finished {
			t.Errorf("of the removed one: %+v", gone)
		}
		p.fails(exitFailed, `there is no user "anna"`, "", "report", "enrollments", "--user", "anna")
		p.fails(exitUsage, "--limit", "", "report", "enrollments", "--limit=-1")
	})
}

func TestADM6_ReportActivity(t *testing.T) {
	onEveryDatabase(t, func(t *testing.T, p installation) {
		p.succeeds("", "user", "add", "anna", "--no-password")
		p.write(
			audit.Event{Kind: audit.PasswordWrong, User: "anna", Reason: "wrong password", Personal: map[string]string{"name": "Anna"}},
			audit.Event{Kind: audit.PasswordWrong, Reason: "no such user", Personal: map[string]string{"name": "@nobody"}},
			audit.Event{Kind: audit.PushChallenge, User: "anna", Personal: map[string]string{"name": "Anna", "place": "Bergen"}},
			audit.Event{Kind: audit.PushRefused, User: "anna", Reason: "rejected by user", Data: map[string]string{"serial": "LK-1"}},
			audit.Event{Kind: audit.LoginSucceeded, User: "anna", Data: map[string]string{"password": "password", "otp": "passcode"}})
		rows := read[[]report.Activity](p, "", "report", "activity")
		if len(rows) != 5 {
			t.Fatalf("%d rows, want 5", len(rows))
		}
		if r := rows[0]; r.User != "anna" || r.Method != "password+passcode" || r.Result != "success" || r.IP != "192.0.2.17" {
			t.Errorf("login: %+v", r)
		}
		if r := rows[1]; r.Serial != "LK-1" || r.Method != "push" || r.Result != "failure" || r.Reason != "rejected by user" {
			t.Errorf("push: %+v", r)
		}
		if r := rows[2]; r.Place != "Bergen" || r.Result != "challenge" {
			t.Errorf("challenge: %+v", r)
		}
		if got := p.parseTable(p.succeeds("", "report", "activity", "--csv")); len(got) != 6 || got[4][1] != "'@nobody" {
			t.Errorf("CSV: %q", got)
		}
		if got := read[[]report.Activity](p, "", "report", "activity", "--user", "anna", "--limit", "2"); len(got) != 2 {
			t.Errorf("%d rows of anna, want 2", len(got))
		}
		if out := p.succeeds("", "report", "activity", "--since", "1h"); strings.Count(out, "\n") != 6 {
			t.Errorf("table:\n%s", out)
		}
		if out := p.succeeds("", "report", "activity", "--until", "1h", "--json"); strings.TrimSpace(out) != "[]" {
			t.Errorf("nothing: %s, want []", out)
		}
	})
}

// Whatever happened, each report shows it in every form, and the audit by names.
func TestADM5_EveryKindOfEventIsShown(t *testing.T) {
	onEveryDatabase(t, func(t *testing.T, p installation) {
		p.succeeds("", "user", "add", "anna", "--no-password")
		p.succeeds("", "app", "add", "oidc", "--name", "Payroll", "--redirect-uri", "https://payroll.example.org/callback")
		app := read[appRow](p, "", "app", "show", "Payroll").ID
		var all []audit.Event
		for _, kind := range slices.Sorted(maps.Keys(audit.Kinds)) {
			all = append(all, audit.Event{Kind: kind, User: "anna", Application: app, Authenticator: "aut_gone", Journey: "jrn_1",
				Data: map[string]string{"serial": "LK-1"}, Personal: map[string]string{"name": "anna"}}, audit.Event{Kind: kind})
		}
		p.write(all...)
		for _, command := range []string{"audit list --limit 1000", "report activity --limit 0", "report enrollments", "report push", "report apps"} {
			for _, form := range []string{"", " --json", " --csv"} {
				out := p.succeeds("", strings.Fields(command+form)...)
				for _, name := range []string{"anna", "Payroll", "LK-1"} {
					if strings.Contains(command, "--limit") && !strings.Contains(out, name) {
						t.Errorf("%s%s: no %q", command, form, name)
					}
				}
			}
		}
		for _, row := range read[[]report.Event](p, "", "audit", "list", "--limit", "1000", "--user", "anna", "--action", "password.success") {
			if row.UserName != "anna" || row.ApplicationName != "Payroll" || row.Serial != "LK-1" {
				t.Errorf("%+v", row)
			}
		}
	})
}

// A counter is where an export goes that nobody keeps.
type counter struct{ lines int }

func (c *counter) Write(b []byte) (int, error) {
	c.lines += bytes.Count(b, []byte("\n"))
	return len(b), nil
}

// measureExport exports the whole audit as JSON lines, and returns how many there were
// and by how many bytes the heap grew over it.
func (p installation) measureExport() (lines int, grown int64) {
	p.t.Helper()
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var peak uint64
	done, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		for {
			select {
			case <-done:
				return
			case <-time.After(20 * time.Millisecond):
				runtime.ReadMemStats(&now)
				peak = max(peak, now.HeapAlloc)
			}
		}
	}()
	var kept counter
	var errs bytes.Buffer
	code := run(p.t.Context(), []string{"audit", "export", "--json", "--dir", p.dir}, nil, &kept, &errs)
	close(done)
	<-watched
	if code != exitOK {
		p.t.Errorf("audit export: exit %d, %s", code, errs.String())
	}
	return kept.lines, int64(peak) - int64(before.HeapAlloc)
}
