package store

import (
	"context"
)

// active is the condition under which an authenticator takes part: State is
// identity.Active, told in SQL so that it holds at the moment of the write.
const active = `activated_at IS NOT NULL AND locked_at IS NULL AND suspended_at IS NULL AND inactive_at IS NULL AND revoked_at IS NULL`

// held is the condition under which an authenticator counts as having one, told
// in SQL: active, locked or suspended (ENR-1).
const held = `activated_at IS NOT NULL AND inactive_at IS NULL AND revoked_at IS NULL`

// UseStep uses up the passcode of a step that was typed, and every older one,
// and reports whether it was still to be had: a passcode works once (RFC 6238,
// section 5.2). The count of wrong ones starts anew, and the drift seen is kept
// for next time.
//
// The comparison is part of the UPDATE, so of two nodes given the same passcode
// at the same moment exactly one succeeds. Both databases promise that for a
// single statement; no lock is needed. An authenticator that was locked or
// revoked since it was read is left alone too.
func (tx *Tx) UseStep(ctx context.Context, tenant, id string, step, drift int64) (bool, error) {
	n, err := tx.exec(ctx, "use step of "+id, `
		UPDATE authenticators SET last_step = $3, drift = $4, invalid = 0, last_used_at = $5
		WHERE tenant_id = $1 AND id = $2 AND last_step < $3 AND `+active,
		tenant, id, step, drift, at(tx.now()))
	return n == 1, err
}

// SpendStep uses up the passcode of a step, and every older one, without its
// having been good for anything: the count of wrong ones stays.
func (tx *Tx) SpendStep(ctx context.Context, tenant, id string, step int64) error {
	_, err := tx.exec(ctx, "spend step of "+id, `
		UPDATE authenticators SET last_step = $3 WHERE tenant_id = $1 AND id = $2 AND last_step < $3 AND `+active, tenant, id, step)
	return err
}

// UseStepSigned uses up the passcode of a step that came with a signed
// approval. The nonce that was signed makes it fresh, so the newest step that
// was used may come again, but none older (PUSH-13). Wrong passcodes are
// counted for what people type, and that count stays as it is (CRED-11).
func (tx *Tx) UseStepSigned(ctx context.Context, tenant, id string, step, drift int64) (bool, error) {
	n, err := tx.exec(ctx, "use signed step of "+id, `
		UPDATE authenticators SET last_step = $3, drift = $4, last_used_at = $5
		WHERE tenant_id = $1 AND id = $2 AND last_step <= $3 AND `+active,
		tenant, id, step, drift, at(tx.now()))
	return n == 1, err
}

// UseCounterSigned is UseStepSigned for counters, of which none comes twice.
func (tx *Tx) UseCounterSigned(ctx context.Context, tenant, id string, counter, drift int64) (bool, error) {
	n, err := tx.exec(ctx, "use signed counter of "+id, `
		UPDATE authenticators SET last_step = $3, drift = $4, last_used_at = $5
		WHERE tenant_id = $1 AND id = $2 AND last_step < $3 AND `+active,
		tenant, id, counter, drift, at(tx.now()))
	return n == 1, err
}

// SuspendAuthenticator suspends an authenticator that somebody has until
// ResumeAuthenticator, and reports whether it was not suspended before.
func (tx *Tx) SuspendAuthenticator(ctx context.Context, tenant, id string) (bool, error) {
	n, err := tx.exec(ctx, "suspend "+id, `
		UPDATE authenticators SET suspended_at = $3 WHERE tenant_id = $1 AND id = $2 AND suspended_at IS NULL AND `+held,
		tenant, id, at(tx.now()))
	return n == 1, err
}

// ResumeAuthenticator ends a suspension, and reports whether there was one. A
// lock that came before it is still there.
func (tx *Tx) ResumeAuthenticator(ctx context.Context, tenant, id string) (bool, error) {
	n, err := tx.exec(ctx, "resume "+id, `
		UPDATE authenticators SET suspended_at = NULL WHERE tenant_id = $1 AND id = $2 AND suspended_at IS NOT NULL AND `+held,
		tenant, id)
	return n == 1, err
}

// RevokeAuthenticator revokes an authenticator for good and forgets its seed;
// the row and its key stay, so that its app can be told. It reports whether it
// was not revoked before.
func (tx *Tx) RevokeAuthenticator(ctx context.Context, tenant, id string) (bool, error) {
	n, err := tx.exec(ctx, "revoke "+id, `
		UPDATE authenticators SET revoked_at = $3, seed = NULL WHERE tenant_id = $1 AND id = $2 AND revoked_at IS NULL`,
		tenant, id, at(tx.now()))
	if n == 0 || err != nil {
		return false, err
	}
	if err := tx.removePIN(ctx, tenant, id); err != nil {
		return false, err
	}
	_, err = tx.Unsubscribe(ctx, tenant, id)
	return err == nil, err
}

// SetPush switches push on or off for an active authenticator (PUSH-8). It
// reports whether that changed anything.
func (tx *Tx) SetPush(ctx context.Context, tenant, id string, on bool) (bool, error) {
	query := `UPDATE authenticators SET push_off_at = $3, push_on_at = NULL
		WHERE tenant_id = $1 AND id = $2 AND (push_on_at IS NOT NULL OR push_off_at IS NULL) AND ` + active
	if on {
		query = `UPDATE authenticators SET push_on_at = $3, push_off_at = NULL
			WHERE tenant_id = $1 AND id = $2 AND push_on_at IS NULL AND ` + active
	}
	n, err := tx.exec(ctx, "set push of "+id, query, tenant, id, at(tx.now()))
	return n == 1, err
}

// WakeUser wakes whoever watches a user or one of the user's authenticators.
func (tx *Tx) WakeUser(ctx context.Context, tenant, user string) error {
	tx.Wake(UserTopic(user))
	for a, err := range tx.Authenticators(ctx, tenant, user) {
		if err != nil {
			return err
		}
		tx.Wake(AuthenticatorTopic(a.ID))
	}
	return nil
}
