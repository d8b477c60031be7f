package e2e

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/config"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
)

// A ward is a server under fault: a process that is killed and started again
// over the same folder and database, a post office, and people.
type ward struct {
	t      *testing.T
	base   string
	client string // client_id of the application they log in to
	ledger *ledger
	post   *postOffice

	bin, dir, source string
	process          *exec.Cmd
	log              *syncBuffer
	slowest          time.Duration // from start to ready

	mu        sync.Mutex
	owners    []*owner // who have an authenticator, the one idle longest first
	newcomers []string // who have none
}

// An owner is a user with a token whose seed we know.
type owner struct {
	name string
	seed []byte
	step int64 // the newest whose passcode was tried
}

// wardsPassword is everybody's here.
const wardsPassword = "correct horse battery"

func newWard(t *testing.T, source string) *ward {
	t.Helper()
	needServer(t)
	bin, err := buildRaced()
	if err != nil {
		t.Fatal(err)
	}
	w := &ward{t: t, bin: bin, dir: filepath.Join(t.TempDir(), "house"), source: source, base: "http://" + freeAddr(t),
		ledger: newLedger(t), post: openPost(t), log: new(syncBuffer)}
	w.run("init")
	t.Cleanup(func() {
		if w.process != nil {
			w.stop()
		}
		listen(t, w.log)
	})
	var app struct {
		ID string `json:"client_id"`
	}
	if err := json.Unmarshal(w.run("app", "add", "oidc", "--name", "Wiki", "--public", "--offline", "--redirect-uri", callback), &app); err != nil || app.ID == "" {
		t.Fatalf("no client_id: %v", err)
	}
	w.client = app.ID
	// Everybody comes from one address here, and is cut short in the middle.
	w.set("limits", `{"password_tries_per_address": 100000, "mail_codes_per_address": 1000, "mail_codes_per_address_proved": 10000}`)
	w.set("lockout", `{"threshold": 100, "passcodes": 50}`)
	return w
}

// set replaces a policy.
func (w *ward) set(kind, document string) {
	w.t.Helper()
	file := filepath.Join(w.t.TempDir(), kind+".json")
	if err := os.WriteFile(file, []byte(document), 0o600); err != nil {
		w.t.Fatal(err)
	}
	w.run("policy", "set", kind, file)
}

func (w *ward) command(args ...string) *exec.Cmd {
	cmd := exec.Command(w.bin, append(args, "--dir", w.dir)...)
	cmd.Env = append(os.Environ(), "LATCHKEY_BASE_URL="+w.base, "LATCHKEY_DATABASE="+w.source, "LATCHKEY_MAIL_HOST=127.0.0.1",
		"LATCHKEY_MAIL_PORT="+w.post.port, "LATCHKEY_MAIL_TLS=none", "LATCHKEY_MAIL_FROM=login@example.org")
	return cmd
}

// run types a command that must succeed and returns what it says, as JSON.
func (w *ward) run(args ...string) []byte {
	w.t.Helper()
	out, err := w.command(append(args, "--json")...).CombinedOutput()
	if err != nil {
		w.t.Fatalf("latchkey %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// database opens the ward's database beside the server.
func (w *ward) database() *store.DB {
	w.t.Helper()
	c, err := config.Load(w.dir, w.command().Env)
	if err != nil {
		w.t.Fatal(err)
	}
	keys, err := c.Keys()
	if err != nil {
		w.t.Fatal(err)
	}
	db, err := store.Open(w.t.Context(), store.Options{Source: c.Source(), Keys: keys})
	if err != nil {
		w.t.Fatal(err)
	}
	return db
}

// admit adds people: owners of a token, and newcomers with a mail address.
func (w *ward) admit(owners, newcomers int) {
	w.t.Helper()
	ctx := w.t.Context()
	db := w.database()
	defer db.Close()
	tenant, err := db.TenantBySlug(ctx, "default")
	if err != nil {
		w.t.Fatal(err)
	}
	hashed := cheapHash()
	add := func(tx *store.Tx, name, mail string) (identity.User, error) {
		u := identity.User{Tenant: tenant.ID, ID: identity.NewID(identity.UserID), Name: name, Mail: mail, Password: hashed}
		return u, tx.Users().Add(ctx, u)
	}
	err = db.InTx(ctx, identity.Principal{Tenant: tenant.ID, Kind: identity.CommandLine, Name: "ward"}, func(tx *store.Tx) error {
		for i := range owners {
			u, err := add(tx, fmt.Sprintf("owner-%d", i), "")
			if err != nil {
				return err
			}
			_, key, err := authenticator.Provision(ctx, tx, u, authenticator.TokenSpec{Kind: identity.TOTP, Digits: 6, Period: 30})
			if err != nil {
				return err
			}
			w.owners = append(w.owners, &owner{name: u.Name, seed: key.Secret})
		}
		for i := range newcomers {
			u, err := add(tx, fmt.Sprintf("newcomer-%d", i), fmt.Sprintf("newcomer-%d@example.org", i))
			if err != nil {
				return err
			}
			w.newcomers = append(w.newcomers, u.Name)
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// cheapHash is a real hash of the password with little work in it: what dies
// here is the server, not the processor.
func cheapHash() string {
	salt := []byte("sixteen bytes of")
	key := argon2.IDKey([]byte(wardsPassword), salt, 1, 8, 1, 32)
	encode := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=8,t=1,p=1$%s$%s", argon2.Version, encode(salt), encode(key))
}

// start starts the server and waits until it takes logins.
func (w *ward) start() {
	w.t.Helper()
	began := time.Now()
	w.process = w.command("serve")
	w.process.Stderr = w.log
	if err := w.process.Start(); err != nil {
		w.t.Fatal(err)
	}
	awaitPage(w.t, w.base+"/readyz")
	w.slowest = max(w.slowest, time.Since(began))
}

// kill ends the server the way a power cut does: no signal handler runs.
func (w *ward) kill() {
	w.t.Helper()
	if err := w.process.Process.Kill(); err != nil {
		w.t.Fatal(err)
	}
	w.process.Wait()
	w.process = nil
}

func (w *ward) stop() {
	end(w.t, w.process)
	w.process = nil
}

// takeOwner hands out somebody with a passcode that was never tried, or nil.
func (w *ward) takeOwner(step int64) *owner {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.owners) == 0 || w.owners[0].step >= step {
		return nil
	}
	o := w.owners[0]
	w.owners = w.owners[1:]
	o.step = step
	return o
}

func (w *ward) giveBack(o *owner) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.owners = append(w.owners, o)
}

func (w *ward) takeNewcomer() (string, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.newcomers) == 0 {
		return "", false
	}
	name := w.newcomers[0]
	w.newcomers = w.newcomers[1:]
	return name, true
}

// patiently repeats what fails while the server is away.
func patiently(ctx context.Context, f func() error) error {
	for end := time.Now().Add(2 * patience); ; {
		err := f()
		if err == nil || !errors.Is(err, errAway) {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("for %v: %w", 2*patience, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// errAway is what a visitor meets while the server is killed, starting, or says
// that it is busy: try again.
var errAway = errors.New("the server is away")

// away turns what a request met into errAway where trying again may help.
func away(res *http.Response, err error) error {
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", errAway, err)
	case res.StatusCode == http.StatusServiceUnavailable:
		return fmt.Errorf("%w: %s", errAway, res.Status)
	}
	return nil
}
