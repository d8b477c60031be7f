package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
)

const authenticatorColumns = `a.tenant_id, a.id, a.serial, a.kind, a.protocol, a.name, a.platform, a.digits, a.step, a.last_step, a.drift,
	a.invalid, a.public_key, a.thumbprint, a.template, a.app_version, a.capabilities, a.enrolled_at, a.activated_at, a.locked_at,
	a.suspended_at, a.inactive_at, a.revoked_at, a.last_used_at, a.push_on_at, a.push_off_at, a.algorithm, a.manufacturer, a.imported_at,
	a.expires_at, a.suite, a.server_pin, ` + temporaryLockEnd + `, ` + pushLockedUntil

// temporaryLockEnd is when the lock of an authenticator a ends by itself.
const temporaryLockEnd = `(SELECT pl.until FROM passing_locks pl WHERE pl.tenant_id = a.tenant_id AND pl.authenticator_id = a.id)`

// pushLockedUntil is until when push is locked for an authenticator a. The lock is on
// its users, so that it applies to authenticators enrolled meanwhile too (PUSH-9).
const pushLockedUntil = `CASE WHEN a.kind = 'app' THEN (SELECT MAX(lu.push_locked_until)
	FROM authenticator_users la JOIN users lu ON lu.tenant_id = la.tenant_id AND lu.id = la.user_id
	WHERE la.tenant_id = a.tenant_id AND la.authenticator_id = a.id) END`

// scanAuthenticator reads an authenticator in its present state: a lock whose time
// has come is over, even if that is not written yet.
func (r Reader) scanAuthenticator(row scanner) (a identity.Authenticator, err error) {
	var capabilities string
	err = row.Scan(&a.Tenant, &a.ID, &a.Serial, &a.Kind, &a.Protocol, &a.Name, &a.Platform, &a.Digits, &a.Step, &a.LastStep, &a.Drift,
		&a.Invalid, &a.Key, &a.Thumbprint, &a.Template, &a.AppVersion, &capabilities, nullTime{&a.EnrolledAt}, nullTime{&a.ActivatedAt},
		nullTime{&a.LockedAt}, nullTime{&a.SuspendedAt}, nullTime{&a.InactiveAt}, nullTime{&a.RevokedAt}, nullTime{&a.LastUsedAt},
		nullTime{&a.PushOnAt}, nullTime{&a.PushOffAt}, &a.Algorithm, &a.Manufacturer,
		nullTime{&a.ImportedAt}, nullTime{&a.ExpiresAt}, &a.Suite, &a.ServerPIN, nullTime{&a.UnlocksAt}, nullTime{&a.PushLocked})
	if err != nil {
		return a, err
	}
	if !a.UnlocksAt.IsZero() && !r.now().Before(a.UnlocksAt) {
		a.LockedAt, a.Invalid = time.Time{}, 0
	}
	if err := json.Unmarshal([]byte(capabilities), &a.Capabilities); err != nil {
		return a, fmt.Errorf("capabilities of %s: %w", a.ID, err)
	}
	return a, nil
}

func seedPlace(tenant, id string) Place {
	return Place{Tenant: tenant, Table: "authenticators", Column: "seed", Row: id}
}

// Authenticators reads and writes authenticators: their users, and their state.
type Authenticators struct {
	AuthenticatorReads
	tx *Tx
}

// Authenticators returns the view; what it writes is part of the transaction.
func (tx *Tx) Authenticators() Authenticators { return Authenticators{tx.Reader.Authenticators(), tx} }

// AuthenticatorReads are the reads of [Authenticators].
type AuthenticatorReads struct{ r Reader }

// Authenticators returns the view for reading.
func (r Reader) Authenticators() AuthenticatorReads { return AuthenticatorReads{r} }

// Get returns an authenticator by id, without its seed.
func (v AuthenticatorReads) Get(ctx context.Context, tenant, id string) (identity.Authenticator, error) {
	a, err := v.r.scanAuthenticator(v.r.q.QueryRowContext(ctx, `
		SELECT `+authenticatorColumns+` FROM authenticators a WHERE a.tenant_id = $1 AND a.id = $2`, tenant, id))
	if err != nil {
		return a, notFound("authenticator "+id, err)
	}
	return a, nil
}

// BySerial returns an authenticator by its serial.
func (v AuthenticatorReads) BySerial(ctx context.Context, tenant, serial string) (identity.Authenticator, error) {
	a, err := v.r.scanAuthenticator(v.r.q.QueryRowContext(ctx, `
		SELECT `+authenticatorColumns+` FROM authenticators a WHERE a.tenant_id = $1 AND a.serial = $2`, tenant, serial))
	if err != nil {
		return a, notFound("authenticator "+serial, err)
	}
	return a, nil
}

// Find returns an authenticator of any tenant: the apps' API serves all tenants at
// one address, and an app names only the id of its authenticator. Later queries name
// the tenant found here.
func (v AuthenticatorReads) Find(ctx context.Context, id string) (identity.Authenticator, error) {
	a, err := v.r.scanAuthenticator(v.r.q.QueryRowContext(ctx, `
		SELECT `+authenticatorColumns+` FROM authenticators a WHERE a.id = $1`, id))
	if err != nil {
		return a, notFound("authenticator "+id, err)
	}
	return a, nil
}

// OfUser yields the authenticators of a user that are not revoked, oldest first,
// without seeds.
func (v AuthenticatorReads) OfUser(ctx context.Context, tenant, user string) iter.Seq2[identity.Authenticator, error] {
	return list(ctx, v.r, "authenticators of "+user, v.r.scanAuthenticator, `
		SELECT `+authenticatorColumns+`
		FROM authenticator_users u JOIN authenticators a ON a.tenant_id = u.tenant_id AND a.id = u.authenticator_id
		WHERE u.tenant_id = $1 AND u.user_id = $2 AND a.revoked_at IS NULL
		ORDER BY a.enrolled_at, a.id`, tenant, user)
}

