package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// An Activation turns an app into an authenticator of a user, once. A user has one
// open activation at a time: one that is neither voided nor finished.
type Activation struct {
	Tenant        string
	ID            string
	User          string
	Journey       string // empty outside a journey
	Platform      identity.Platform
	Template      []byte // JSON copy of the token template
	PushAllowed   bool
	Language      string
	Thumbprint    string // of the key that used it; empty before
	Authenticator string // made by that key
	Replaces      string // id of the authenticator that it replaces; empty for an additional one
	CreatedAt     time.Time
	ExpiresAt     time.Time
	UsedAt        time.Time
	FinishedAt    time.Time
	VoidedAt      time.Time
}

// ActivationCodes are the two ways to name an activation: the secret in its link, and
// the short code to type, in canonical form. The activation of another vendor's app
// has neither in use; its page shows a seed. That of the privacyIDEA Authenticator
// has no short code in use; its link has the serial too.
type ActivationCodes struct {
	Secret string `json:"secret"`
	Short  string `json:"short"`
	Seed   []byte `json:"seed,omitempty"`
	Serial string `json:"serial,omitempty"`
}

func (ActivationCodes) String() string { return "[secret]" }

const activationColumns = `tenant_id, id, user_id, journey_id, platform, template, push_allowed, language, thumbprint,
	authenticator_id, created_at, expires_at, used_at, finished_at, voided_at, replaces`

func scanActivation(row scanner) (a Activation, err error) {
	var push int64
	err = row.Scan(&a.Tenant, &a.ID, &a.User, &a.Journey, &a.Platform, &a.Template, &push, &a.Language, &a.Thumbprint,
		&a.Authenticator, nullTime{&a.CreatedAt}, nullTime{&a.ExpiresAt}, nullTime{&a.UsedAt}, nullTime{&a.FinishedAt}, nullTime{&a.VoidedAt}, &a.Replaces)
	a.PushAllowed = push != 0
	return a, err
}

func codesPlace(a Activation) Place {
	return Place{Tenant: a.Tenant, Table: "activations", Column: "sealed", Row: a.ID}
}

// shortCodeUse binds the MACs of short codes to their use. The tenant is not part of
// it: a person who types a code does not name one.
const shortCodeUse = "activation short code"

// Activations reads and writes activations.
type Activations struct {
	ActivationReads
	tx *Tx
}

// Activations returns the view; what it writes is part of the transaction.
func (tx *Tx) Activations() Activations { return Activations{tx.Reader.Activations(), tx} }

// ActivationReads are the reads of [Activations].
type ActivationReads struct{ r Reader }

// Activations returns the view for reading.
func (r Reader) Activations() ActivationReads { return ActivationReads{r} }

// BySecret returns the activation of a link's secret in any tenant: an app does not
// know its tenant yet. Later queries name the tenant found here.
func (v ActivationReads) BySecret(ctx context.Context, secret string) (Activation, error) {
	a, err := scanActivation(v.r.q.QueryRowContext(ctx, `
		SELECT `+activationColumns+` FROM activations WHERE secret_hash = $1`, Hash(secret)))
	if err != nil {
		return a, notFound("activation by secret", err)
	}
	return a, nil
}

// ByShortCode returns the open activation of a short code in any tenant. It tries all
// roots, or codes that were shown before a new root was added would stop working.
func (v ActivationReads) ByShortCode(ctx context.Context, code string) (Activation, error) {
	macs, err := v.r.MACs(code, shortCodeUse)
	if err != nil {
		return Activation{}, err
	}
	for _, mac := range macs {
		a, err := scanActivation(v.r.q.QueryRowContext(ctx, `
			SELECT `+activationColumns+` FROM activations
			WHERE short_mac = $1 AND voided_at IS NULL AND finished_at IS NULL`, mac))
		if err == nil {
			return a, nil
		}
		if err := notFound("activation by short code", err); !errors.Is(err, identity.NotFound) {
			return a, err
		}
	}
	return Activation{}, &identity.Error{Kind: identity.NotFound, Key: "error.notfound"}
}

