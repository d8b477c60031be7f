package store

import (
	"context"
	"time"
)

// A RecoverySet says how a user's recovery codes stand. The zero value is a user
// who has none.
type RecoverySet struct {
	MadeAt time.Time
	Made   int
	Left   int // not used yet
}

// recoveryCodeUse is what the MAC of a recovery code is bound to: the same code of
// another user, or another tenant, has another MAC.
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

// Get returns how a user's recovery codes stand.
func (v RecoveryCodeReads) Get(ctx context.Context, tenant, user string) (s RecoverySet, err error) {
	err = v.r.q.QueryRowContext(ctx, `
		SELECT MIN(made_at), COUNT(*), COUNT(*) - COUNT(used_at) FROM recovery_codes WHERE tenant_id = $1 AND user_id = $2`,
		tenant, user).Scan(nullTime{&s.MadeAt}, &s.Made, &s.Left)
	if err != nil {
		return s, notFound("recovery codes of "+user, err)
	}
	return s, nil
}

// Replace puts a user's new recovery codes, in their canonical form,
// in the place of all earlier ones.
func (v RecoveryCodes) Replace(ctx context.Context, tenant, user string, codes []string) error {
	// Whoever makes a set holds the user's row until the end of the transaction:
	// of two sets made at once one is whole, and not two of them mixed.
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

// Remove removes all recovery codes of a user.
func (v RecoveryCodes) Remove(ctx context.Context, tenant, user string) error {
	_, err := v.tx.exec(ctx, "remove recovery codes of "+user, `
		DELETE FROM recovery_codes WHERE tenant_id = $1 AND user_id = $2`, tenant, user)
	return err
}

// Use uses up one of a user's recovery codes, given in its canonical
// form, and reports whether it was still to be had. The condition is part of the
// UPDATE: of any number of copies of one, on any node, one gets it (T-LOG-30).
func (v RecoveryCodes) Use(ctx context.Context, tenant, user, code string) (bool, error) {
	macs, err := v.tx.MACs(code, recoveryCodeUse(tenant, user)...)
	if err != nil {
		return false, err
	}
	used := false
	for _, mac := range macs { // a root a try; no code is under two of them
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

// Has reports whether a code is one of the set a user has, used or
// not: whoever is asked to hand a set out as a file hands out that and nothing
// else.
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
