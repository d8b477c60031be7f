package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/latchkey-id/latchkey/internal/backup"
	"github.com/latchkey-id/latchkey/internal/config"
	"github.com/latchkey-id/latchkey/internal/store"
)

type backupCommand struct {
	File       string `arg:"" help:"The file to write. It must not be there yet."`
	Passphrase string `name:"passphrase-file" placeholder:"FILE" help:"File whose first line is the passphrase; - is standard input. Default: asked for."`
}

func (backupCommand) Help() string {
	return `The file holds the database, the keys and the configuration as they are at one moment, sealed under the passphrase: without it nobody can read the file, nor can you. It says at the end which files the configuration names elsewhere; those are not in it.

Example:

    latchkey backup /mnt/backups/latchkey-2026-11-23 --dir /var/lib/latchkey --passphrase-file /root/backup.passphrase`
}

type backupRow struct {
	File     string    `json:"file"`
	Bytes    int64     `json:"bytes"`
	MadeAt   time.Time `json:"made_at"`
	Rows     int64     `json:"rows"`
	Database string    `json:"database"`
	Outside  []string  `json:"outside"`
}

// Run makes a backup.
func (c *backupCommand) Run(ctx context.Context, s *shell) error {
	conf, err := s.config()
	if err != nil {
		return err
	}
	return s.database(ctx, func(db *store.DB) error {
		passphrase, err := s.passphrase(ctx, c.Passphrase, true)
		if err != nil {
			return err
		}
		progress, end := s.progress("Copying")
		m, err := backup.Make(ctx, conf, db, s.principal(), c.File, passphrase, progress)
		end()
		if err != nil {
			return err
		}
		info, err := os.Stat(c.File)
		if err != nil {
			return err
		}
		row := backupRow{c.File, info.Size(), m.MadeAt, m.Rows(), m.Database, append([]string{}, m.Outside...)}
		text := fmt.Sprintf("Wrote %s: %s\nKeep the passphrase apart from it. \"latchkey restore %s --verify\" reads it through.", c.File, m.Describe(), c.File)
		for _, name := range m.Outside {
			text += "\nNot in it, since it lies elsewhere or is not there: " + name
		}
		return s.print(row, "%s", text)
	})
}

type restoreCommand struct {
	File       string `arg:"" help:"The backup."`
	Passphrase string `name:"passphrase-file" placeholder:"FILE" help:"File whose first line is the passphrase; - is standard input. Default: asked for."`
	Verify     bool   `help:"Only read it through, and say what is in it."`
}

func (restoreCommand) Help() string {
	return `The folder must be empty or missing, and the database empty: the one the backup's configuration names, or that of --database, of this or the other kind. The whole file is checked before anything is written.

Whatever may have been used since the backup was made is over: sessions, tokens, logins and enrolments under way, mails that wait. Passcodes of the next minute are refused, too. Stop the old server first: two copies of one server would both take the same passcode.

Example:

    latchkey restore /mnt/backups/latchkey-2026-11-23 --dir /var/lib/latchkey`
}

// Run restores a backup.
func (c *restoreCommand) Run(ctx context.Context, s *shell) error {
	passphrase, err := s.passphrase(ctx, c.Passphrase, false)
	if err != nil {
		return err
	}
	if c.Verify {
		progress, end := s.progress("Reading")
		m, err := backup.Verify(ctx, c.File, passphrase, progress)
		end()
		if err != nil {
			return err
		}
		return s.print(m, "%s is whole: %s", c.File, m.Describe())
	}
	dir, err := filepath.Abs(s.dir())
	if err != nil {
		return err
	}
	to := backup.Target{Dir: dir, Environment: s.environ}
	if s.flags.Database != "" {
		to.Database = s.override(config.Default(dir)).Database
	}
	progress, end := s.progress("Restoring")
	r, err := backup.Restore(ctx, to, s.principal(), c.File, passphrase, progress)
	end()
	if err != nil {
		return err
	}
	return s.print(r, `Restored %s
from %s

%s
What comes next:
  1. latchkey doctor --dir %s
  2. latchkey serve --dir %s`,
		dir, r.Manifest.Describe(), overText("they may have been used after that", r.Ended), dir, dir)
}

// overText says what the beginning of a restore generation invalidated, and why.
func overText(why string, ended store.RestoreReport) string {
	return fmt.Sprintf(`Over, since %s: %d sessions, %d grants of tokens, %d logins under way, %d push requests,
%d activations, %d invitations, %d mails. Passcodes of %d authenticators are refused for about a minute; %d event-based ones are locked.`,
		why, ended.Sessions, ended.Grants, ended.Journeys, ended.Pushes, ended.Activations, ended.Invitations, ended.Mails, ended.Passcodes, ended.Locked)
}

// passphrase is the first line of a file or of standard input or, at a terminal, what
// is typed. It is never an argument, which every process on the machine can read.
func (s *shell) passphrase(ctx context.Context, file string, fresh bool) (string, error) {
	if f, ok := s.stdin.(*os.File); ok && file == "" && term.IsTerminal(int(f.Fd())) {
		const question = "Passphrase of the backup: "
		if fresh {
			return s.promptTwice(ctx, f, question)
		}
		return s.prompt(ctx, f, question)
	}
	text, err := s.readFile(file, maxLine)
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	if line = strings.TrimSuffix(line, "\r"); line == "" {
		return "", usageErrorf("there is no passphrase in the first line of %s", nameOr(file, "standard input"))
	}
	return line, nil
}

func nameOr(name, other string) string {
	if name == "" || name == "-" {
		return other
	}
	return name
}

// progress returns functions that show the progress of a long operation at a terminal,
// and that end the line. Elsewhere both do nothing.
func (s *shell) progress(doing string) (tell func(done, all int64), end func()) {
	f, ok := s.stderr.(*os.File)
	if !ok || s.flags.JSON || !term.IsTerminal(int(f.Fd())) {
		return func(int64, int64) {}, func() {}
	}
	return progressOn(f, doing, time.Now)
}

// progressOn rewrites one line of a terminal, four times a second at most.
func progressOn(w io.Writer, doing string, now func() time.Time) (tell func(done, all int64), end func()) {
	var last time.Time
	tell = func(done, all int64) {
		if t := now(); t.Sub(last) >= 250*time.Millisecond {
			last = t
			fmt.Fprintf(w, "\r%s: %3d %%, %d of %d rows\x1b[K", doing, done*100/max(all, 1), done, all)
		}
	}
	return tell, func() { fmt.Fprint(w, "\r\x1b[K") }
}
