package store

import (
	"context"
	"database/sql"
	"errors"
)

// pinHistory is how many of the last PINs of an authenticator, the present one
// included, cannot be chosen again.
const pinHistory = 5

// ServerPINs reads and writes the PINs that the server checks (CRED-2).
type ServerPINs struct {
	ServerPINReads
	tx *Tx
}

// ServerPINs returns the view; what it writes is part of the transaction.
func (tx *Tx) ServerPINs() ServerPINs { return ServerPINs{tx.Reader.ServerPINs(), tx} }

// ServerPINReads are the reads of [ServerPINs].
type ServerPINReads struct{ r Reader }

// ServerPINs returns the view for reading.
func (r Reader) ServerPINs() ServerPINReads { return ServerPINReads{r} }

// mac returns what is stored of a PIN that the server checks. A PIN has some thirteen
// bits, which no slow hash would protect, and every sign-in checks it; so it is a MAC
// under a key outside the database (CRED-2).
func (v ServerPINReads) mac(tenant, id, pin string) ([]byte, int64, error) {
	return v.r.MAC(pin, "server pin", tenant, id)
}

func initialPINPlace(tenant, id string) Place {
	return Place{Tenant: tenant, Table: "server_pins", Column: "initial", Row: id}
}

// InUse reports whether any authenticator of a tenant has a PIN that the server
// checks.
func (v ServerPINReads) InUse(ctx context.Context, tenant string) (bool, error) {
	var n int64
	err := v.r.q.QueryRowContext(ctx, `
		SELECT COUNT(*) FROM (SELECT 1 FROM authenticators WHERE tenant_id = $1 AND server_pin = 1 AND revoked_at IS NULL LIMIT 1) AS one`,
		tenant).Scan(&n)
	if err != nil {
		return false, notFound("authenticators with PINs", err)
	}
	return n > 0, nil
}

// ChangeDue reports whether the PIN of an authenticator must be changed.
func (v ServerPINReads) ChangeDue(ctx context.Context, tenant, id string) (due bool, err error) {
	err = v.r.q.QueryRowContext(ctx, `SELECT due FROM server_pins WHERE tenant_id = $1 AND authenticator_id = $2`, tenant, id).Scan(&due)
	if err != nil {
		return false, notFound("server PIN of "+id, err)
	}
	return due, nil
}

// Initial decrypts the PIN that was made for an authenticator, so that it can be
// shown. After it was used or replaced, Initial returns a NotFound.
func (v ServerPINReads) Initial(ctx context.Context, tenant, id string) (string, error) {
	var sealed []byte
	err := v.r.q.QueryRowContext(ctx, `
		SELECT initial FROM server_pins WHERE tenant_id = $1 AND authenticator_id = $2 AND initial IS NOT NULL`, tenant, id).Scan(&sealed)
	if err != nil {
		return "", notFound("first PIN of "+id, err)
	}
	pin, err := v.r.Unseal(ctx, initialPINPlace(tenant, id), sealed)
	return string(pin), err
}

// Check reports whether a PIN is that of an authenticator.
func (v ServerPINReads) Check(ctx context.Context, tenant, id, pin string) (bool, error) {
	var mac []byte
	var root int64
	err := v.r.q.QueryRowContext(ctx, `SELECT mac, root FROM server_pins WHERE tenant_id = $1 AND authenticator_id = $2`, tenant, id).Scan(&mac, &root)
	if err != nil {
		return false, notFound("server PIN of "+id, err)
	}
	return v.r.CheckMAC(mac, root, pin, "server pin", tenant, id)
}

