package store

import (
	"context"
	"time"
)

// Biometrics writes what biometric unlock needs (CRED-8).
type Biometrics struct {
	tx *Tx
}

// Biometrics returns the view; what it writes is part of the transaction.
func (tx *Tx) Biometrics() Biometrics { return Biometrics{tx} }

// SetChallenge stores a WebAuthn challenge of an authenticator for a purpose, in
// place of an earlier one.
func (v Biometrics) SetChallenge(ctx context.Context, tenant, id string, challenge []byte, purpose string, until time.Time) error {
	_, err := v.tx.exec(ctx, "set challenge of "+id, `
		UPDATE authenticator_pins SET challenge = $3, challenge_for = $4, challenge_until = $5
		WHERE tenant_id = $1 AND authenticator_id = $2`, tenant, id, challenge, purpose, at(until))
	return err
}

// UseChallenge uses up a challenge of an authenticator for a purpose, and reports
// whether it was the one stored and had not expired.
func (v Biometrics) UseChallenge(ctx context.Context, tenant, id string, challenge []byte, purpose string) (bool, error) {
	n, err := v.tx.exec(ctx, "use challenge of "+id, `
		UPDATE authenticator_pins SET challenge = NULL, challenge_for = '', challenge_until = 0
		WHERE tenant_id = $1 AND authenticator_id = $2 AND challenge = $3 AND challenge_for = $4 AND challenge_until > $5`,
		tenant, id, challenge, purpose, at(v.tx.now()))
	return n == 1, err
}

// SetCredential stores the credential, as JSON, that unlocks an authenticator instead
// of its PIN (CRED-8). An empty one ends biometric unlock.
func (v Biometrics) SetCredential(ctx context.Context, tenant, id string, credential []byte) error {
	_, err := v.tx.exec(ctx, "set credential of "+id, `
		UPDATE authenticator_pins SET credential = $3 WHERE tenant_id = $1 AND authenticator_id = $2`, tenant, id, string(credential))
	return err
}
