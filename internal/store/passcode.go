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

// Passcodes uses up passcodes and counts wrong ones.
type Passcodes struct {
	tx *Tx
}

// Passcodes returns the view; what it writes is part of the transaction.
func (tx *Tx) Passcodes() Passcodes { return Passcodes{tx} }

// UseStep uses up the passcode of a step that was typed, and every older one,
// and reports whether it was still to be had: a passcode works once (RFC 6238,
// section 5.2). The count of wrong ones starts anew, and the drift seen is kept
// for next time.
//
// The comparison is part of the UPDATE, so of two nodes given the same passcode
// at the same moment exactly one succeeds. Both databases promise that for a
// single statement; no lock is needed. An authenticator that was locked or
// revoked since it was read is left alone too.
func (v Passcodes) UseStep(ctx context.Context, tenant, id string, step, drift int64) (bool, error) {
	n, err := v.tx.exec(ctx, "use step of "+id, `
		UPDATE authenticators SET last_step = $3, drift = $4, invalid = 0, last_used_at = $5
		WHERE tenant_id = $1 AND id = $2 AND last_step < $3 AND `+active,
		tenant, id, step, drift, at(v.tx.now()))
	return n == 1, err
}

// SpendStep uses up the passcode of a step, and every older one, without its
// having been good for anything: the count of wrong ones stays.
func (v Passcodes) SpendStep(ctx context.Context, tenant, id string, step int64) error {
	_, err := v.tx.exec(ctx, "spend step of "+id, `
		UPDATE authenticators SET last_step = $3 WHERE tenant_id = $1 AND id = $2 AND last_step < $3 AND `+active, tenant, id, step)
	return err
}

// UseStepSigned uses up the passcode of a step that came with a signed
// approval. The nonce that was signed makes it fresh, so the newest step that
// was used may come again, but none older (PUSH-13). Wrong passcodes are
// counted for what people type, and that count stays as it is (CRED-11).
func (v Passcodes) UseStepSigned(ctx context.Context, tenant, id string, step, drift int64) (bool, error) {
	n, err := v.tx.exec(ctx, "use signed step of "+id, `
		UPDATE authenticators SET last_step = $3, drift = $4, last_used_at = $5
		WHERE tenant_id = $1 AND id = $2 AND last_step <= $3 AND `+active,
		tenant, id, step, drift, at(v.tx.now()))
	return n == 1, err
}

// UseCounterSigned is UseStepSigned for counters, of which none comes twice.
func (v Passcodes) UseCounterSigned(ctx context.Context, tenant, id string, counter, drift int64) (bool, error) {
	n, err := v.tx.exec(ctx, "use signed counter of "+id, `
		UPDATE authenticators SET last_step = $3, drift = $4, last_used_at = $5
		WHERE tenant_id = $1 AND id = $2 AND last_step < $3 AND `+active,
		tenant, id, counter, drift, at(v.tx.now()))
	return n == 1, err
}

// Suspend suspends an authenticator that somebody has until
// ResumeAuthenticator, and reports whether it was not suspended before.
func (v Authenticators) Suspend(ctx context.Context, tenant, id string) (bool, error) {
	n, err := v.tx.exec(ctx, "suspend "+id, `
		UPDATE authenticators SET suspended_at = $3 WHERE tenant_id = $1 AND id = $2 AND suspended_at IS NULL AND `+held,
		tenant, id, at(v.tx.now()))
	return n == 1, err
}

// Resume ends a suspension, and reports whether there was one. A
// lock that came before it is still there.
func (v Authenticators) Resume(ctx context.Context, tenant, id string) (bool, error) {
	n, err := v.tx.exec(ctx, "resume "+id, `
		UPDATE authenticators SET suspended_at = NULL WHERE tenant_id = $1 AND id = $2 AND suspended_at IS NOT NULL AND `+held,
		tenant, id)
	return n == 1, err
}

// Revoke revokes an authenticator for good and forgets its seed;
// the row and its key stay, so that its app can be told. It reports whether it
// was not revoked before.
func (v Authenticators) Revoke(ctx context.Context, tenant, id string) (bool, error) {
	n, err := v.tx.exec(ctx, "revoke "+id, `
		UPDATE authenticators SET revoked_at = $3, seed = NULL WHERE tenant_id = $1 AND id = $2 AND revoked_at IS NULL`,
		tenant, id, at(v.tx.now()))
	if n == 0 || err != nil {
		return false, err
	}
	if err := v.tx.PINs().remove(ctx, tenant, id); err != nil {
		return false, err
	}
	_, err = v.tx.Subscriptions().Remove(ctx, tenant, id)
	return err == nil, err
}

// SetPush switches push on or off for an active authenticator (PUSH-8). It
// reports whether that changed anything.
func (v Authenticators) SetPush(ctx context.Context, tenant, id string, on bool) (bool, error) {
	query := `UPDATE authenticators SET push_off_at = $3, push_on_at = NULL
		WHERE tenant_id = $1 AND id = $2 AND (push_on_at IS NOT NULL OR push_off_at IS NULL) AND ` + active
	if on {
		query = `UPDATE authenticators SET push_on_at = $3, push_off_at = NULL
			WHERE tenant_id = $1 AND id = $2 AND push_on_at IS NULL AND ` + active
	}
	n, err := v.tx.exec(ctx, "set push of "+id, query, tenant, id, at(v.tx.now()))
	return n == 1, err
}

// Notify wakes whoever watches a user or one of the user's authenticators.
func (v Users) Notify(ctx context.Context, tenant, user string) error {
	v.tx.Notify(UserTopic(user))
	for a, err := range v.tx.Authenticators().OfUser(ctx, tenant, user) {
		if err != nil {
			return err
		}
		v.tx.Notify(AuthenticatorTopic(a.ID))
	}
	return nil
}
