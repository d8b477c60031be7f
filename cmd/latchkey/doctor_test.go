package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/doctor"
)

func TestDoctor(t *testing.T) {
	p := installation{t, filepath.Join(t.TempDir(), "server")}
	startServer(t, p.dir)
	_, port := mailbox(t)
	for name, value := range map[string]string{"HOST": "127.0.0.1", "PORT": strconv.Itoa(port), "FROM": "login@example.org", "TLS": "none"} {
		t.Setenv("LATCHKEY_MAIL_"+name, value)
	}
	found := read[[]doctor.Finding](p, "", "doctor")
	checks := make(map[string]bool)
	for _, f := range found {
		checks[f.Check] = true
		if f.Level == doctor.Error || f.Text == "" || (f.Do == "") != (f.Level == doctor.OK) {
			t.Errorf("%+v", f)
		}
	}
	for _, want := range []string{"configuration", "clock", "files", "disk", "database", "keys", "backup", "mail", "address", "web authenticators", "push services"} {
		if !checks[want] {
			t.Errorf("nothing was found about %q", want)
		}
	}
	if said := p.succeeds("", "doctor"); !strings.Contains(said, "\nwarning  backup: none was ever made") {
		t.Errorf("said:\n%s", said)
	}

	// What is wrong is an exit of 1, and stands among what was found.
	if err := os.Chmod(filepath.Join(p.dir, "latchkey.keys"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("LATCHKEY_MAIL_PORT", "1")
	code, out, errs := p.run("", "doctor", "--json")
	var bad []doctor.Finding
	if err := json.Unmarshal([]byte(out), &bad); err != nil || code != exitFailed || !strings.Contains(errs, "there are 2 errors") {
		t.Fatalf("exit %d, %v\n%s%s", code, err, out, errs)
	}
	p.fails(exitFailed, "there are 2 errors", "", "doctor")
}

// A folder without a configuration has nothing to look over.
func TestDoctor_Nothing(t *testing.T) {
	p := installation{t, t.TempDir()}
	p.fails(exitFailed, `"latchkey init" makes one`, "", "doctor")
}

// Without a database the rest is looked over all the same.
func TestDoctor_NoDatabase(t *testing.T) {
	p := newInstallation(t)
	if err := os.Remove(filepath.Join(p.dir, "latchkey.db")); err != nil {
		t.Fatal(err)
	}
	code, out, _ := p.run("", "doctor")
	for _, want := range []string{"error    database: it cannot be opened: there is no database at", "error    address: nobody answers at", "ok       keys"} {
		if code != exitFailed || !strings.Contains(out, want) {
			t.Errorf("exit %d, no %q in\n%s", code, want, out)
		}
	}
}

func TestMigrate_DryRun(t *testing.T) {
	p := newInstallation(t)
	if said := p.succeeds("", "migrate", "--dry-run"); !strings.Contains(said, "nothing to do") {
		t.Errorf("said %q", said)
	}
	// A database in which nothing is yet.
	if err := os.Truncate(filepath.Join(p.dir, "latchkey.db"), 0); err != nil {
		t.Fatal(err)
	}
	for range 2 { // it changes nothing
		if pending := read[map[string][]string](p, "", "migrate", "--dry-run")["pending"]; len(pending) < 6 || pending[0] != "0001_tenants.sql" {
			t.Errorf("pending: %v", pending)
		}
	}
	if done := read[map[string][]string](p, "", "migrate")["migrated"]; len(done) < 6 {
		t.Errorf("migrated: %v", done)
	}
	if pending := read[map[string][]string](p, "", "migrate", "--dry-run")["pending"]; len(pending) != 0 {
		t.Errorf("pending: %v", pending)
	}
}
