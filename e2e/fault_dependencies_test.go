package e2e

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// What the server stands on goes away under load and comes back. Meanwhile
// people are told at once that it is busy; afterwards all goes on by itself,
// and the history is in order.

// bound is the longest a request may be kept waiting, whatever is gone: five
// seconds for its turn and five for a lock, on a machine as busy as a test's.
const bound = 25 * time.Second

// under lets people log in and enrol while f does something to what the server
// stands on, and then until some have come through again.
func (w *faultServer) under(t *testing.T, f func()) {
	t.Helper()
	stop := make(chan struct{})
	var users sync.WaitGroup
	for range 3 {
		users.Go(func() { w.logInAgainAndAgain(stop) })
	}
	users.Go(func() { w.enrollAgainAndAgain(stop) })
	w.awaitLogins(t, 3)
	f()
	w.awaitLogins(t, 10)
	close(stop)
	users.Wait()
}

// awaitLogins waits until so many more have logged in.
func (w *faultServer) awaitLogins(t *testing.T, n int) {
	t.Helper()
	before := w.history.done()
	for end := time.Now().Add(maxWait); w.history.done() < before+n; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Errorf("%d logins within %v, want %d", w.history.done()-before, maxWait, n)
			return
		}
	}
}

// stopAndCheck stops the server and checks the history.
func (w *faultServer) stopAndCheck(t *testing.T) {
	t.Helper()
	w.stop()
	w.checkHistory()
	w.history.report(t, 0, w.slowest)
}

// healthAnswers asks the server how it is, and wants each answer in time.
func (w *faultServer) healthAnswers(t *testing.T, answers map[string]int) {
	t.Helper()
	for path, want := range answers {
		// The server asks its database once a second at most: its answer may be as old.
		for end := time.Now().Add(2 * time.Second); ; time.Sleep(100 * time.Millisecond) {
			began := time.Now()
			res, err := http.Get(w.Base + path)
			if err != nil {
				t.Errorf("%s: %v", path, err)
				break
			}
			res.Body.Close()
			took := time.Since(began)
			if res.StatusCode != want && began.Before(end) {
				continue
			}
			if res.StatusCode != want || took > bound {
				t.Errorf("%s: %s after %v, want %d", path, res.Status, took.Round(time.Millisecond), want)
			}
			break
		}
	}
}

// gone is what the server says of itself without its database: alive, not ready.
var gone = map[string]int{"/healthz": http.StatusOK, "/readyz": http.StatusServiceUnavailable}

// Somebody holds the database for half a minute: a backup gone wrong, a
// migration by hand.
func TestFaultQLT3_DatabaseLocked(t *testing.T) {
	t.Parallel()
	for engine, source := range storetest.Empty(t) {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			w := newFaultServer(t, source)
			w.addUsers(400, 40)
			w.start()
			w.under(t, func() {
				release := lock(t, source)
				defer release()
				w.healthAnswers(t, gone)
				time.Sleep(20 * time.Second) // with the looking, half a minute
			})
			w.stopAndCheck(t)
		})
	}
}

// lock takes the database from everybody else until release.
func lock(t *testing.T, source string) (release func()) {
	t.Helper()
	driver, begin := "sqlite", `BEGIN EXCLUSIVE`
	if strings.HasPrefix(source, "postgres") {
		driver, begin = "pgx", `BEGIN; LOCK TABLE journeys, users, meta, requests, leases IN ACCESS EXCLUSIVE MODE`
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(maxWait); ; {
		_, err = conn.ExecContext(t.Context(), begin)
		if err == nil {
			break
		}
		// The users were faster, or waited for us while we waited for them.
		conn.ExecContext(t.Context(), `ROLLBACK`)
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
	return func() {
		_, err := conn.ExecContext(context.WithoutCancel(t.Context()), `ROLLBACK`)
		if err := errors.Join(err, conn.Close(), db.Close()); err != nil {
			t.Error(err)
		}
	}
}

// The disk is full, then somebody makes room.
func TestFaultQLT2_DiskFull(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can mount a small disk")
	}
	disk := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=24m", "latchkey-e2e", disk).CombinedOutput(); err != nil {
		t.Skipf("no small disk can be mounted here: %v: %s", err, out)
	}
	defer exec.Command("umount", disk).Run()
	w := newFaultServer(t, filepath.Join(disk, "latchkey.db"))
	w.addUsers(400, 40)
	w.start()
	w.under(t, func() {
		filler := filepath.Join(disk, "filler")
		for range 3 { // a checkpoint may find a little room again
			fill(t, filler)
			time.Sleep(time.Second)
		}
		// It may find room for a small write in what it has; it lives either way.
		w.healthAnswers(t, map[string]int{"/healthz": http.StatusOK})
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
	})
	w.stopAndCheck(t)
}

// fill writes a file until the disk takes no more.
func fill(t *testing.T, file string) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := io.Copy(f, zeros{}); err == nil {
		t.Fatal("the disk is never full")
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// The mail server is dead, slow, or unwilling for a while. Pages come at once
// all the same, and every mail arrives once it takes mails again.
func TestFaultADM9_MailServer(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name       string
		begin, end func(t *testing.T, p *smtpServer)
	}{
		{"dead", func(_ *testing.T, p *smtpServer) { p.close() }, func(t *testing.T, p *smtpServer) { p.listen(t) }},
		{"slow", func(_ *testing.T, p *smtpServer) { p.treatRecipients(3*time.Second, nil) }, func(*testing.T, *smtpServer) {}},
		{"refusing", func(_ *testing.T, p *smtpServer) {
			p.treatRecipients(0, &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "later"})
		}, func(_ *testing.T, p *smtpServer) { p.treatRecipients(0, nil) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newFaultServer(t, filepath.Join(t.TempDir(), "latchkey.db"))
			w.addUsers(0, 3)
			w.start()
			tt.begin(t, w.smtp)
			waiting := make([]*userAgent, 3)
			for i := range waiting {
				name, _ := w.takeNewcomer()
				waiting[i] = w.newUserAgent(name)
				began := time.Now()
				if err := waiting[i].to(t.Context(), "enrol code"); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(began); took > 3*time.Second {
					t.Errorf("the page came after %v: it waited for the mail server", took.Round(time.Millisecond))
				}
			}
			time.Sleep(time.Second)
			tt.end(t, w.smtp)
			for _, v := range waiting {
				w.history.note(v.enrollFromCode(t.Context()))
			}
			w.stop()
			w.checkHistory()
			for _, fault := range w.history.faults {
				t.Error(fault)
			}
			if got := w.history.counts["enrolments"]; got != 3 {
				t.Errorf("%d enrolled, want all 3", got)
			}
		})
	}
}

// PostgreSQL is restarted under load: in order, and by a crash.
func TestFaultQLT2_PostgresRestarted(t *testing.T) {
	needServer(t)
	server := startPostgres(t)
	w := newFaultServer(t, server.source())
	w.addUsers(400, 40)
	w.start()
	for _, mode := range []string{"fast", "immediate"} {
		w.under(t, func() {
			server.stop(mode)
			w.healthAnswers(t, gone)
			server.start()
		})
	}
	w.stopAndCheck(t)
}
