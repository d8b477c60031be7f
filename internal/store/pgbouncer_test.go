package store_test

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// startPgbouncer runs Debian's pgbouncer before the server of a source, and returns a
// source that leads through it.
func startPgbouncer(t *testing.T, source, mode string) (through string) {
	t.Helper()
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		program = "/usr/sbin/pgbouncer" // of no path but root's
	}
	if _, err := os.Stat(program); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("pgbouncer is missing; scripts/prepare should have installed it")
		}
		t.Skip("pgbouncer is not installed")
	}
	c, err := pgconn.ParseConfig(source)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "lk") //nolint:usetesting // a socket's path may have some hundred bytes, and t.TempDir's is longer
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	const port = 6432 // of a socket in dir: it meets no other
	ini := fmt.Sprintf(`[databases]
* = host=%s port=%d user=%s

[pgbouncer]
listen_port = %d
unix_socket_dir = %s
auth_type = any
pool_mode = %s
default_pool_size = 60
max_client_conn = 100
`, c.Host, c.Port, c.User, port, dir, mode)
	if err := os.WriteFile(filepath.Join(dir, "pgbouncer.ini"), []byte(ini), 0o644); err != nil { // #nosec G306 -- for the user it runs as
		t.Fatal(err)
	}
	cmd := exec.Command(program, filepath.Join(dir, "pgbouncer.ini"))
	log, err := os.Create(filepath.Join(t.TempDir(), "pgbouncer.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if os.Geteuid() == 0 { // it refuses to run as root
		as, err := user.Lookup("postgres")
		if err != nil {
			t.Fatal(err)
		}
		uid, _ := strconv.Atoi(as.Uid)
		gid, _ := strconv.Atoi(as.Gid)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
		if err := os.Chown(dir, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
	})
	u, err := url.Parse(source)
	if err != nil {
		t.Fatal(err)
	}
	u.Host = ""
	u.RawQuery = url.Values{"host": {dir}, "port": {strconv.Itoa(port)}}.Encode()
	through = u.String()
	awaitNoError(t, "pgbouncer", func() error {
		db, err := sql.Open("pgx", through)
		if err == nil {
			err = errors.Join(db.PingContext(t.Context()), db.Close())
		}
		if said, _ := os.ReadFile(log.Name()); err != nil {
			return fmt.Errorf("%w: %s", err, said)
		}
		return nil
	})
	return through
}

// Behind pgbouncer in session mode two nodes work as on the server itself (QLT-2): locks
// have their time, notifications come. (With lock_timeout as a startup parameter pgbouncer
// refuses the connection.)
func TestQLT2_PgbouncerBySession(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		if h.IsSQLite() {
			return
		}
		ctx := t.Context()
		through := startPgbouncer(t, h.Source, "session")
		var nodes [2]*store.DB
		for i := range nodes {
			db, err := store.Open(ctx, store.Options{Source: through, Keys: h.Keys, Timeout: 2 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if err := db.Migrate(ctx); err != nil {
				t.Fatal(err)
			}
			nodes[i] = db
		}
		topic := store.UserTopic(h.User.ID)
		notified, stop := nodes[1].Subscribe(topic)
		defer stop()
		awaitNoError(t, "a notification", func() error {
			err := nodes[0].InTx(ctx, h.Who, func(tx *store.Tx) error { tx.Notify(topic); return nil })
			if err != nil {
				return err
			}
			select {
			case <-notified:
				return nil
			case <-time.After(100 * time.Millisecond):
				return errors.New("none came")
			}
		})
		// A lock of the one makes the other give up, and leaves its connection in order.
		held, release := make(chan error), make(chan struct{})
		go func() {
			err := nodes[0].InTx(ctx, h.Who, func(tx *store.Tx) error {
				err := tx.Users().SetLanguage(ctx, h.Tenant.ID, h.User.ID, "de")
				held <- err
				<-release
				return err
			})
			held <- err
		}()
		if err := <-held; err != nil {
			t.Fatal(err)
		}
		err := nodes[1].InTx(ctx, h.Who, func(tx *store.Tx) error {
			return tx.Users().SetLanguage(ctx, h.Tenant.ID, h.User.ID, "ar")
		})
		var refused *pgconn.PgError
		if !errors.As(err, &refused) || refused.Code != "55P03" {
			t.Errorf("behind a lock: %v, want the server's lock_not_available", err)
		}
		close(release)
		if err := <-held; err != nil {
			t.Error(err)
		}
	})
}

// A pooler that shares sessions is refused, and told by what to do; also beside others who
// use it (QLT-2). (Without check a node starts, and hears no notification.)
func TestQLT2_PgbouncerByTransactionIsRefused(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		if h.IsSQLite() {
			return
		}
		for _, mode := range []string{"transaction", "statement"} {
			through := startPgbouncer(t, h.Source, mode)
			other, err := sql.Open("pgx", through+"&default_query_exec_mode=simple_protocol")
			if err != nil {
				t.Fatal(err)
			}
			defer other.Close()
			stop := make(chan struct{})
			defer close(stop)
			for range 4 {
				go func() {
					for {
						select {
						case <-stop:
							return
						default:
							_, _ = other.Exec(`SELECT pg_sleep(0.001)`)
						}
					}
				}()
			}
			for range 5 {
				db, err := store.Open(t.Context(), store.Options{Source: through, Keys: h.Keys})
				if err == nil {
					db.Close()
				}
				if !errors.Is(err, store.ErrSharedSessions) {
					t.Errorf("%s: %v, want %v", mode, err, store.ErrSharedSessions)
				}
			}
		}
	})
}
