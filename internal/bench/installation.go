package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the PostgreSQL driver

	"github.com/latchkey-id/latchkey/internal/admin"
	"github.com/latchkey-id/latchkey/internal/config"
	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/oidcclient"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/server"
	"github.com/latchkey-id/latchkey/internal/signingkey"
	"github.com/latchkey-id/latchkey/internal/store"
)

// builder is who does all that is done before anybody comes.
var builder = identity.Principal{Kind: identity.CommandLine, Name: "bench"}

const (
	slug     = "bench"
	password = "seventeen-quiet-hedgehogs"
	callback = "https://app.example.org/callback"
)

// An installation is what is measured: its folder, its people and its applications.
type installation struct {
	config  config.Config
	tenant  identity.Tenant
	crowd   *crowd
	both    party // asks for password and passcode
	passing party // asks for a passcode alone
	saml    *provider
	phones  map[string]chan *owner // not yet used, by the scenario they are for
	drop    func() error
}

// A party is an application by OpenID Connect.
type party struct{ id, secret string }

// install makes an installation in an empty folder, on a free port of loopback.
func install(ctx context.Context, dir, database string, o options) (h *installation, err error) {
	h = &installation{drop: func() error { return nil }}
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	if h.config, err = config.Default(dir).WithBase("http://" + address); err != nil {
		return nil, err
	}
	if engine(database) == "PostgreSQL" {
		if h.config.Database, h.drop, err = schema(ctx, database); err != nil {
			return nil, err
		}
		defer func() {
			if err != nil {
				err = errors.Join(err, h.drop())
			}
		}()
	}
	if err := server.Init(ctx, h.config, builder, identity.Tenant{Slug: slug, Name: "Bench"}); err != nil {
		return nil, err
	}
	keys, err := h.config.Keys()
	if err != nil {
		return nil, err
	}
	db, err := store.Open(ctx, store.Options{Source: h.config.Source(), Keys: keys})
	if err != nil {
		return nil, err
	}
	if h.tenant, err = db.TenantBySlug(ctx, slug); err == nil {
		err = h.populate(ctx, db, o)
	}
	return h, errors.Join(err, db.Close())
}