// Get returns an activation by id.
func (v ActivationReads) Get(ctx context.Context, tenant, id string) (Activation, error) {
	a, err := scanActivation(v.r.q.QueryRowContext(ctx, `
		SELECT `+activationColumns+` FROM activations WHERE tenant_id = $1 AND id = $2`, tenant, id))
	if err != nil {
		return a, notFound("activation "+id, err)
	}
	return a, nil
}

// OfJourney returns the newest activation of a journey.
func (v ActivationReads) OfJourney(ctx context.Context, tenant, journey string) (Activation, error) {
	a, err := scanActivation(v.r.q.QueryRowContext(ctx, `
		SELECT `+activationColumns+` FROM activations WHERE tenant_id = $1 AND journey_id = $2
		ORDER BY voided_at IS NULL DESC, created_at DESC LIMIT 1`, tenant, journey))
	if err != nil {
		return a, notFound("activation of "+journey, err)
	}
	return a, nil
}

// OfAuthenticator returns the activation by which an authenticator was made.
func (v ActivationReads) OfAuthenticator(ctx context.Context, tenant, authenticator string) (Activation, error) {
	a, err := scanActivation(v.r.q.QueryRowContext(ctx, `
		SELECT `+activationColumns+` FROM activations WHERE tenant_id = $1 AND authenticator_id = $2`, tenant, authenticator))
	if err != nil {
		return a, notFound("activation of "+authenticator, err)
	}
	return a, nil
}

// Codes decrypts the codes of an activation that is not used yet, so that its page
// can be shown again. After it was used or voided, the codes are erased and Codes
// returns a NotFound.
func (v ActivationReads) Codes(ctx context.Context, a Activation) (ActivationCodes, error) {
	var codes ActivationCodes
	var sealed []byte
	err := v.r.q.QueryRowContext(ctx, `
		SELECT sealed FROM activations WHERE tenant_id = $1 AND id = $2 AND sealed IS NOT NULL`, a.Tenant, a.ID).Scan(&sealed)
	if err != nil {
		return codes, notFound("codes of "+a.ID, err)
	}
	text, err := v.r.Unseal(ctx, codesPlace(a), sealed)
	if err != nil {
		return codes, err
	}
	if err := json.Unmarshal(text, &codes); err != nil {
		return codes, fmt.Errorf("store: codes of %s: %w", a.ID, err)
	}
	return codes, nil
}

// Add adds an activation under its codes. It reports false, and adds nothing, if the
// user has an open one, or if the short code is taken. The caller then voids the open
// one, makes other codes and tries again.
func (v Activations) Add(ctx context.Context, a Activation, codes ActivationCodes) (bool, error) {
	text, err := json.Marshal(codes)
	if err != nil {
		return false, fmt.Errorf("store: add activation: %w", err)
	}
	sealed, err := v.tx.Seal(ctx, codesPlace(a), text)
	if err != nil {
		return false, err
	}
	mac, root, err := v.tx.MAC(codes.Short, shortCodeUse)
	if err != nil {
		return false, err
	}
	n, err := v.tx.exec(ctx, "add activation", `
		INSERT INTO activations (tenant_id, id, user_id, journey_id, platform, template, push_allowed, language,
			secret_hash, short_mac, short_root, sealed, created_at, expires_at, replaces)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) ON CONFLICT DO NOTHING`,
		a.Tenant, a.ID, a.User, a.Journey, string(a.Platform), string(a.Template), flag(a.PushAllowed), a.Language,
		Hash(codes.Secret), mac, root, sealed, at(v.tx.now()), at(a.ExpiresAt), a.Replaces)
	return n == 1, err
}

