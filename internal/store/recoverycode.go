package store

import (
	"context"
	"time"
)

// A RecoverySet describes a user's recovery codes. The zero value is a user without
// any.
type RecoverySet struct {
	MadeAt time.Time
	Made   int
	Left   int // unused ones
}

// recoveryCodeUse is what the MAC of a recovery code is bound to: the same code has
// another MAC for another user or tenant.
func recoveryCodeUse(tenant, user string) []string { return []string{"recovery code", tenant, user} }

// RecoveryCodes reads and writes recovery codes.
type RecoveryCodes struct {
	RecoveryCodeReads
	tx *Tx
}

// RecoveryCodes returns the view; what it writes is part of the transaction.
func (tx *Tx) RecoveryCodes() RecoveryCodes { return RecoveryCodes{tx.Reader.RecoveryCodes(), tx} }

// RecoveryCodeReads are the reads of [RecoveryCodes].
type RecoveryCodeReads struct{ r Reader }

// RecoveryCodes returns the view for reading.
func (r Reader) RecoveryCodes() RecoveryCodeReads { return RecoveryCodeReads{r} }

// Get describes a user's recovery codes.
func (v RecoveryCodeReads) Get(ctx context.Context, tenant, user string) (s RecoverySet, err error) {
	err = v.r.q.QueryRowContext(ctx, `
		SELECT MIN(made_at), COUNT(*), COUNT(*) - COUNT(used_at) FROM recovery_codes WHERE tenant_id = $1 AND user_id = $2`,
		tenant, user).Scan(nullTime{&s.MadeAt}, &s.Made, &s.Left)
	if err != nil {
		return s, notFound("recovery codes of "+user, err)
	}
	return s, nil
}

// Replace replaces all recovery codes of a user by new ones, given in canonical form.
func (v RecoveryCodes) Replace(ctx context.Context, tenant, user string, codes []string) error {
	// The row of the user is locked until the transaction ends: of two sets that are
	// made at once, one is stored and whole.
	if _, err := v.tx.exec(ctx, "recovery codes of "+user, `
		UPDATE users SET failures = failures WHERE tenant_id = $1 AND id = $2`, tenant, user); err != nil {
		return err
	}
	if err := v.Remove(ctx, tenant, user); err != nil {
		return err
	}
	for _, code := range codes {
		mac, root, err := v.tx.MAC(code, recoveryCodeUse(tenant, user)...)
		if err != nil {
			return err
		}
		if _, err := v.tx.exec(ctx, "recovery code of "+user, `
			INSERT INTO recovery_codes (tenant_id, user_id, mac, root, made_at) VALUES ($1, $2, $3, $4, $5)`,
			tenant, user, mac, root, at(v.tx.now())); err != nil {
			return err
		}
	}
	return nil
}

// Remove deletes all recovery codes of a user.
func (v RecoveryCodes) Remove(ctx context.Context, tenant, user string) error {
	_, err := v.tx.exec(ctx, "remove recovery codes of "+user, `
		DELETE FROM recovery_codes WHERE tenant_id = $1 AND user_id = $2`, tenant, user)
	return err
}

// Use uses up a recovery code of a user, given in canonical form, and reports whether
// it was unused. The condition is part of the UPDATE: of several uses of one code at
// once, on any node, one succeeds (T-LOG-30).
func (v RecoveryCodes) Use(ctx context.Context, tenant, user, code string) (bool, error) {
	macs, err := v.tx.MACs(code, recoveryCodeUse(tenant, user)...)
	if err != nil {
		return false, err
	}
	used := false
	for _, mac := range macs { // one for each root; no code is stored under two
		n, err := v.tx.exec(ctx, "use recovery code of "+user, `
			UPDATE recovery_codes SET used_at = $4 WHERE tenant_id = $1 AND user_id = $2 AND mac = $3 AND used_at IS NULL`,
			tenant, user, mac, at(v.tx.now()))
		if err != nil {
			return false, err
		}
		used = used || n == 1
	}
	return used, nil
}

// Has reports whether a code is one of a user's present set, used or not. It makes
// sure that nothing else is offered as a file of recovery codes.
func (v RecoveryCodeReads) Has(ctx context.Context, tenant, user, code string) (bool, error) {
	macs, err := v.r.MACs(code, recoveryCodeUse(tenant, user)...)
	if err != nil {
		return false, err
	}
	for _, mac := range macs {
		var n int64
		err := v.r.q.QueryRowContext(ctx, `
			SELECT COUNT(*) FROM recovery_codes WHERE tenant_id = $1 AND user_id = $2 AND mac = $3`, tenant, user, mac).Scan(&n)
		if err != nil {
			return false, notFound("recovery code of "+user, err)
		}
		if n > 0 {
			return true, nil
		}
	}
	return false, nil
}
