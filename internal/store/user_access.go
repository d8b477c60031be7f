package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// RevokedAccess counts what RevokeAllAccess ended.
type RevokedAccess struct{ Sessions, Journeys, Pushes, Grants int64 }

// RevokeAllAccess ends everything that a user has open: sessions and the applications
// they are signed in to, push requests, journeys, and the grants of OpenID Connect
// with all their tokens. It belongs in the transaction that disables or removes the
// user.
//
// A journey in which nothing was proved becomes a decoy instead, and keeps its
// version. The person at that browser may be anybody, and must not learn that the
// name belonged to a user (ENR-4). It goes on like the journey of an unknown name.
func (v Users) RevokeAllAccess(ctx context.Context, tenant, user string) (RevokedAccess, error) {
	var e RevokedAccess
	if err := v.Notify(ctx, tenant, user); err != nil {
		return e, err
	}
	var err error
	if e.Pushes, err = v.tx.exec(ctx, "end push requests of "+user, `
		UPDATE push_requests SET ended_at = $3, outcome = $4, number = NULL, options = NULL
		WHERE tenant_id = $1 AND user_id = $2 AND ended_at IS NULL AND expires_at > $3`,
		tenant, user, at(v.tx.now()), string(PushCancelled)); err != nil {
		return e, err
	}
	ended, err := v.tx.Journeys().endAll(ctx, tenant, user)
	if err != nil {
		return e, err
	}
	e.Journeys = int64(len(ended))
	if e.Sessions, err = v.tx.Sessions().EndAll(ctx, tenant, user); err != nil {
		return e, err
	}
	if e.Grants, err = v.tx.Grants().RevokeAll(ctx, tenant, user); err != nil {
		return e, err
	}
	_, err = v.tx.Devices().ForgetAll(ctx, tenant, user, "user disabled") // or they would count again once the user is enabled
	return e, err
}

// Lock locks a user's sign-ins in all browsers until an operator unlocks them, and
// reports whether they were not locked by an operator before.
func (v Users) Lock(ctx context.Context, tenant, user string) (bool, error) {
	n, err := v.tx.exec(ctx, "lock user", `
		UPDATE users SET locked_at = $3 WHERE tenant_id = $1 AND id = $2 AND locked_at IS NULL AND removed_at IS NULL`,
		tenant, user, at(v.tx.now()))
	return n == 1, err
}

// Unlock ends all locks of a user's sign-ins, those by operators too, and of the
// user's passcodes, and resets the counts in all browsers.
func (v Users) Unlock(ctx context.Context, tenant, user string) error {
	if _, err := v.tx.exec(ctx, "unlock", `
		UPDATE users SET failures = 0, locked_until = NULL, locked_at = NULL,
			passcode_failures = 0, passcode_locks = 0, passcodes_locked_until = NULL
		WHERE tenant_id = $1 AND id = $2`, tenant, user); err != nil {
		return err
	}
	_, err := v.tx.exec(ctx, "unlock", `
		UPDATE browser_users SET failures = 0, locked_until = NULL WHERE tenant_id = $1 AND user_id = $2`, tenant, user)
	return err
}

// Disable disables a user and reports whether the user was enabled before. See
// RevokeAllAccess for what the user has open.
func (v Users) Disable(ctx context.Context, tenant, user string) (bool, error) {
	n, err := v.tx.exec(ctx, "disable user", `
		UPDATE users SET disabled_at = $3 WHERE tenant_id = $1 AND id = $2 AND disabled_at IS NULL`, tenant, user, at(v.tx.now()))
	return n == 1, err
}

// Enable enables a disabled user and reports whether that changed anything. A removed
// user stays disabled.
func (v Users) Enable(ctx context.Context, tenant, user string) (bool, error) {
	n, err := v.tx.exec(ctx, "enable user", `
		UPDATE users SET disabled_at = NULL WHERE tenant_id = $1 AND id = $2 AND disabled_at IS NOT NULL AND removed_at IS NULL`, tenant, user)
	return n == 1, err
}

// TakeUnlockMail reports whether a user was told by mail of a lock that is over, and
// not yet of its end. It reports that once.
func (v Users) TakeUnlockMail(ctx context.Context, tenant, user string) (bool, error) {
	n, err := v.tx.exec(ctx, "tell end of lock of "+user, `
		UPDATE users SET unlock_due = 0 WHERE tenant_id = $1 AND id = $2 AND unlock_due = 1
			AND locked_at IS NULL AND (locked_until IS NULL OR locked_until <= $3)`, tenant, user, at(v.tx.now()))
	return n == 1, err
}

// RecordLogin records a finished sign-in: the browser is known from then on, the
// count of failures of the browser, or of the user, is reset, and the method is
// remembered for the next time.
//
// It returns a Forbidden if the user was disabled or locked since the transaction
// read it. The row decides: of a sign-in and an operator at the same moment, on any
// two nodes, one waits for the other.
func (v Users) RecordLogin(ctx context.Context, tenant, user, browser string, knownBefore bool, method identity.Method) error {
	// Failures in a browser that was not known were counted against the user.
	n, err := v.tx.exec(ctx, "logged in", `
		UPDATE users SET failures = CASE WHEN $3 = 1 THEN failures ELSE 0 END,
			locked_until = CASE WHEN $3 = 1 THEN locked_until ELSE NULL END
		WHERE tenant_id = $1 AND id = $2 AND disabled_at IS NULL AND locked_at IS NULL`, tenant, user, flag(knownBefore))
	if err != nil {
		return err
	}
	if n == 0 {
		return &identity.Error{Kind: identity.Forbidden, Key: "error.forbidden", Err: fmt.Errorf("store: %s may not log in any more", user)}
	}
	_, err = v.tx.exec(ctx, "logged in", `
		INSERT INTO browser_users (tenant_id, user_id, browser, last_method, logged_in_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (tenant_id, user_id, browser) DO UPDATE SET failures = 0, locked_until = NULL,
			logged_in_at = excluded.logged_in_at,
			last_method = CASE WHEN excluded.last_method = '' THEN browser_users.last_method ELSE excluded.last_method END`,
		tenant, user, browser, string(method), at(v.tx.now()))
	return err
}

// KnownBrowser reports whether a user has signed in from a browser before, and by
// which method the last time.
func (v UserReads) KnownBrowser(ctx context.Context, tenant, user, browser string) (known bool, last identity.Method, err error) {
	err = v.r.q.QueryRowContext(ctx, `
		SELECT last_method FROM browser_users WHERE tenant_id = $1 AND user_id = $2 AND browser = $3`,
		tenant, user, browser).Scan(&last)
	if errors.Is(err, sql.ErrNoRows) {
		return false, "", nil
	}
	if err != nil {
		return false, "", notFound("known browser", err)
	}
	return true, last, nil
}
