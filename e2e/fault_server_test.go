package e2e

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/config"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
)

// A faultServer is a server that is killed and started again over the same folder
// and database, a mail server that outlives it, and people.
type faultServer struct {
	*Server

	client  string // client_id of the application they log in to
	history *history
	smtp    *smtpServer

	mu         sync.Mutex
	tokenUsers []*tokenUser // who have an authenticator, the one idle longest first
	newcomers  []string     // who have none
}

// A tokenUser is a user with a token whose seed the test knows.
type tokenUser struct {
	name string
	seed []byte
	step int64 // the newest whose passcode was tried
}

// everybodysPassword is everybody's here.
const everybodysPassword = "correct horse battery"

func newFaultServer(t *testing.T, source string, env ...string) *faultServer {
	t.Helper()
	needServer(t)
	mails := startSMTP(t)
	w := &faultServer{Server: newServer(t, "http://"+freeAddr(t), source, append(env, smtpSettings(mails)...)...), history: newHistory(t), smtp: mails}
	w.run(nil, "", "init")
	var app struct {
		ID string `json:"client_id"`
	}
	w.run(&app, "", "app", "add", "oidc", "--name", "Wiki", "--public", "--offline", "--redirect-uri", callback)
	w.client = app.ID
	// Everybody comes from one address here, and is cut short in the middle.
	w.setPolicy("limits", `{"password_tries_per_address": 100000, "mail_codes_per_address": 1000, "mail_codes_per_address_proved": 10000}`)
	w.setPolicy("lockout", `{"threshold": 100, "passcodes": 50}`)
	return w
}

func smtpSettings(s *smtpServer) []string {
	return []string{"LATCHKEY_MAIL_HOST=127.0.0.1", "LATCHKEY_MAIL_PORT=" + s.port, "LATCHKEY_MAIL_TLS=none"}
}

// database opens the server's database beside it.
func (w *faultServer) database() *store.DB {
	w.t.Helper()
	c, err := config.Load(w.dir, w.command().Env)
	if err != nil {
		w.t.Fatal(err)
	}
	keys, err := c.Keys()
	if err != nil {
		w.t.Fatal(err)
	}
	db, err := store.Open(w.t.Context(), store.Options{Source: c.Source(), Keys: keys, Timeout: time.Minute})
	if err != nil {
		w.t.Fatal(err)
	}
	return db
}

// addUsers adds people: owners of a token, and newcomers with a mail address.
func (w *faultServer) addUsers(owners, newcomers int) {
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
	err = db.InTx(ctx, identity.Principal{Tenant: tenant.ID, Kind: identity.CommandLine, Name: "test"}, func(tx *store.Tx) error {
		for i := range owners {
			u, err := add(tx, fmt.Sprintf("owner-%d", i), "")
			if err != nil {
				return err
			}
			_, key, err := authenticator.Provision(ctx, tx, u, authenticator.TokenSpec{Kind: identity.TOTP, Digits: 6, Period: 30})
			if err != nil {
				return err
			}
			w.tokenUsers = append(w.tokenUsers, &tokenUser{name: u.Name, seed: key.Secret})
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
	key := argon2.IDKey([]byte(everybodysPassword), salt, 1, 8, 1, 32)
	encode := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=8,t=1,p=1$%s$%s", argon2.Version, encode(salt), encode(key))
}

// takeTokenUser returns somebody with a passcode that was never tried, or nil.
func (w *faultServer) takeTokenUser(step int64) *tokenUser {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.tokenUsers) == 0 || w.tokenUsers[0].step >= step {
		return nil
	}
	o := w.tokenUsers[0]
	w.tokenUsers = w.tokenUsers[1:]
	o.step = step
	return o
}

func (w *faultServer) returnTokenUser(o *tokenUser) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tokenUsers = append(w.tokenUsers, o)
}

func (w *faultServer) takeNewcomer() (string, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.newcomers) == 0 {
		return "", false
	}
	name := w.newcomers[0]
	w.newcomers = w.newcomers[1:]
	return name, true
}

// retryWhileAway repeats what fails while the server is away.
func retryWhileAway(ctx context.Context, f func() error) error {
	for end := time.Now().Add(2 * maxWait); ; {
		err := f()
		if err == nil || !errors.Is(err, errAway) {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("for %v: %w", 2*maxWait, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// errAway is what a user meets while the server is killed, starting, or says
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
