package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// A KeyError says that the keyring does not open a key in the database: the two
// belong to different installations, or a root is missing.
type KeyError struct {
	What string // the key that does not open, such as "data key 1 of tenant example"
	Root int64  // the root that it needs
	Lost bool   // whether the keyring lacks that root; if not, it has another root of this number
	Err  error
}

func (e *KeyError) Error() string {
	if e.Lost {
		return fmt.Sprintf("%s needs root %d, which the keys do not have", e.What, e.Root)
	}
	return fmt.Sprintf("%s was sealed with another root %d", e.What, e.Root)
}

func (e *KeyError) Unwrap() error { return e.Err }

// keyError returns the KeyError of a key that a root did not open.
func (k *Keyring) keyError(what string, root int64, err error) *KeyError {
	_, there := k.roots[root]
	return &KeyError{What: what, Root: root, Lost: !there, Err: err}
}

// CheckKeys opens what is sealed by a root itself: the data keys of all tenants and
// the installation's key for Web Push. If one does not open, the error is a
// [KeyError]. A database in which there is no key yet is in order. Nothing is taken
// from a cache.
func (db *DB) CheckKeys(ctx context.Context) error {
	for _, check := range []struct {
		table string
		open  func(context.Context) error
	}{
		{"data_keys", db.checkDataKeys},
		{"vapid_keys", db.checkVAPID},
	} {
		there, err := db.dialect.has(ctx, db.q, check.table)
		if err == nil && there {
			err = check.open(ctx)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (db *DB) checkDataKeys(ctx context.Context) error {
	type dataKey struct {
		tenant, slug string
		id, root     int64
		wrapped      []byte
	}
	for k, err := range list(ctx, db.Reader, "data keys", func(row scanner) (k dataKey, err error) {
		return k, row.Scan(&k.tenant, &k.slug, &k.id, &k.root, &k.wrapped)
	}, `SELECT k.tenant_id, t.slug, k.id, k.root, k.wrapped FROM data_keys k JOIN tenants t ON t.id = k.tenant_id ORDER BY t.slug, k.id`) {
		if err != nil {
			return err
		}
		if _, err := db.keys.unwrap(k.tenant, k.id, k.root, k.wrapped); err != nil {
			return db.keys.ring.keyError(fmt.Sprintf("data key %d of tenant %s", k.id, k.slug), k.root, err)
		}
	}
	return nil
}

func (db *DB) checkVAPID(ctx context.Context) error {
	root, sealed, err := db.VAPID().sealed(ctx)
	if errors.Is(err, identity.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := db.VAPID().open(root, sealed); err != nil {
		return db.keys.ring.keyError("the key for Web Push", root, err)
	}
	return nil
}
