package main

import (
	"context"
	"errors"
	"fmt"
	"html"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/admin"
	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/oidcclient"
	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/server"
	"github.com/latchkey-id/latchkey/internal/signingkey"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/templates"
)

// A flow is something whose work is counted. prepare does what must have
// happened before and is not part of it.
type flow struct {
	name         string
	prepare      func(ctx context.Context, w *workplace) (act, error)
	passwordless bool // whether the tenant lets a passkey take the place of a password
}

// flows lists them in the order of the table.
var flows = []flow{
	{name: "fresh sign-in, password", prepare: func(_ context.Context, w *workplace) (act, error) { return loginTo(w.rig, w.password), nil }},
	{name: "fresh sign-in, password and TOTP", prepare: func(ctx context.Context, w *workplace) (act, error) { return fresh(ctx, w.rig) }},
	{name: "fresh sign-in, password and push", prepare: pushFlow},
	{name: "fresh sign-in, password and passkey", prepare: func(ctx context.Context, w *workplace) (act, error) { return passkeyFlow(ctx, w, "continue") }},
	{name: "fresh sign-in, passkey alone", passwordless: true, prepare: func(ctx context.Context, w *workplace) (act, error) { return passkeyFlow(ctx, w, "passkey") }},
	{name: "live session, OpenID Connect", prepare: func(ctx context.Context, w *workplace) (act, error) { return silent(ctx, w.rig) }},
	{name: "live session, SAML", prepare: func(ctx context.Context, w *workplace) (act, error) { return silentSAML(ctx, w.rig) }},
	{name: "refresh", prepare: func(ctx context.Context, w *workplace) (act, error) { return refresh(ctx, w.rig) }},
	{name: "enrolment in a fresh sign-in", prepare: enrollmentFlow},
}

// A workplace is a folder of the bench's, whose server runs in this process.
type workplace struct {
	*rig
	counter  *workCounter
	who      identity.Principal
	password party // asks for a password alone
	hash     string
	people   int
}