// Try counts an attempt at the PIN that comes with an approval, and then checks it. A
// right one resets the count. It returns how many of most attempts in a row are left;
// without any left nothing is checked. As with [PINs.Try] the count is one
// conditional update: of any number at once no more than most are checked.
func (v ServerPINs) Try(ctx context.Context, tenant, id string, most int64, pin string) (right bool, left int64, err error) {
	var mac []byte
	var root, failures int64
	err = v.tx.q.QueryRowContext(ctx, `
		UPDATE server_pins SET failures = failures + 1 WHERE tenant_id = $1 AND authenticator_id = $2 AND failures < $3
		RETURNING mac, root, failures`, tenant, id, most).Scan(&mac, &root, &failures)
	if errors.Is(err, sql.ErrNoRows) {
		return false, 0, nil
	}
	if err != nil {
		return false, 0, notFound("server PIN of "+id, err)
	}
	right, err = v.tx.CheckMAC(mac, root, pin, "server pin", tenant, id)
	if err != nil || !right {
		return false, most - failures, err
	}
	return true, most, v.ResetCount(ctx, tenant, id)
}

// ResetCount records that the PIN was right: the count of wrong ones is reset, and an
// initial PIN that need not be changed is no longer shown.
func (v ServerPINs) ResetCount(ctx context.Context, tenant, id string) error {
	_, err := v.tx.exec(ctx, "server PIN of "+id+" was right", `
		UPDATE server_pins SET failures = 0, initial = CASE WHEN due = 1 THEN initial END
		WHERE tenant_id = $1 AND authenticator_id = $2 AND (failures > 0 OR initial IS NOT NULL AND due = 0)`, tenant, id)
	return err
}

// HadBefore reports whether a PIN is among the last ones of an authenticator, the
// present one included.
func (v ServerPINReads) HadBefore(ctx context.Context, tenant, id, pin string) (bool, error) {
	type kept struct {
		mac  []byte
		root int64
	}
	all, err := Collect(list(ctx, v.r, "PINs that "+id+" had", func(row scanner) (k kept, err error) { return k, row.Scan(&k.mac, &k.root) }, `
		SELECT mac, root FROM server_pin_history WHERE tenant_id = $1 AND authenticator_id = $2`, tenant, id))
	if err != nil {
		return false, err
	}
	for _, k := range all {
		if had, err := v.r.CheckMAC(k.mac, k.root, pin, "server pin", tenant, id); err != nil || had {
			return had, err
		}
	}
	return false, nil
}

// Set stores a PIN of an authenticator in place of an earlier one. If it was made for
// the user, first says that it is shown until it is used, and due that it must be
// changed then.
func (v ServerPINs) Set(ctx context.Context, tenant, id, pin string, first, due bool) error {
	mac, root, err := v.mac(tenant, id, pin)
	if err != nil {
		return err
	}
	var sealed any
	if first {
		if sealed, err = v.tx.Seal(ctx, initialPINPlace(tenant, id), []byte(pin)); err != nil {
			return err
		}
	}
	if _, err := v.tx.exec(ctx, "set server PIN of "+id, `
		INSERT INTO server_pins (tenant_id, authenticator_id, mac, root, initial, due) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (tenant_id, authenticator_id) DO UPDATE SET mac = excluded.mac, root = excluded.root, initial = excluded.initial,
			due = excluded.due, failures = 0`, tenant, id, mac, root, sealed, flag(due)); err != nil {
		return err
	}
	// The row above is locked until the transaction ends, so that no other one takes
	// the same place.
	var place int64
	err = v.tx.q.QueryRowContext(ctx, `
		SELECT COALESCE(MAX(place), 0) + 1 FROM server_pin_history WHERE tenant_id = $1 AND authenticator_id = $2`, tenant, id).Scan(&place)
	if err != nil {
		return notFound("PINs that "+id+" had", err)
	}
	if _, err := v.tx.exec(ctx, "remember PIN of "+id, `
		INSERT INTO server_pin_history (tenant_id, authenticator_id, place, mac, root) VALUES ($1, $2, $3, $4, $5)`,
		tenant, id, place, mac, root); err != nil {
		return err
	}
	_, err = v.tx.exec(ctx, "forget old PINs of "+id, `
		DELETE FROM server_pin_history WHERE tenant_id = $1 AND authenticator_id = $2 AND place <= $3`,
		tenant, id, place-pinHistory)
	return err
}
