package store

import (
	"context"
	"encoding/base64"
	"iter"
	"strings"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// A Passkey is the WebAuthn credential of an authenticator of that kind.
type Passkey struct {
	Tenant        string
	Authenticator string // id
	User          string // id; a passkey has one user
	Credential    []byte // id of the credential
	Key           []byte // COSE
	Count         int64  // signature counter; 0 if it has none
	AAGUID        string // its model, in hexadecimal; not attested
	Transports    []string
	Eligible      bool // for backup; never changes
	BackedUp      bool // at its last use
}

// credentialText is the id of a credential as it is stored, so that either database
// can index it.
func credentialText(id []byte) string { return base64.RawURLEncoding.EncodeToString(id) }

const passkeyColumns = `tenant_id, authenticator_id, user_id, credential_id, public_key, sign_count, aaguid, transports, backup_eligible, backed_up`

func scanPasskey(row scanner) (p Passkey, err error) {
	var id, transports string
	var eligible, backed int64
	err = row.Scan(&p.Tenant, &p.Authenticator, &p.User, &id, &p.Key, &p.Count, &p.AAGUID, &transports, &eligible, &backed)
	if err != nil {
		return p, err
	}
	p.Transports, p.Eligible, p.BackedUp = strings.Fields(transports), eligible == 1, backed == 1
	p.Credential, err = base64.RawURLEncoding.DecodeString(id)
	return p, err
}

// Passkeys reads and writes passkeys.
type Passkeys struct {
	PasskeyReads
	tx *Tx
}

// Passkeys returns the view; what it writes is part of the transaction.
func (tx *Tx) Passkeys() Passkeys { return Passkeys{tx.Reader.Passkeys(), tx} }

// PasskeyReads are the reads of [Passkeys].
type PasskeyReads struct{ r Reader }

// Passkeys returns the view for reading.
func (r Reader) Passkeys() PasskeyReads { return PasskeyReads{r} }

// Add stores the credential of an authenticator that was added in the same
// transaction. If the tenant has the credential already, of whichever user, it
// returns a Conflict.
func (v Passkeys) Add(ctx context.Context, p Passkey) error {
	n, err := v.tx.exec(ctx, "add passkey", `
		INSERT INTO passkeys (`+passkeyColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING`,
		p.Tenant, p.Authenticator, p.User, credentialText(p.Credential), p.Key, p.Count, p.AAGUID, strings.Join(p.Transports, " "),
		flag(p.Eligible), flag(p.BackedUp))
	if err == nil && n == 0 {
		err = &identity.Error{Kind: identity.Conflict, Key: "error.passkey.known"}
	}
	return err
}

// ByCredential returns the passkey of a credential id, even if its authenticator was
// revoked.
func (v PasskeyReads) ByCredential(ctx context.Context, tenant string, credential []byte) (Passkey, error) {
	p, err := scanPasskey(v.r.q.QueryRowContext(ctx, `
		SELECT `+passkeyColumns+` FROM passkeys WHERE tenant_id = $1 AND credential_id = $2`, tenant, credentialText(credential)))
	if err != nil {
		return p, notFound("passkey", err)
	}
	return p, nil
}

// OfUser yields a user's passkeys whose authenticators are not revoked.
func (v PasskeyReads) OfUser(ctx context.Context, tenant, user string) iter.Seq2[Passkey, error] {
	return list(ctx, v.r, "passkeys of "+user, scanPasskey, `
		SELECT p.tenant_id, p.authenticator_id, p.user_id, p.credential_id, p.public_key, p.sign_count, p.aaguid, p.transports, p.backup_eligible, p.backed_up
		FROM passkeys p JOIN authenticators a ON a.tenant_id = p.tenant_id AND a.id = p.authenticator_id
		WHERE p.tenant_id = $1 AND p.user_id = $2 AND a.revoked_at IS NULL ORDER BY p.authenticator_id`, tenant, user)
}

// Use records a signature by a passkey and its backup state, and reports whether the
// signature counts: the authenticator is active, and its counter has increased or is
// not used (WebAuthn, section 6.1.1). Of two signatures with one count, on any node,
// one counts.
func (v Passkeys) Use(ctx context.Context, p Passkey, count int64, backedUp bool) (bool, error) {
	n, err := v.tx.exec(ctx, "use passkey "+p.Authenticator, `
		UPDATE passkeys SET sign_count = $3, backed_up = $4
		WHERE tenant_id = $1 AND authenticator_id = $2 AND (sign_count < $3 OR sign_count = 0 AND $3 = 0)`,
		p.Tenant, p.Authenticator, count, flag(backedUp))
	if err != nil || n == 0 {
		return false, err
	}
	n, err = v.tx.exec(ctx, "use authenticator "+p.Authenticator, `
		UPDATE authenticators SET last_used_at = $3 WHERE tenant_id = $1 AND id = $2 AND `+active, p.Tenant, p.Authenticator, at(v.tx.now()))
	return n == 1, err
}
