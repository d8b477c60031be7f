package store

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// An Occupant is the installation that a database belongs to.
type Occupant struct {
	Tenants []string // slugs, of tenants that are being removed too
	Keys    error    // a [KeyError] if the keyring does not open its keys; otherwise nil
}

// Exists reports whether there is an installation: a tenant, or a key that somebody
// else's root sealed.
func (o Occupant) Exists() bool { return len(o.Tenants) > 0 || o.Keys != nil }

// Occupant returns the installation that the database belongs to. It only reads, also
// in a database without tables or of an older version.
func (db *DB) Occupant(ctx context.Context) (o Occupant, err error) {
	there, err := db.dialect.has(ctx, db.q, "tenants")
	if err != nil {
		return o, err
	}
	if there {
		o.Tenants, err = Collect(list(ctx, db.Reader, "tenants", scanID, `SELECT slug FROM tenants ORDER BY slug`))
		if err != nil {
			return o, err
		}
	}
	err = db.CheckKeys(ctx)
	if wrong, ok := errors.AsType[*KeyError](err); ok {
		o.Keys, err = wrong, nil
	}
	return o, err
}

// Claim makes other transactions that claim the database wait for the end of this one,
// and returns a Conflict if there is a tenant.
func (v Installation) Claim(ctx context.Context) error {
	if _, err := v.tx.exec(ctx, "claim", `UPDATE meta SET value = value WHERE name = 'least release'`); err != nil {
		return err
	}
	var n int64
	if err := v.r.q.QueryRowContext(ctx, `SELECT COUNT(*) FROM tenants`).Scan(&n); err != nil {
		return notFound("tenants", err)
	}
	if n > 0 {
		return &identity.Error{Kind: identity.Conflict, Key: "error.conflict", Err: errors.New("another init has just made a tenant in this database")}
	}
	return nil
}

// gooseTable is where the migrations that were applied are listed.
const gooseTable = "goose_db_version"

// OwnTables lists those tables in the database that have the name of one of ours.
func (db *DB) OwnTables(ctx context.Context) (names []string, err error) {
	all, err := allTables()
	if err != nil {
		return nil, err
	}
	for _, name := range all {
		there, err := db.dialect.has(ctx, db.q, name)
		if err != nil {
			return nil, err
		}
		if there {
			names = append(names, name)
		}
	}
	return names, nil
}

// allTables are the tables that this program makes, each after those that it refers to.
func allTables() ([]string, error) {
	names, err := tables(func(int64) bool { return true })
	if err != nil {
		return nil, err
	}
	return append([]string{gooseTable}, names...), nil
}

// Discard drops the tables that an init made which then failed: all of ours that were
// not there before it. If there is a tenant besides the one of this id, it drops
// nothing, and reports that the database is used.
func (db *DB) Discard(ctx context.Context, before []string, tenant string) (used bool, err error) {
	all, err := allTables()
	if err != nil {
		return false, err
	}
	tenants, err := db.dialect.has(ctx, db.q, "tenants")
	if err != nil {
		return false, err
	}
	err = db.InTx(ctx, identity.Principal{Kind: identity.System}, func(tx *Tx) error {
		if tenants && !slices.Contains(before, "tenants") {
			// A tenant that another init is adding is either seen here or not added.
			if lock := db.dialect.text(queryTexts{postgres: `LOCK TABLE tenants IN ACCESS EXCLUSIVE MODE`}); lock != "" {
				if _, err := tx.q.ExecContext(ctx, lock); err != nil {
					return fmt.Errorf("store: discard: %w", err)
				}
			}
			var others int64
			if err := tx.q.QueryRowContext(ctx, `SELECT COUNT(*) FROM tenants WHERE id <> $1`, tenant).Scan(&others); err != nil {
				return notFound("tenants", err)
			}
			if used = others > 0; used {
				return nil
			}
		}
		for _, name := range slices.Backward(all) {
			if slices.Contains(before, name) {
				continue
			}
			if _, err := tx.q.ExecContext(ctx, `DROP TABLE IF EXISTS `+name); err != nil {
				return fmt.Errorf("store: discard %s: %w", name, err)
			}
		}
		return nil
	})
	return used, err
}
