package store

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"
)

// These queries answer questions of an operator about the whole server, so they cross
// tenants. None of them returns data of a tenant.

// A DataKey describes a key that seals a tenant's secrets, without the key itself.
type DataKey struct {
	Tenant        string
	ID            int64
	Root          int64 // under which it is wrapped
	RootAvailable bool  // whether that root is in the keys file
	CreatedAt     time.Time
}

// Installation answers questions of an operator about the whole installation. It
// crosses tenants, and returns no data of a tenant.
type Installation struct {
	InstallationReads
	tx *Tx
}

// Installation returns the view; what it writes is part of the transaction.
func (tx *Tx) Installation() Installation { return Installation{tx.Reader.Installation(), tx} }

// InstallationReads are the reads of [Installation].
type InstallationReads struct{ r Reader }

// Installation returns the view for reading.
func (r Reader) Installation() InstallationReads { return InstallationReads{r} }

// DataKeys yields the data keys of all tenants.
func (v InstallationReads) DataKeys(ctx context.Context) iter.Seq2[DataKey, error] {
	return list(ctx, v.r, "data keys", func(row scanner) (k DataKey, err error) {
		err = row.Scan(&k.Tenant, &k.ID, &k.Root, nullTime{&k.CreatedAt})
		_, k.RootAvailable = v.r.keys.ring.roots[k.Root]
		return k, err
	}, `SELECT tenant_id, id, root, created_at FROM data_keys ORDER BY tenant_id, id`)
}

// Clock returns the time of the database server's clock; zero if the database is a
// file.
func (db *DB) Clock(ctx context.Context) (time.Time, error) { return db.dialect.clock(ctx, db.q) }

// NoteOrigin records an address at which people reach the server, and since when. A
// web authenticator belongs to the address at which it was made.
func (v Installation) NoteOrigin(ctx context.Context, address string) error {
	_, err := v.tx.exec(ctx, "note origin", `
		INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`,
		originPrefix+address, fmt.Sprint(v.tx.now().Unix()))
	return err
}

// An Origin is an address at which people have reached the server.
type Origin struct {
	Address string
	Since   time.Time
}

// Origins yields all addresses at which people have ever reached the server, oldest
// first.
func (v InstallationReads) Origins(ctx context.Context) iter.Seq2[Origin, error] {
	return list(ctx, v.r, "origins", func(row scanner) (o Origin, err error) {
		var seconds int64
		err = row.Scan(&o.Address, &seconds)
		o.Address, o.Since = strings.TrimPrefix(o.Address, originPrefix), time.Unix(seconds, 0).UTC()
		return o, err
	}, `SELECT name, CAST(value AS BIGINT) FROM meta WHERE name LIKE '`+originPrefix+`%' ORDER BY 2`)
}

// originPrefix is the prefix of the names of origins in table meta.
const originPrefix = "origin "

// WebAuthenticatorsBefore counts the active web authenticators of all tenants that
// were enrolled before a time.
func (v InstallationReads) WebAuthenticatorsBefore(ctx context.Context, before time.Time) (n int64, err error) {
	err = v.r.q.QueryRowContext(ctx, `
		SELECT COUNT(*) FROM authenticators
		WHERE app_version LIKE 'latchkey-web/%' AND enrolled_at < $1 AND activated_at IS NOT NULL AND revoked_at IS NULL`, at(before)).Scan(&n)
	if err != nil {
		return 0, notFound("web authenticators", err)
	}
	return n, nil
}
