package store

import (
	"errors"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// granted adds a session of the fixture's user and a grant of it, whose code is
// returned.
func granted(t *testing.T, db *DB, h fixture, offline bool) (Grant, string) {
	t.Helper()
	now := time.Now()
	s := identity.Session{Tenant: h.tenant.ID, ID: identity.NewID(identity.SessionID), UserID: h.user.ID, Browser: "b",
		AuthTime: now, ExpiresAt: now.Add(time.Hour)}
	g := Grant{Tenant: h.tenant.ID, ID: identity.NewID(identity.GrantID), Application: h.app.ID, User: h.user.ID, Session: s.ID,
		Subject: h.user.ID, SID: "sid", Scope: "openid", Offline: offline, ACR: "acr", AMR: []string{"pwd", "otp"}, AuthTime: now,
		RedirectURI: "https://rp.example/cb", CodeExpires: now.Add(time.Minute), ExpiresAt: now.Add(time.Hour)}
	code := identity.NewSecret()
	err := db.InTx(t.Context(), h.who, func(tx *Tx) error {
		if err := tx.Sessions().Save(t.Context(), s, identity.NewSecret()); err != nil {
			return err
		}
		return tx.Grants().Add(t.Context(), g, code)
	})
	if err != nil {
		t.Fatal(err)
	}
	return g, code
}

func addToken(t *testing.T, db *DB, h fixture, g Grant, kind TokenKind) string {
	t.Helper()
	secret := identity.NewSecret()
	err := db.InTx(t.Context(), h.who, func(tx *Tx) error {
		return tx.Grants().AddToken(t.Context(), h.tenant.ID, Token{Grant: g.ID, Kind: kind, Scope: g.Scope, ExpiresAt: g.ExpiresAt}, secret)
	})
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

var notFirst = &identity.Error{Kind: identity.Conflict}

func TestTOIDC04_OneOfAHundredUsesTheCode(t *testing.T) {
	each(t, func(t *testing.T, db *DB) {
		h := newFixture(t, db)
		g, code := granted(t, db, h, false)
		won := race(t, func() error {
			return db.InTx(t.Context(), h.who, func(tx *Tx) error {
				got, first, err := tx.Grants().UseCode(t.Context(), h.tenant.ID, code)
				if err != nil {
					return err
				}
				if got.ID != g.ID {
					t.Errorf("got grant %s, want %s", got.ID, g.ID)
				}
				if !first {
					return notFirst
				}
				return nil
			})
		})
		if won != 1 {
			t.Errorf("%d of 100 used the code, want 1", won)
		}
	})
}

func TestTOIDC08_OneOfAHundredUsesTheRefreshToken(t *testing.T) {
	each(t, func(t *testing.T, db *DB) {
		h := newFixture(t, db)
		g, _ := granted(t, db, h, true)
		secret := addToken(t, db, h, g, RefreshToken)
		use := func(application string) (first bool, err error) {
			err = db.InTx(t.Context(), h.who, func(tx *Tx) error {
				_, _, first, err = tx.Grants().UseRefreshToken(t.Context(), h.tenant.ID, application, secret)
				return err
			})
			return first, err
		}
		if _, err := use("app_other"); !errors.Is(err, identity.NotFound) {
			t.Errorf("another application's: got %v, want not found", err)
		}
		won := race(t, func() error {
			first, err := use(h.app.ID)
			if err == nil && !first {
				return notFirst
			}
			return err
		})
		if won != 1 {
			t.Errorf("%d of 100 used the refresh token, want 1", won)
		}
	})
}

// What ends an access token, and what does not.
func TestAccessToken(t *testing.T) {
	for _, tt := range []struct {
		name    string
		offline bool
		end     func(tx *Tx, h fixture, g Grant, secret string) error
		good    bool
	}{
		{"nothing", false, func(*Tx, fixture, Grant, string) error { return nil }, true},
		{"logout", false, func(tx *Tx, h fixture, g Grant, _ string) error {
			return tx.Sessions().End(t.Context(), h.tenant.ID, g.Session)
		}, false},
		{"logout, offline", true, func(tx *Tx, h fixture, g Grant, _ string) error {
			return tx.Sessions().End(t.Context(), h.tenant.ID, g.Session)
		}, true},
		{"grant revoked", true, func(tx *Tx, h fixture, g Grant, _ string) error {
			_, err := tx.Grants().Revoke(t.Context(), h.tenant.ID, g.ID)
			return err
		}, false},
		{"token revoked", true, func(tx *Tx, h fixture, _ Grant, secret string) error {
			_, err := tx.Grants().RevokeToken(t.Context(), h.tenant.ID, h.app.ID, secret)
			return err
		}, false},
		{"T-OIDC-09 revoked by another application", true, func(tx *Tx, h fixture, _ Grant, secret string) error {
			if _, err := tx.Grants().RevokeToken(t.Context(), h.tenant.ID, "app_other", secret); !errors.Is(err, identity.NotFound) {
				t.Errorf("got %v, want not found", err)
			}
			return nil
		}, true},
		{"T-OIDC-19 user disabled", true, func(tx *Tx, h fixture, g Grant, _ string) error {
			_, err := tx.exec(t.Context(), "disable", `UPDATE users SET disabled_at = 1 WHERE tenant_id = $1 AND id = $2`, h.tenant.ID, g.User)
			return err
		}, false},
		{"application disabled", true, func(tx *Tx, h fixture, g Grant, _ string) error {
			_, err := tx.exec(t.Context(), "disable", `UPDATE applications SET disabled_at = 1 WHERE tenant_id = $1 AND id = $2`, h.tenant.ID, g.Application)
			return err
		}, false},
		{"expired", true, func(tx *Tx, h fixture, g Grant, _ string) error {
			_, err := tx.exec(t.Context(), "expire", `UPDATE oidc_tokens SET expires_at = $3 WHERE tenant_id = $1 AND grant_id = $2`,
				h.tenant.ID, g.ID, time.Now().Unix())
			return err
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			each(t, func(t *testing.T, db *DB) {
				h := newFixture(t, db)
				g, _ := granted(t, db, h, tt.offline)
				secret := addToken(t, db, h, g, AccessToken)
				if err := db.InTx(t.Context(), h.who, func(tx *Tx) error { return tt.end(tx, h, g, secret) }); err != nil {
					t.Fatal(err)
				}
				_, _, err := db.Grants().AccessToken(t.Context(), h.tenant.ID, secret)
				if good := err == nil; good != tt.good || err != nil && !errors.Is(err, identity.NotFound) {
					t.Errorf("good is %v (%v), want %v", good, err, tt.good)
				}
				if _, _, err := db.Grants().AccessToken(t.Context(), "ten_other", secret); !errors.Is(err, identity.NotFound) {
					t.Errorf("in another tenant: got %v, want not found", err)
				}
			})
		})
	}
}

func TestSweep_ForgetsGrantsWithTheirTokens(t *testing.T) {
	each(t, func(t *testing.T, db *DB) {
		h := newFixture(t, db)
		old, code := granted(t, db, h, false)
		addToken(t, db, h, old, AccessToken)
		_, kept := granted(t, db, h, false)
		err := db.InTx(t.Context(), h.who, func(tx *Tx) error {
			for _, q := range []string{`UPDATE oidc_grants SET expires_at = 1 WHERE tenant_id = $1 AND id = $2`,
				`UPDATE oidc_tokens SET expires_at = 1 WHERE tenant_id = $1 AND grant_id = $2`} {
				if _, err := tx.exec(t.Context(), "age", q, h.tenant.ID, old.ID); err != nil {
					return err
				}
			}
			if n, err := tx.Sweep(t.Context()); err != nil || n != 2 {
				t.Errorf("swept %d (%v), want 2", n, err)
			}
			if _, _, err := tx.Grants().UseCode(t.Context(), h.tenant.ID, code); !errors.Is(err, identity.NotFound) {
				t.Errorf("the old grant: got %v, want not found", err)
			}
			_, first, err := tx.Grants().UseCode(t.Context(), h.tenant.ID, kept)
			if !first {
				t.Error("the other grant went too")
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
