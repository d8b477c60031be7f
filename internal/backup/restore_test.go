package backup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/config"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

var operator = identity.Principal{Kind: identity.CommandLine, Name: "test"}

func quiet(int64, int64) {}

// folder creates a server's folder: its configuration with a password and a certificate, and
// its keys.
func folder(t *testing.T, h *storetest.Fixture) config.Config {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		config.File: fmt.Sprintf("# ours\nbase_url = \"https://login.example.org\"\ndatabase = %q\ntls_cert = \"tls/cert.pem\"\n"+
			"tls_key = \"/elsewhere/key.pem\"\n[mail]\npassword_file = \"mail.password\"\n", h.Source),
		"latchkey.keys": h.Keys.Encode(), "mail.password": "smtp secret\n", "tls/cert.pem": "certificate"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := config.Load(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// makeBackup makes a backup and returns its file.
func makeBackup(t *testing.T, h *storetest.Fixture) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "backup")
	if _, err := makeWithCost(t.Context(), folder(t, h), h.DB, operator, file, passphrase, lowCost, quiet); err != nil {
		t.Fatal(err)
	}
	return file
}

// restoreBackup restores a file into a database and opens it with the test's clock.
func restoreBackup(t *testing.T, h *storetest.Fixture, file, source string) (Restored, *store.DB) {
	t.Helper()
	to := Target{Dir: filepath.Join(t.TempDir(), "new", "place"), Database: source, Now: h.Clock.Now}
	r, err := Restore(t.Context(), to, operator, file, passphrase, quiet)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := r.Config.Keys()
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), store.Options{Source: r.Config.Source(), Keys: keys, Now: h.Clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return r, db
}

// onDatabasePairs runs f for each kind of database as the source and each as the target.
func onDatabasePairs(t *testing.T, f func(t *testing.T, h *storetest.Fixture, target string)) {
	for kind := range storetest.Empty(t) {
		t.Run("to "+kind, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, h *storetest.Fixture) { f(t, h, storetest.Empty(t)[kind]) })
		})
	}
}

// A backup is restored as it was, whichever databases are the source and the target.
func TestQLT2_Restore(t *testing.T) {
	onDatabasePairs(t, func(t *testing.T, h *storetest.Fixture, target string) {
		a := h.Authenticator(t, "Anna’s phone")
		file := makeBackup(t, h)
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v, want 0600", info, err)
		}
		r, db := restoreBackup(t, h, file, target)
		if got := r.Manifest.Outside; !slices.Equal(got, []string{"/elsewhere/key.pem"}) {
			t.Errorf("outside: %q", got)
		}
		for name, want := range map[string]string{"mail.password": "smtp secret\n", "tls/cert.pem": "certificate", "latchkey.keys": h.Keys.Encode()} {
			got, err := os.ReadFile(filepath.Join(r.Config.Dir(), name))
			if err != nil || string(got) != want {
				t.Errorf("%s: %q, %v", name, got, err)
			}
		}
		written, err := os.ReadFile(filepath.Join(r.Config.Dir(), config.File))
		if err != nil || !strings.Contains(string(written), "# ours\n") || !strings.Contains(string(written), target) {
			t.Errorf("configuration, %v:\n%s", err, written)
		}
		seed, err := db.Authenticators().Seed(t.Context(), h.Tenant.ID, a.ID)
		if err != nil || string(seed) != string(a.Seed) {
			t.Errorf("seed: %x, %v, want %x", seed, err, a.Seed)
		}
		u, err := db.Users().Get(t.Context(), h.Tenant.ID, h.User.ID)
		if err != nil || u.Name != h.User.Name || u.Mail != h.User.Mail {
			t.Errorf("user: %+v, %v", u, err)
		}
		if pending, err := db.Pending(t.Context()); err != nil || len(pending) > 0 {
			t.Errorf("pending migrations: %v, %v", pending, err)
		}
		if found, err := store.Collect(db.Events().List(t.Context(), h.Tenant.ID, store.EventFilter{Kind: audit.BackupRestored})); err != nil || len(found) != 1 {
			t.Errorf("the copy has %d events of the restore, %v", len(found), err)
		}
		if found, err := store.Collect(h.DB.Events().List(t.Context(), h.Tenant.ID, store.EventFilter{Kind: audit.BackupMade})); err != nil || len(found) != 1 {
			t.Errorf("the original has %d events of the backup, %v", len(found), err)
		}
		// It can be used: what is written next goes through its keys and indexes.
		err = db.InTx(t.Context(), h.Who, func(tx *store.Tx) error {
			return tx.Users().Add(t.Context(), identity.User{Tenant: h.Tenant.ID, ID: identity.NewID(identity.UserID), Name: "ANNA.berg"})
		})
		if !errors.Is(err, identity.Conflict) {
			t.Errorf("a second anna.berg: %v, want Conflict", err)
		}
		files, err := filepath.Glob(filepath.Join(r.Config.Dir(), "*"+stagingSuffix+"*"))
		if err != nil || len(files) > 0 {
			t.Errorf("left behind: %v, %v", files, err)
		}
	})
}

