package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/backup"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// A backup is made beside a running server and becomes one that runs.
func TestBackup(t *testing.T) {
	p := installation{t, filepath.Join(t.TempDir(), "server")}
	startServer(t, p.dir)
	p.succeeds("correct horse\n", "user", "add", "anna", "--mail", "anna@example.org")
	const passphrase = "correct horse battery\n"
	file := filepath.Join(t.TempDir(), "backup")
	p.fails(exitFailed, "at least 12 characters", "too short\n", "backup", file)
	p.fails(exitUsage, "no passphrase", "\n", "backup", file)
	row := read[backupRow](p, passphrase, "backup", file)
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 || info.Size() != row.Bytes || row.Rows == 0 {
		t.Errorf("%+v: %v, %v", row, info, err)
	}
	p.fails(exitFailed, "file already exists", passphrase, "backup", file)
	if len(p.events(audit.BackupMade)) != 1 {
		t.Errorf("events: %v", p.events(audit.BackupMade))
	}

	p.fails(exitFailed, "the passphrase is wrong", "something else entirely\n", "restore", file, "--verify")
	if m := read[backup.Manifest](p, passphrase, "restore", file, "--verify"); m.Rows() != row.Rows || m.Database != "sqlite" {
		t.Errorf("verified: %+v, want %+v", m, row)
	}
	p.fails(exitFailed, "is not empty", passphrase, "restore", file)

	secret := filepath.Join(t.TempDir(), "passphrase")
	if err := os.WriteFile(secret, []byte(passphrase), 0o600); err != nil {
		t.Fatal(err)
	}
	other := installation{t, filepath.Join(t.TempDir(), "other")}
	if said := other.succeeds("", "restore", file, "--passphrase-file", secret); !strings.Contains(said, "latchkey serve --dir "+other.dir) {
		t.Errorf("said:\n%s", said)
	}
	if users := read[[]userRow](other, "", "user", "list"); len(users) != 1 || users[0].Name != "anna" {
		t.Errorf("users: %+v", users)
	}
	if len(other.events(audit.BackupRestored)) != 1 {
		t.Errorf("events: %v", other.events(audit.BackupRestored))
	}
	startServer(t, other.dir)
}

// A server moves from one kind of database to the other, by commands alone.
func TestBackup_ToTheOtherDatabase(t *testing.T) {
	for from, source := range storetest.Empty(t) {
		p := newInstallation(t, "--database", source)
		p.succeeds("correct horse\n", "user", "add", "anna", "--mail", "anna@example.org")
		const passphrase = "correct horse battery\n"
		file := filepath.Join(t.TempDir(), "backup")
		if row := read[backupRow](p, passphrase, "backup", file); row.Database != from {
			t.Errorf("a backup of %s says it is of %s", from, row.Database)
		}
		for to, target := range storetest.Empty(t) {
			other := installation{t, filepath.Join(t.TempDir(), "other")}
			other.fails(exitFailed, "latchkey: ", passphrase, "restore", file, "--database", source) // not empty
			other.succeeds(passphrase, "restore", file, "--database", target)
			if users := read[[]userRow](other, "", "user", "list"); len(users) != 1 || users[0].Name != "anna" {
				t.Errorf("%s to %s: %+v", from, to, users)
			}
			other.succeeds("", "config", "validate")
			if _, out, _ := other.run("", "doctor"); !strings.Contains(out, "ok       keys: RS256 key of tenant default for saml") {
				t.Errorf("%s to %s: the doctor says\n%s", from, to, out)
			}
		}
	}
}

// At a terminal a long work rewrites one line, and leaves none.
func TestProgress(t *testing.T) {
	var out bytes.Buffer
	now := time.Now()
	tell, end := progressOn(&out, "Copying", func() time.Time { now = now.Add(100 * time.Millisecond); return now })
	for i := range int64(9) {
		tell(i+1, 10)
	}
	end()
	if got, want := out.String(), "\rCopying:  10 %, 1 of 10 rows\x1b[K\rCopying:  40 %, 4 of 10 rows\x1b[K\rCopying:  70 %, 7 of 10 rows\x1b[K\r\x1b[K"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
