package store

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// A PIN is what the server knows of the PIN of an app token (CRED-7): how a proof of
// it is made, and how often it was wrong. The server does not know the PIN itself.
type PIN struct {
	Salt       []byte
	Iterations int64
	Failures   int64     // wrong ones in a row
	Initial    bool      // made by the server; must be changed first
	LockedAt   time.Time // because of wrong ones; for good (SP-16)
	Credential []byte    // WebAuthn, JSON; empty without biometric unlock (CRED-8)
}

// A NewPIN is what the server is told of a chosen PIN.
type NewPIN struct {
	Salt       []byte
	Iterations int64
	Proof      []byte // derived from the PIN by the app
	Half       []byte // the server's half of the key that seals the seed; made by the app for each PIN
}

func halfPlace(tenant, id string) Place {
	return Place{Tenant: tenant, Table: "authenticator_pins", Column: "half", Row: id}
}

func initialPlace(tenant, id string) Place {
	return Place{Tenant: tenant, Table: "authenticator_pins", Column: "initial", Row: id}
}

// PINs reads and writes the PINs of app tokens (CRED-7).
type PINs struct {
	PINReads
	tx *Tx
}

// PINs returns the view; what it writes is part of the transaction.
func (tx *Tx) PINs() PINs { return PINs{tx.Reader.PINs(), tx} }

// PINReads are the reads of [PINs].
type PINReads struct{ r Reader }

// PINs returns the view for reading.
func (r Reader) PINs() PINReads { return PINReads{r} }

// proofMAC returns what is stored of a proof. A PIN has some thirty bits at most, so
// that a copy of the database must not suffice to check a guess; the key is outside
// it.
func (v PINReads) proofMAC(tenant, id string, proof []byte) ([]byte, int64, error) {
	return v.r.MAC(string(proof), "pin proof", tenant, id)
}

// Get returns the PIN of an authenticator. If it has none, it returns a NotFound.
func (v PINReads) Get(ctx context.Context, tenant, id string) (p PIN, err error) {
	err = v.r.q.QueryRowContext(ctx, `
		SELECT salt, iterations, failures, half IS NULL, locked_at, credential
		FROM authenticator_pins WHERE tenant_id = $1 AND authenticator_id = $2`, tenant, id).Scan(&p.Salt, &p.Iterations,
		&p.Failures, &p.Initial, nullTime{&p.LockedAt}, &p.Credential)
	if err != nil {
		return p, notFound("PIN of "+id, err)
	}
	return p, nil
}

// Initial decrypts the initial PIN of an authenticator, for the page of its
// enrolment. After it was changed, Initial returns a NotFound.
func (v PINReads) Initial(ctx context.Context, tenant, id string) (string, error) {
	var sealed []byte
	err := v.r.q.QueryRowContext(ctx, `
		SELECT initial FROM authenticator_pins WHERE tenant_id = $1 AND authenticator_id = $2 AND initial IS NOT NULL`, tenant, id).Scan(&sealed)
	if err != nil {
		return "", notFound("initial PIN of "+id, err)
	}
	pin, err := v.r.Unseal(ctx, initialPlace(tenant, id), sealed)
	return string(pin), err
}

// Add stores the initial PIN of an authenticator.
func (v PINs) Add(ctx context.Context, tenant, id, initial string, first NewPIN) error {
	sealed, err := v.tx.Seal(ctx, initialPlace(tenant, id), []byte(initial))
	if err != nil {
		return err
	}
	mac, root, err := v.proofMAC(tenant, id, first.Proof)
	if err != nil {
		return err
	}
	_, err = v.tx.exec(ctx, "add PIN", `
		INSERT INTO authenticator_pins (tenant_id, authenticator_id, salt, iterations, proof_mac, proof_root, initial)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`, tenant, id, first.Salt, first.Iterations, mac, root, sealed)
	return err
}

// A PINResult is the result of a proof of a PIN.
type PINResult uint8

const (
	PINLocked PINResult = iota // the proof was not checked: there are no attempts left
	PINWrong
	PINRight
)