func freeAddress(ctx context.Context) (string, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// schema makes a schema of its own on a PostgreSQL server, and says how to take
// it away again.
func schema(ctx context.Context, database string) (source string, drop func() error, err error) {
	u, err := url.Parse(database)
	if err != nil {
		return "", nil, err
	}
	admin, err := sql.Open("pgx", database)
	if err != nil {
		return "", nil, err
	}
	name := "bench" + strings.ToLower(rand.Text())
	if _, err := admin.ExecContext(ctx, "CREATE SCHEMA "+name); err != nil {
		return "", nil, errors.Join(err, admin.Close())
	}
	drop = func() error {
		_, err := admin.ExecContext(context.WithoutCancel(ctx), "DROP SCHEMA "+name+" CASCADE")
		return errors.Join(err, admin.Close())
	}
	query := u.Query()
	query.Set("search_path", name)
	u.RawQuery = query.Encode()
	return u.String(), drop, nil
}

// populate adds applications, the rules they are entered by, and people.
func (h *installation) populate(ctx context.Context, db *store.DB, o options) error {
	who := builder
	who.Tenant = h.tenant.ID
	var passing identity.Application
	for _, p := range []struct {
		party *party
		name  string
	}{{&h.both, "Both"}, {&h.passing, "Passcode alone"}} {
		app, secret, err := oidcclient.New(p.name, oidcclient.Options{RedirectURIs: []string{callback}, Offline: true, Algorithm: signingkey.ES256})
		if err != nil {
			return err
		}
		if app, err = admin.AddApplication(ctx, db, who, h.tenant.ID, app); err != nil {
			return err
		}
		*p.party, passing = party{app.Identifier, secret}, app
	}
	for kind, change := range map[policy.Kind]func(policy.Document) (policy.Document, error){
		policy.KindAccess: func(present policy.Document) (policy.Document, error) {
			rules := []policy.Rule{{Name: "passcode alone", Applications: []string{passing.ID},
				Require: []identity.Validation{identity.SecondFactor}}}
			return policy.Access{Rules: append(rules, present.(policy.Access).Rules...)}, nil
		},
		// Thousands of requests are sent before the first is answered, from
		// logins that cost no hash.
		policy.KindPush: func(present policy.Document) (policy.Document, error) {
			push := present.(policy.Push)
			push.BeforePassword, push.Lifetime = true, int64(maxLifetime.Seconds())
			return push, nil
		},
		// All browsers of a bench come from one address.
		policy.KindLimits: func(present policy.Document) (policy.Document, error) {
			limits := present.(policy.Limits)
			limits.PasswordAttemptsPerAddress = 100_000
			return limits, nil
		},
	} {
		if _, err := admin.SetPolicy(ctx, db, who, h.tenant.ID, kind, change); err != nil {
			return err
		}
	}
	var err error
	if h.saml, err = newProvider(); err != nil {
		return err
	}
	app, err := h.saml.application()
	if err != nil {
		return err
	}
	if _, err := admin.AddApplication(ctx, db, who, h.tenant.ID, app); err != nil {
		return err
	}
	// All passwords are one, with one salt: that costs a check no less, and
	// adding people no hash each.
	hash, err := directory.New(db, 1).HashPassword(ctx, password)
	if err != nil {
		return err
	}
	h.phones = make(map[string]chan *owner)
	for scenario, n := range map[string]int{"push": o.pushes, "nodes": o.pushes, "waiting": o.waiting} {
		if !o.asksFor(scenario) {
			continue
		}
		if h.phones[scenario], err = h.owners(ctx, db, who, passing.ID, hash, scenario, n); err != nil {
			return err
		}
	}
	return h.people(ctx, db, who, hash, o.users)
}

// batch is how many people are added in one transaction.
const batch = 500

// people fills the tenant with users who have a password and a passcode app.
func (h *installation) people(ctx context.Context, db *store.DB, who identity.Principal, hash string, users int) error {
	h.crowd = new(crowd)
	for len(h.crowd.waiting) < users {
		err := db.InTx(ctx, who, func(tx *store.Tx) error {
			for range min(batch, users-len(h.crowd.waiting)) {
				p, err := add(ctx, tx, h.tenant, fmt.Sprintf("user%06d", len(h.crowd.waiting)), hash)
				if err != nil {
					return err
				}
				h.crowd.waiting = append(h.crowd.waiting, p)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func add(ctx context.Context, tx *store.Tx, t identity.Tenant, name, hash string) (*person, error) {
	u := identity.User{Tenant: t.ID, ID: identity.NewID(identity.UserID), Name: name, DisplayName: "Somebody " + name,
		Mail: name + "@example.org", Password: hash}
	if err := tx.Users().Add(ctx, u); err != nil {
		return nil, err
	}
	p := &person{id: u.ID, name: name, seed: otp.NewSecret(otp.SHA1)}
	err := tx.Authenticators().Add(ctx, identity.Authenticator{Tenant: t.ID, ID: identity.NewID(identity.AuthenticatorID),
		Serial: "BENCH-" + name, Kind: identity.TOTP, Name: name, Seed: p.seed, Digits: 6, Step: 30, LastStep: -1,
		Template: []byte(`{}`), ActivatedAt: tx.Now()}, u.ID)
	if err != nil {
		return nil, err
	}
	return p, tx.Users().SetEnrolled(ctx, t.ID, u.ID)
}

// A person knows a password and holds a passcode app.
type person struct {
	id, name string
	seed     []byte
	used     int64 // step of the last passcode typed
	passkey  bool  // whether a passkey is what this person confirms with
}

// method is how this person confirms, where there is a choice.
func (p *person) method() string {
	switch {
	case p.seed != nil:
		return string(identity.ByPasscode)
	case p.passkey:
		return string(identity.ByPasskey)
	}
	return string(identity.ByPush)
}

// passcode makes the present passcode.
func (p *person) passcode() string {
	now := time.Now()
	p.used = otp.Step(otp.Params{}, now)
	return otp.TOTP(p.seed, otp.Params{}, now)
}

// A crowd is people in the order in which they may sign in again: a passcode
// works once (RFC 6238, section 5.2), so nobody may come twice in a step.
type crowd struct {
	mu      sync.Mutex
	waiting []*person
}

// next lends somebody who has an unused passcode until done is called.
func (c *crowd) next() (p *person, done func(), err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting) == 0 || c.waiting[0].used >= otp.Step(otp.Params{}, time.Now()) {
		return nil, nil, errors.New("everybody has used a passcode in these 30 seconds: --users adds people")
	}
	p, c.waiting = c.waiting[0], c.waiting[1:]
	return p, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.waiting = append(c.waiting, p)
	}, nil
}