// No row is lost, and none is added except those that record the restore.
func TestQLT2_RestoreHasEveryRow(t *testing.T) {
	onDatabasePairs(t, func(t *testing.T, h *storetest.Fixture, target string) {
		h.Authenticator(t, "phone")
		h.Journey(t, "browser")
		first := makeBackup(t, h)
		_, db := restoreBackup(t, h, first, target)
		s, err := db.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		m, err := Verify(t.Context(), first, passphrase, quiet)
		if err != nil {
			t.Fatal(err)
		}
		more := map[string]int64{"events": 1, "epochs": 1} // one tenant's event, one epoch
		for i, table := range m.Tables {
			want := table.Rows + more[table.Name]
			if got := s.Tables[i].Rows; s.Tables[i].Name != table.Name || got != want {
				t.Errorf("%s: %d rows, want %d", table.Name, got, want)
			}
		}
	})
}

// A use is something that works once, or until it ends.
type use struct {
	name string
	// works reports whether it can be used in a database.
	works func(t *testing.T, db *store.DB) bool
}

// T-LOG-12, T-REL-11: what was used after the backup was made cannot be used again after a
// restore, although the backup has it as unused.
func TestTREL11_NothingIsUsedTwice(t *testing.T) {
	onDatabasePairs(t, func(t *testing.T, h *storetest.Fixture, target string) {
		ctx, tenant := t.Context(), h.Tenant.ID
		now := h.Clock.Now()
		try := func(t *testing.T, db *store.DB, f func(tx *store.Tx) error) bool {
			t.Helper()
			return db.InTx(ctx, h.Who, f) == nil
		}
		refused := errors.New("refused")
		must := func(ok bool, err error) error {
			if err == nil && !ok {
				err = refused
			}
			return err
		}

		phone := h.Authenticator(t, "phone")
		code := otp.TOTP(phone.Seed, otp.Params{}, now)
		next := otp.TOTP(phone.Seed, otp.Params{}, now.Add(30*time.Second))
		button := phone
		button.ID, button.Kind, button.Step = identity.NewID(identity.AuthenticatorID), identity.HOTP, 0
		button.Serial = "LK-" + button.ID[4:12]
		pending := phone
		pending.ID, pending.ActivatedAt = identity.NewID(identity.AuthenticatorID), time.Time{}
		pending.Serial = "LK-" + pending.ID[4:12]
		session := identity.Session{Tenant: tenant, ID: identity.NewID(identity.SessionID), UserID: h.User.ID, Browser: "b",
			AuthTime: now, Idle: time.Hour, ExpiresAt: now.Add(12 * time.Hour)}
		grant := store.Grant{Tenant: tenant, ID: identity.NewID(identity.GrantID), Application: h.Application.ID, User: h.User.ID,
			Session: session.ID, Subject: h.User.ID, SID: "sid", Scope: "openid", Offline: true, AuthTime: now,
			CodeExpires: now.Add(time.Minute), ExpiresAt: now.Add(24 * time.Hour)}
		request := store.Request{Tenant: tenant, ID: identity.NewID(identity.RequestID), Application: h.Application.ID, Wants: []byte("{}"), ExpiresAt: now.Add(time.Minute)}
		activation := store.Activation{Tenant: tenant, ID: identity.NewID(identity.ActivationID), User: h.User.ID, Platform: identity.Android,
			Template: []byte("{}"), ExpiresAt: now.Add(10 * time.Minute)}
		invitation := store.Invitation{Tenant: tenant, ID: identity.NewID(identity.InvitationID), User: h.User.ID, ExpiresAt: now.Add(time.Hour)}
		journey := h.Journey(t, "browser")
		journey.Code = identity.Code{Sends: 1, ExpiresAt: now.Add(10 * time.Minute)}
		mailed := store.MailedCode{Number: 1, MAC: []byte("mac"), Root: 1, ExpiresAt: journey.Code.ExpiresAt}
		pushing := h.Journey(t, "another")
		push := store.PushRequest{Tenant: tenant, ID: identity.NewID(identity.PushID), User: h.User.ID, Journey: pushing.ID, Browser: "another",
			Number: "42", Nonce: "n", LoginAt: now, CreatedAt: now, ExpiresAt: now.Add(time.Minute)}
		h.Do(t, func(tx *store.Tx) error {
			_, err := tx.Activations().Add(ctx, activation, store.ActivationCodes{Secret: "secret", Short: "SHORT"})
			_, err2 := tx.Push().Add(ctx, push)
			_, err3 := tx.Invitations().Add(ctx, invitation, "invited")
			_, err4 := tx.Lease(ctx, "outbox", "a node that is gone", now.Add(time.Hour))
			return errors.Join(err, err2, err3, err4, tx.Authenticators().Add(ctx, button, h.User.ID), tx.Authenticators().Add(ctx, pending, h.User.ID),
				tx.Sessions().Save(ctx, session, "session"),
				tx.Grants().Add(ctx, grant, "code"),
				tx.Grants().AddToken(ctx, tenant, store.Token{Grant: grant.ID, Kind: store.RefreshToken, ExpiresAt: grant.ExpiresAt}, "refresh"),
				tx.Grants().AddToken(ctx, tenant, store.Token{Grant: grant.ID, Kind: store.AccessToken, ExpiresAt: grant.ExpiresAt}, "access"),
				tx.Requests().Add(ctx, request), tx.Users().AllowEnrollment(ctx, tenant, h.User.ID), tx.Journeys().Step(ctx, journey),
				tx.MailCodes().Set(ctx, tenant, journey.ID, mailed), tx.MailCodes().Request(ctx, tenant, pushing.ID, []byte("{}"), mailed.ExpiresAt),
				tx.Outbox().Queue(ctx, store.Message{Tenant: tenant, ID: identity.NewID(identity.MessageID), Kind: "code", Recipient: h.User.Mail,
					Arguments: []byte("{}"), Dedupe: "d", MessageID: "m", ExpiresAt: now.Add(time.Hour)}))
		})

		h.Do(t, func(tx *store.Tx) error {
			_, err := tx.Sessions().Join(ctx, tenant, identity.SessionApplication{Session: session.ID, Application: h.Application.ID, Protocol: identity.OIDC, Index: "sid"})
			return err
		})

		check := func(typed string) func(t *testing.T, db *store.DB) bool {
			return func(t *testing.T, db *store.DB) bool {
				t.Helper()
				var r authenticator.Result
				err := db.InTx(ctx, h.Who, func(tx *store.Tx) (err error) {
					r, err = authenticator.Check(ctx, tx, authenticator.Attempt{Tenant: tenant, User: h.User.ID, Typed: typed, Rules: policy.Lockout{MaxWrongPasscodes: 100}})
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
				return r.OK
			}
		}
		uses := []use{
			{"passcode", check(code)},
			{"session", func(_ *testing.T, db *store.DB) bool {
				_, err := db.Sessions().BySecret(ctx, tenant, "session", "b")
				return err == nil
			}},
			{"refresh token", func(t *testing.T, db *store.DB) bool {
				return try(t, db, func(tx *store.Tx) error {
					g, _, first, err := tx.Grants().UseRefreshToken(ctx, tenant, h.Application.ID, "refresh")
					return must(first && !g.Over, err)
				})
			}},
			{"access token", func(_ *testing.T, db *store.DB) bool {
				_, _, err := db.Grants().AccessToken(ctx, tenant, "access")
				return err == nil
			}},
			{"authorization code", func(t *testing.T, db *store.DB) bool {
				return try(t, db, func(tx *store.Tx) error {
					g, first, err := tx.Grants().UseCode(ctx, tenant, "code")
					return must(first && !g.Over, err)
				})
			}},
			{"request", func(t *testing.T, db *store.DB) bool {
				return try(t, db, func(tx *store.Tx) error { _, err := tx.Requests().Take(ctx, tenant, request.ID); return err })
			}},
			{"journey", func(t *testing.T, db *store.DB) bool {
				j, err := db.Journeys().Get(ctx, tenant, journey.ID)
				if err != nil {
					t.Fatal(err)
				}
				return try(t, db, func(tx *store.Tx) error { return tx.Journeys().Step(ctx, j) })
			}},
			{"code mailed in a journey", func(t *testing.T, db *store.DB) bool {
				mailed, err := db.MailCodes().Get(ctx, tenant, journey.ID)
				return err == nil && mailed.Number != 0
			}},
			{"code asked for in a journey", func(t *testing.T, db *store.DB) bool {
				asked, err := store.Collect(db.MailCodes().Requests(ctx, 10))
				if err != nil {
					t.Fatal(err)
				}
				return len(asked) > 0
			}},
			{"application of a session", func(t *testing.T, db *store.DB) bool {
				all, err := store.Collect(db.Sessions().Applications(ctx, tenant, session.ID))
				if err != nil {
					t.Fatal(err)
				}
				return len(all) > 0
			}},
			{"pending authenticator", func(t *testing.T, db *store.DB) bool {
				_, err := db.Authenticators().Seed(ctx, tenant, pending.ID)
				return err == nil
			}},
			{"outbox", func(t *testing.T, db *store.DB) bool {
				due, err := db.Outbox().Due(ctx)
				if err != nil {
					t.Fatal(err)
				}
				return due
			}},
			{"push", func(t *testing.T, db *store.DB) bool {
				return try(t, db, func(tx *store.Tx) error {
					return must(tx.Push().End(ctx, tenant, push.ID, store.PushApproved, phone.ID))
				})
			}},
			{"activation by short code", func(_ *testing.T, db *store.DB) bool {
				_, err := db.Activations().ByShortCode(ctx, "SHORT")
				return err == nil
			}},
			{"activation", func(t *testing.T, db *store.DB) bool {
				return try(t, db, func(tx *store.Tx) error { return must(tx.Activations().Use(ctx, activation, "thumbprint", "")) })
			}},
			{"invitation", func(t *testing.T, db *store.DB) bool {
				return try(t, db, func(tx *store.Tx) error { return must(tx.Invitations().Use(ctx, invitation, "jny")) })
			}},
			{"leave to enrol", func(t *testing.T, db *store.DB) bool {
				u, err := db.Users().Get(ctx, tenant, h.User.ID)
				if err != nil {
					t.Fatal(err)
				}
				return !u.EnrollPermitAt.IsZero()
			}},
			{"event-based authenticator", func(t *testing.T, db *store.DB) bool {
				return try(t, db, func(tx *store.Tx) error { return must(tx.Passcodes().UseStep(ctx, tenant, button.ID, 7, 0)) })
			}},
			{"mail", func(t *testing.T, db *store.DB) bool {
				return try(t, db, func(tx *store.Tx) error {
					due, err := tx.Outbox().Lease(ctx, "n", tx.Now().Add(time.Minute), 9)
					return must(len(due) > 0, err)
				})
			}},
		}
		file := makeBackup(t, h)
		// Each works in the original after the backup was made.
		for _, u := range uses {
			if !u.works(t, h.DB) {
				t.Errorf("%s does not work in the original", u.name)
			}
		}
		r, db := restoreBackup(t, h, file, target)
		for _, u := range uses {
			if u.works(t, db) {
				t.Errorf("%s can be used again", u.name)
			}
		}
		if check(next)(t, db) {
			t.Error("a passcode of the next step, accepted in the window before the restore, is accepted again")
		}
		if a, err := db.Authenticators().Get(ctx, tenant, phone.ID); err != nil || a.Invalid != 0 {
			t.Errorf("passcodes that came too early were counted as wrong: %d, %v", a.Invalid, err)
		}
		if !try(t, db, func(tx *store.Tx) error { return must(tx.Lease(ctx, "outbox", "this node", now.Add(time.Hour))) }) {
			t.Error("a node that is gone keeps its work")
		}
		want := store.RestoreReport{Generation: 1, Sessions: 1, Grants: 1, Journeys: 2, Pushes: 1, Activations: 1, Invitations: 1, Passcodes: 1, Locked: 1, Mails: 1}
		if r.Ended != want {
			t.Errorf("ended: %+v, want %+v", r.Ended, want)
		}
		if failed, err := store.Collect(db.Events().List(ctx, tenant, store.EventFilter{Kind: audit.MailFailed})); err != nil || len(failed) != 1 {
			t.Errorf("events of mails given up: %v, %v, want 1", failed, err)
		}
		// A minute and a half later, logins work as before.
		h.Clock.Advance(90 * time.Second)
		if !check(otp.TOTP(phone.Seed, otp.Params{}, h.Clock.Now()))(t, db) {
			t.Error("a fresh passcode is refused a minute and a half later")
		}
	})
}

// A backup made during writes is one consistent state: it contains each commit entirely or not
// at all. Here a commit increments a counter and writes an event.
func TestQLT2_NothingIsTorn(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		const writers = 4
		var phones [writers]identity.Authenticator
		for i := range phones {
			phones[i] = h.Authenticator(t, fmt.Sprint("phone ", i))
		}
		ctx, stop := context.WithCancel(t.Context())
		var work sync.WaitGroup
		var began sync.WaitGroup
		began.Add(writers)
		for _, phone := range phones {
			work.Go(func() {
				for step := int64(0); ctx.Err() == nil; step++ {
					err := h.DB.InTx(ctx, h.Who, func(tx *store.Tx) error {
						if _, err := tx.Passcodes().UseStep(ctx, h.Tenant.ID, phone.ID, step, 0); err != nil {
							return err
						}
						return tx.Event(ctx, audit.Event{Kind: audit.PasscodeRight, Authenticator: phone.ID})
					})
					if err != nil && ctx.Err() == nil {
						t.Error(err)
					}
					if step == 3 {
						began.Done()
					}
				}
			})
		}
		began.Wait()
		var files []string
		for range 3 {
			files = append(files, makeBackup(t, h))
		}
		stop()
		work.Wait()
		for _, name := range files {
			f, err := os.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			c, err := read(f, passphrase)
			if err != nil {
				t.Fatal(err)
			}
			used, events := make(map[any]int64), make(map[any]int64)
			for _, table := range c.manifest.Tables {
				column := func(row []any, name string) any { return row[slices.Index(table.Columns, name)] }
				for row, err := range c.table(table) {
					switch {
					case err != nil:
						t.Fatal(err)
					case table.Name == "authenticators":
						used[column(row, "id")] = column(row, "last_step").(int64) + 1
					case table.Name == "events" && column(row, "kind") == string(audit.PasscodeRight):
						events[column(row, "authenticator_id")]++
					}
				}
			}
			for _, phone := range phones {
				if used[phone.ID] < 4 || used[phone.ID] != events[phone.ID] {
					t.Errorf("%s: %d passcodes used, %d events", phone.Name, used[phone.ID], events[phone.ID])
				}
			}
		}
	})
}