// Try counts an attempt at the PIN of an authenticator, and then checks the proof. A
// right one resets the count; the most-th wrong one in a row locks the PIN for good.
// It returns the attempts left. The transaction must commit whatever the result, or
// the attempt would not count.
//
// The count is one conditional update, and the transaction keeps the lock on the row
// until it ends: of any number at once, on any number of nodes, no more than most
// proofs are checked.
func (v PINs) Try(ctx context.Context, tenant, id string, most int64, proof []byte) (verdict PINResult, left int64, err error) {
	var mac []byte
	var root, failures int64
	err = v.tx.q.QueryRowContext(ctx, `
		UPDATE authenticator_pins SET failures = failures + 1
		WHERE tenant_id = $1 AND authenticator_id = $2 AND failures < $3 AND locked_at IS NULL
		RETURNING proof_mac, proof_root, failures`, tenant, id, most).Scan(&mac, &root, &failures)
	if errors.Is(err, sql.ErrNoRows) {
		return PINLocked, 0, nil
	}
	if err != nil {
		return PINLocked, 0, notFound("try PIN of "+id, err)
	}
	right, err := v.tx.CheckMAC(mac, root, string(proof), "pin proof", tenant, id)
	switch {
	case err != nil:
		return PINLocked, 0, err
	case right:
		_, err = v.tx.exec(ctx, "PIN of "+id+" is right", `
			UPDATE authenticator_pins SET failures = 0 WHERE tenant_id = $1 AND authenticator_id = $2`, tenant, id)
		return PINRight, most, err
	case failures >= most:
		_, err = v.tx.exec(ctx, "lock PIN of "+id, `
			UPDATE authenticator_pins SET locked_at = $3 WHERE tenant_id = $1 AND authenticator_id = $2`, tenant, id, at(v.tx.now()))
	}
	return PINWrong, most - failures, err
}

// Change replaces the PIN of an authenticator. What the old one had unlocked is
// locked again, and biometric unlock ends: it had sealed the seed with the old half,
// so the app has to set it up again. The old PIN must have been proved in the same
// transaction.
func (v PINs) Change(ctx context.Context, tenant, id string, to NewPIN) error {
	half, err := v.tx.Seal(ctx, halfPlace(tenant, id), to.Half)
	if err != nil {
		return err
	}
	mac, root, err := v.proofMAC(tenant, id, to.Proof)
	if err != nil {
		return err
	}
	_, err = v.tx.exec(ctx, "change PIN of "+id, `
		UPDATE authenticator_pins SET salt = $3, iterations = $4, proof_mac = $5, proof_root = $6, half = $7, initial = NULL,
			changed_at = $8, unlocked_for = '', unlocked_until = 0, challenge = NULL, challenge_for = '', credential = ''
		WHERE tenant_id = $1 AND authenticator_id = $2`, tenant, id, to.Salt, to.Iterations, mac, root, half, at(v.tx.now()))
	return err
}

// Half decrypts the server's half of the key that seals the seed of an authenticator.
// Until the initial PIN was changed, it returns a NotFound.
func (v PINReads) Half(ctx context.Context, tenant, id string) ([]byte, error) {
	var sealed []byte
	err := v.r.q.QueryRowContext(ctx, `
		SELECT half FROM authenticator_pins WHERE tenant_id = $1 AND authenticator_id = $2 AND half IS NOT NULL`, tenant, id).Scan(&sealed)
	if err != nil {
		return nil, notFound("half of "+id, err)
	}
	return v.r.Unseal(ctx, halfPlace(tenant, id), sealed)
}

// UnlockFor permits an authenticator to approve one push request until a time,
// because the PIN was proved for that request.
func (v PINs) UnlockFor(ctx context.Context, tenant, id, request string, until time.Time) error {
	_, err := v.tx.exec(ctx, "unlock "+id+" for a request", `
		UPDATE authenticator_pins SET unlocked_for = $3, unlocked_until = $4
		WHERE tenant_id = $1 AND authenticator_id = $2`, tenant, id, request, at(until))
	return err
}

// UseUnlock uses up the permission to approve a push request, and reports whether
// there was one.
func (v PINs) UseUnlock(ctx context.Context, tenant, id, request string) (bool, error) {
	n, err := v.tx.exec(ctx, "use unlock of "+id, `
		UPDATE authenticator_pins SET unlocked_for = '', unlocked_until = 0
		WHERE tenant_id = $1 AND authenticator_id = $2 AND unlocked_for = $3 AND $3 <> '' AND unlocked_until > $4 AND locked_at IS NULL`,
		tenant, id, request, at(v.tx.now()))
	return n == 1, err
}

// remove deletes the PIN of an authenticator whose seed is erased.
func (v PINs) remove(ctx context.Context, tenant, id string) error {
	_, err := v.tx.exec(ctx, "remove PIN of "+id, `
		DELETE FROM authenticator_pins WHERE tenant_id = $1 AND authenticator_id = $2`, tenant, id)
	return err
}