func newWorkplace(t *testing.T, database string) *workplace {
	t.Helper()
	ctx := t.Context()
	// A passcode works once: two people for each flow that types one.
	h, err := install(ctx, filepath.Join(t.TempDir(), "bench"), database, options{users: 4 * len(flows)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.drop(); err != nil {
			t.Error(err)
		}
	})
	h.config.Mail.Folder, h.config.Mail.From = "mails", "login@example.org"
	w := &workplace{rig: &rig{installation: h}, counter: newWorkCounter(), who: builder}
	w.who.Tenant = h.tenant.ID
	err = w.inDatabase(ctx, func(db *store.DB) error {
		app, secret, err := oidcclient.New("Password alone", oidcclient.Options{RedirectURIs: []string{callback}, Algorithm: signingkey.ES256})
		if err != nil {
			return err
		}
		if app, err = admin.AddApplication(ctx, db, w.who, h.tenant.ID, app); err != nil {
			return err
		}
		w.password = party{app.Identifier, secret}
		if w.hash, err = directory.New(db, 1).HashPassword(ctx, password); err != nil {
			return err
		}
		for kind, change := range map[policy.Kind]func(policy.Document) (policy.Document, error){
			policy.KindAccess: func(present policy.Document) (policy.Document, error) {
				rules := []policy.Rule{{Name: "password alone", Applications: []string{app.ID}, Require: []identity.Validation{identity.Password}}}
				return policy.Access{Rules: append(rules, present.(policy.Access).Rules...)}, nil
			},
			policy.KindPush: func(policy.Document) (policy.Document, error) { return policy.DefaultPush(), nil },
		} {
			if _, err := admin.SetPolicy(ctx, db, w.who, h.tenant.ID, kind, change); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// inDatabase opens the database beside the server, as a command does.
func (w *workplace) inDatabase(ctx context.Context, do func(db *store.DB) error) error {
	keys, err := w.config.Keys()
	if err != nil {
		return err
	}
	db, err := store.Open(ctx, store.Options{Source: w.config.Source(), Keys: keys})
	if err != nil {
		return err
	}
	return errors.Join(do(db), db.Close())
}

// count runs a server, has a flow done to warm it up, and returns the work of
// the next one.
func (w *workplace) count(t *testing.T, v flow) (counted work) {
	t.Helper()
	err := w.inDatabase(t.Context(), func(db *store.DB) error {
		_, err := admin.SetPolicy(t.Context(), db, w.who, w.tenant.ID, policy.KindCredentials, func(present policy.Document) (policy.Document, error) {
			credentials := present.(policy.Credentials)
			if credentials.Passkeys = policy.SecondFactor; v.passwordless {
				credentials.Passkeys = policy.Passwordless
			}
			return credentials, nil
		})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	w.config.StopDelay = "0s"
	s, err := server.NewObserved(t.Context(), w.config, slog.New(slog.NewTextHandler(t.Output(), nil)), w.counter.observer())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	if err := s.Listen(ctx); err != nil {
		t.Fatal(errors.Join(err, s.Close()))
	}
	go func() { ended <- s.Run(ctx) }()
	defer func() {
		stop()
		if err := errors.Join(<-ended, s.Close()); err != nil {
			t.Error(err)
		}
	}()
	if w.relying, err = newRelying(ctx, w.config.BaseURL); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		do, err := v.prepare(ctx, w)
		if err != nil {
			t.Fatalf("prepare: %v", err)
		}
		w.counter.take()
		if _, err := do(); err != nil {
			t.Fatal(err)
		}
		counted = w.counter.take()
	}
	return counted
}

// newcomer is somebody who has a password, and nothing to confirm with.
func (w *workplace) newcomer(ctx context.Context) (identity.User, error) {
	w.people++
	name := fmt.Sprintf("newcomer%02d", w.people)
	u := identity.User{Tenant: w.tenant.ID, ID: identity.NewID(identity.UserID), Name: name, Mail: name + "@example.org", Password: w.hash}
	return u, w.inDatabase(ctx, func(db *store.DB) error {
		return db.InTx(ctx, w.who, func(tx *store.Tx) error { return tx.Users().Add(ctx, u) })
	})
}

// enrollmentFlow is a sign-in of somebody who enrols an authenticator app in the
// middle of it, and confirms with its first passcode.
func enrollmentFlow(ctx context.Context, w *workplace) (act, error) {
	u, err := w.newcomer(ctx)
	return timed(func() error {
		p := &person{id: u.ID, name: u.Name}
		b, rp := newBrowser(w.config.BaseURL), w.relyingOf(w.both)
		path, ticket := rp.request("openid")
		at, ph, err := w.enrol(ctx, b, path, u)
		if err != nil {
			return err
		}
		code, err := ph.Passcode(ctx, "")
		if err != nil {
			return err
		}
		for _, fields := range []url.Values{{"do": {"continue"}, "method": {"passcode"}}, {"do": {"continue"}, "passcode": {code.Code}}} {
			if fields.Has("method") && stepOf(at.body) == "passcode" {
				continue // it is asked for at once
			}
			if at, err = b.submit(at, fields); err != nil {
				return err
			}
		}
		_, err = rp.redeem(at.leads, ticket, p)
		return err
	}), err
}

var (
	shortCode  = regexp.MustCompile(`id="short-code"[^>]*>([^<]+)<`)
	mailedCode = regexp.MustCompile(`Your code is ([0-9]{6})`)
)

// enrol begins a sign-in and enrols an app on the way. It returns the page that
// comes next.
func (w *workplace) enrol(ctx context.Context, b *browser, path string, u identity.User) (page, *phone.Phone, error) {
	ph := &phone.Phone{Dir: filepath.Join(w.config.Dir(), "phones", u.Name)}
	at, err := b.open(path)
	if err == nil {
		at, err = b.login(at, &person{id: u.ID, name: u.Name})
	}
	for range maxSteps {
		if err != nil {
			return at, nil, err
		}
		step := stepOf(at.body)
		switch step {
		case "enrol offer":
			at, err = b.submit(at, url.Values{"do": {"enrol"}})
		case "enrol code":
			var code string
			if code, err = w.mailed(ctx, u.Mail); err == nil {
				at, err = b.submit(at, url.Values{"do": {"continue"}, "code": {code}})
			}
		case "enrol platform":
			at, err = b.submit(at, url.Values{"do": {"continue"}, "platform": {string(identity.Linux)}})
		case "enrol scan":
			shown := shortCode.FindStringSubmatch(at.body)
			if shown == nil {
				return at, nil, fmt.Errorf("no short code at %s", at.path)
			}
			if _, err = ph.Activate(ctx, phone.Activation{Base: w.config.BaseURL, Code: html.UnescapeString(shown[1]), Name: u.Name, Push: true}); err == nil {
				at, err = b.submit(at, url.Values{"do": {"continue"}})
			}
		default:
			return at, ph, nil
		}
	}
	return at, nil, fmt.Errorf("%s: more than %d pages of enrolment", u.Name, maxSteps)
}

// submit posts a page's form with some fields filled in.
func (b *browser) submit(at page, fields url.Values) (page, error) {
	form := formOf(at.body)
	for name, values := range fields {
		form[name] = values
	}
	return b.post(at.path, form)
}

// mailed waits for the mail to an address and returns the code in it.
func (w *workplace) mailed(ctx context.Context, address string) (string, error) {
	for ctx.Err() == nil {
		files, err := filepath.Glob(filepath.Join(w.config.Dir(), "mails", "*.eml"))
		if err != nil {
			return "", err
		}
		for _, file := range files {
			raw, err := os.ReadFile(file)
			if err != nil {
				return "", err
			}
			if !strings.Contains(string(raw), "<"+address+">") {
				continue
			}
			if code := mailedCode.FindStringSubmatch(string(raw)); code != nil {
				return code[1], nil
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
	return "", ctx.Err()
}

// pushFlow is a sign-in by password and by a phone that approves, and was never
// used before: its passcode goes with the answer. The browser says "continue"
// once the phone has answered.
func pushFlow(ctx context.Context, w *workplace) (act, error) {
	u, err := w.newcomer(ctx)
	if err != nil {
		return nil, err
	}
	rp := w.relyingOf(w.both)
	path, _ := rp.request("openid")
	_, ph, err := w.enrol(ctx, newBrowser(w.config.BaseURL), path, u)
	return timed(func() error {
		p, b := &person{id: u.ID, name: u.Name}, newBrowser(w.config.BaseURL)
		path, ticket := rp.request("openid")
		at, err := b.open(path)
		if err != nil {
			return err
		}
		if at, err = b.login(at, p); err != nil {
			return err
		}
		if err := approve(ctx, ph, at); err != nil {
			return err
		}
		if at, err = b.submit(at, url.Values{"do": {"continue"}}); err != nil {
			return err
		}
		_, err = rp.redeem(at.leads, ticket, p)
		return err
	}), err
}

// passkeyFlow is a sign-in by a passkey: by the button that says so on the page
// that asks for it, after a password, or on the first page, alone.
func passkeyFlow(ctx context.Context, w *workplace, do string) (act, error) {
	u, err := w.newcomer(ctx)
	if err != nil {
		return nil, err
	}
	base, err := url.Parse(w.config.BaseURL)
	if err != nil {
		return nil, err
	}
	at := authenticator.RelyingPartyAt(base)
	key, err := newPasskey(at.ID, at.Origin, u.ID)
	if err != nil {
		return nil, err
	}
	const challenge = "AAAA"
	made, err := key.create(challenge)
	if err != nil {
		return nil, err
	}
	err = w.inDatabase(ctx, func(db *store.DB) error {
		return db.InTx(ctx, w.who, func(tx *store.Tx) error {
			_, err := authenticator.AddPasskey(ctx, tx, u, at, challenge, made, authenticator.PasskeyName{Typed: "Blue key"}, templates.Origin{At: tx.Now()})
			return err
		})
	})
	return timed(func() error {
		p := &person{id: u.ID, name: u.Name, passkey: true}
		b, rp := newBrowser(w.config.BaseURL), w.relyingOf(w.both)
		path, ticket := rp.request("openid")
		at, err := b.open(path)
		if err == nil && do == "continue" {
			at, err = b.login(at, p)
		}
		if err != nil {
			return err
		}
		signed, err := key.sign(at)
		if err != nil {
			return err
		}
		if at, err = b.submit(at, url.Values{"do": {do}, "signed": {signed}}); err != nil {
			return err
		}
		_, err = rp.redeem(at.leads, ticket, p)
		return err
	}), err
}