// All yields at most limit authenticators of a tenant, revoked ones too, newest
// first.
func (v AuthenticatorReads) All(ctx context.Context, tenant string, limit int) iter.Seq2[identity.Authenticator, error] {
	return list(ctx, v.r, "authenticators", v.r.scanAuthenticator, `
		SELECT `+authenticatorColumns+` FROM authenticators a
		WHERE a.tenant_id = $1 ORDER BY a.enrolled_at DESC, a.id LIMIT $2`, tenant, limit)
}

// UserIDs returns the ids of the users of an authenticator.
func (v AuthenticatorReads) UserIDs(ctx context.Context, tenant, authenticator string) ([]string, error) {
	return Collect(list(ctx, v.r, "users of "+authenticator, scanID, `
		SELECT user_id FROM authenticator_users WHERE tenant_id = $1 AND authenticator_id = $2`, tenant, authenticator))
}

// Seed decrypts the seed of an authenticator.
func (v AuthenticatorReads) Seed(ctx context.Context, tenant, id string) ([]byte, error) {
	var sealed []byte
	err := v.r.q.QueryRowContext(ctx, `SELECT seed FROM authenticators WHERE tenant_id = $1 AND id = $2`, tenant, id).Scan(&sealed)
	if err != nil {
		return nil, notFound("seed of "+id, err)
	}
	return v.r.Unseal(ctx, seedPlace(tenant, id), sealed)
}

// Add adds an authenticator of a user, with its seed sealed. If it has no protocol,
// it gets our own.
func (v Authenticators) Add(ctx context.Context, a identity.Authenticator, user string) error {
	var sealed []byte
	if a.Protocol != identity.PrivacyIDEAPush { // its app has no seed
		var err error
		if sealed, err = v.tx.Seal(ctx, seedPlace(a.Tenant, a.ID), a.Seed); err != nil {
			return err
		}
	}
	capabilities, err := json.Marshal(append([]string{}, a.Capabilities...))
	if err != nil {
		return fmt.Errorf("store: add authenticator: %w", err)
	}
	_, err = v.tx.exec(ctx, "add authenticator", `
		INSERT INTO authenticators (tenant_id, id, serial, kind, name, platform, seed, digits, step, public_key, thumbprint,
			template, app_version, capabilities, enrolled_at, activated_at, push_on_at, push_off_at, protocol, suite, server_pin)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)`,
		a.Tenant, a.ID, a.Serial, string(a.Kind), a.Name, string(a.Platform), sealed, a.Digits, a.Step, string(a.Key), a.Thumbprint,
		string(a.Template), a.AppVersion, string(capabilities), at(v.tx.now()), at(a.ActivatedAt), at(a.PushOnAt), at(a.PushOffAt),
		string(cmp.Or(a.Protocol, identity.LatchkeyApp)), a.Suite, flag(a.ServerPIN))
	if err != nil {
		return err
	}
	_, err = v.tx.exec(ctx, "assign authenticator", `
		INSERT INTO authenticator_users (tenant_id, authenticator_id, user_id) VALUES ($1, $2, $3)`, a.Tenant, a.ID, user)
	return err
}

// An App is an active app token, with one of its users.
type App struct {
	Serial       string
	User         string // name
	Platform     identity.Platform
	Version      string // name/version, as the app declared it at its last call
	Capabilities []string
}

// Apps yields the active app tokens of a tenant, in the order of platforms and
// versions.
func (v AuthenticatorReads) Apps(ctx context.Context, tenant string) iter.Seq2[App, error] {
	return list(ctx, v.r, "apps", func(row scanner) (a App, err error) {
		var capabilities string
		if err = row.Scan(&a.Serial, &a.User, &a.Platform, &a.Version, &capabilities); err != nil {
			return a, err
		}
		if err := json.Unmarshal([]byte(capabilities), &a.Capabilities); err != nil {
			return a, fmt.Errorf("capabilities of %s: %w", a.Serial, err)
		}
		return a, nil
	}, `SELECT `+fullScan+` a.serial, u.name, a.platform, a.app_version, a.capabilities
		FROM (SELECT * FROM authenticators WHERE tenant_id = $1 AND kind = 'app' AND `+active+`) AS a
		JOIN authenticator_users o ON o.tenant_id = a.tenant_id AND o.authenticator_id = a.id
		JOIN users u ON u.tenant_id = o.tenant_id AND u.id = o.user_id
		ORDER BY a.platform, a.app_version, a.capabilities, u.name, a.serial`, tenant)
}

// IDsOnlyOfUser returns the ids of the authenticators of a user that are not revoked
// and belong to no other user.
func (v AuthenticatorReads) IDsOnlyOfUser(ctx context.Context, tenant, user string) ([]string, error) {
	return Collect(list(ctx, v.r, "own authenticators of "+user, scanID, `
		SELECT a.id FROM authenticator_users u JOIN authenticators a ON a.tenant_id = u.tenant_id AND a.id = u.authenticator_id
		WHERE u.tenant_id = $1 AND u.user_id = $2 AND a.revoked_at IS NULL AND `+onlyTheirs, tenant, user))
}

// onlyTheirs is the condition that an authenticator a belongs to no other user than
// $2.
const onlyTheirs = `NOT EXISTS (SELECT 1 FROM authenticator_users o
	WHERE o.tenant_id = $1 AND o.authenticator_id = a.id AND o.user_id <> $2)`
