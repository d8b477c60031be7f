package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// A Cut counts what CutOff ended.
type RevokedAccess struct{ Sessions, Journeys, Pushes, Grants int64 }

// RevokeAllAccess ends all a user has open, at once: sessions and what they are logged in
// to, push requests, journeys, and the grants of OpenID Connect with every token
// they gave. It belongs in the transaction that disables or removes the user.
//
// A journey in which nothing was proved becomes a decoy instead, and keeps its
// version: whoever sits in front of it may be anybody, and must not learn from
// it that the name was somebody's (ENR-4). It goes on as for an unknown name.
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
	_, err = v.tx.Devices().ForgetAll(ctx, tenant, user, "user disabled") // enabled again, the user is asked again
	return e, err
}

// Lock locks a user's logins until an operator unlocks them, in all
// browsers, and reports whether they were not locked so before.
func (v Users) Lock(ctx context.Context, tenant, user string) (bool, error) {
	n, err := v.tx.exec(ctx, "lock user", `
		UPDATE users SET locked_at = $3 WHERE tenant_id = $1 AND id = $2 AND locked_at IS NULL AND removed_at IS NULL`,
		tenant, user, at(v.tx.now()))
	return n == 1, err
}

// Unlock ends every lock of a user's logins, an operator's too, and of the user's
// passcodes, and clears the counts, in all browsers.
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

// Disable keeps a user from logging in and using anything, and reports
// whether that was possible before. What is open is for CutOff to end.
func (v Users) Disable(ctx context.Context, tenant, user string) (bool, error) {
	n, err := v.tx.exec(ctx, "disable user", `
		UPDATE users SET disabled_at = $3 WHERE tenant_id = $1 AND id = $2 AND disabled_at IS NULL`, tenant, user, at(v.tx.now()))
	return n == 1, err
}

// Enable lets a disabled user log in again, and reports whether that
// changed anything. A removed one stays so.
func (v Users) Enable(ctx context.Context, tenant, user string) (bool, error) {
	n, err := v.tx.exec(ctx, "enable user", `
		UPDATE users SET disabled_at = NULL WHERE tenant_id = $1 AND id = $2 AND disabled_at IS NOT NULL AND removed_at IS NULL`, tenant, user)
	return n == 1, err
}

// TakeUnlockMail reports whether a user was told of a lock of logins and not yet
// of its end, though it is over; from then on it is told.
func (v Users) TakeUnlockMail(ctx context.Context, tenant, user string) (bool, error) {
	n, err := v.tx.exec(ctx, "tell end of lock of "+user, `
		UPDATE users SET unlock_due = 0 WHERE tenant_id = $1 AND id = $2 AND unlock_due = 1
			AND locked_at IS NULL AND (locked_until IS NULL OR locked_until <= $3)`, tenant, user, at(v.tx.now()))
	return n == 1, err
}

// RecordLogin notes a finished login: the browser is known from now on, its count
// or the user's starts anew, and the method is remembered for next time.
//
// It is a Forbidden for a user who was disabled or locked since this
// transaction looked: the row is the judge, so that of a login and an operator
// at the same moment, on any two nodes, one waits for the other.
func (v Users) RecordLogin(ctx context.Context, tenant, user, browser string, knownBefore bool, method identity.Method) error {
	// A login in a browser not known before was counted against the user.
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

// KnownBrowser reports whether a user has logged in from a browser before, and
// by which method last.
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