// Use uses up an activation for a key and the pending authenticator that it makes. Of
// several keys at once one succeeds; for the others Use reports false.
func (v Activations) Use(ctx context.Context, a Activation, thumbprint, authenticator string) (bool, error) {
	n, err := v.tx.exec(ctx, "use activation", `
		UPDATE activations SET used_at = $3, thumbprint = $4, authenticator_id = $5, sealed = NULL
		WHERE tenant_id = $1 AND id = $2 AND used_at IS NULL AND voided_at IS NULL AND expires_at > $3`,
		a.Tenant, a.ID, at(v.tx.now()), thumbprint, authenticator)
	return n == 1, err
}

// Finish activates the pending authenticator of an activation and gives it a name, if
// the activation was used after since and was not voided. It reports whether it did.
// Both rows change, or neither.
func (v Activations) Finish(ctx context.Context, a Activation, name string, since time.Time) (bool, error) {
	now := at(v.tx.now())
	n, err := v.tx.exec(ctx, "finish activation", `
		UPDATE activations SET finished_at = $3
		WHERE tenant_id = $1 AND id = $2 AND used_at > $4 AND voided_at IS NULL AND finished_at IS NULL`,
		a.Tenant, a.ID, now, at(since))
	if n == 0 || err != nil {
		return false, err
	}
	n, err = v.tx.exec(ctx, "activate authenticator", `
		UPDATE authenticators SET activated_at = $3, name = $4
		WHERE tenant_id = $1 AND id = $2 AND activated_at IS NULL AND revoked_at IS NULL`,
		a.Tenant, a.Authenticator, now, name)
	if err == nil && n == 0 {
		err = fmt.Errorf("store: authenticator %s of activation %s is not pending", a.Authenticator, a.ID)
	}
	return err == nil, err
}

// Void voids a user's open activation and revokes the pending authenticator that it
// made. It returns the voided activation; ok is false if there was none.
func (v Activations) Void(ctx context.Context, tenant, user string) (a Activation, ok bool, err error) {
	a, err = scanActivation(v.tx.q.QueryRowContext(ctx, `
		UPDATE activations SET voided_at = $3, sealed = NULL
		WHERE tenant_id = $1 AND user_id = $2 AND voided_at IS NULL AND finished_at IS NULL
		RETURNING `+activationColumns, tenant, user, at(v.tx.now())))
	if err != nil {
		if err = notFound("void activation of "+user, err); errors.Is(err, identity.NotFound) {
			return a, false, nil
		}
		return a, false, err
	}
	return a, true, v.tx.Authenticators().revokePending(ctx, a)
}

// VoidLapsed voids at most limit activations, in all tenants, that were not used
// until they expired, or were used before a time and not finished. It returns them.
func (v Activations) VoidLapsed(ctx context.Context, usedBefore time.Time, limit int) ([]Activation, error) {
	voided, err := Collect(list(ctx, v.tx.Reader, "void lapsed activations", scanActivation, `
		UPDATE activations SET voided_at = $1, sealed = NULL
		WHERE (tenant_id, id) IN (SELECT tenant_id, id FROM activations
			WHERE voided_at IS NULL AND finished_at IS NULL
				AND ((used_at IS NULL AND expires_at <= $1) OR used_at <= $2) LIMIT $3)
		RETURNING `+activationColumns, at(v.tx.now()), at(usedBefore), limit))
	if err != nil {
		return nil, err
	}
	for _, a := range voided {
		if err := v.tx.Authenticators().revokePending(ctx, a); err != nil {
			return nil, err
		}
	}
	return voided, nil
}

// Open returns the open activation of a user, or a NotFound.
func (v ActivationReads) Open(ctx context.Context, tenant, user string) (Activation, error) {
	a, err := scanActivation(v.r.q.QueryRowContext(ctx, `
		SELECT `+activationColumns+` FROM activations
		WHERE tenant_id = $1 AND user_id = $2 AND voided_at IS NULL AND finished_at IS NULL`, tenant, user))
	if err != nil {
		return a, notFound("open activation of "+user, err)
	}
	return a, nil
}
