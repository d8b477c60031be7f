package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/webpush"
)

// vapidLabel derives what the installation's key of Web Push is sealed with. It
// is no tenant's, so no data key is.
const vapidLabel = "latchkey web push v1"

func vapidPlace() Place { return Place{Table: "vapid_keys", Column: "private", Row: "1"} }

// makeVAPIDKey makes the installation's key of Web Push if there is none. Of
// several nodes that start at once one makes it: its number can stand in the
// table once.
func (tx *Tx) makeVAPIDKey(ctx context.Context) error {
	if _, _, err := tx.VAPIDPublic(ctx); !errors.Is(err, identity.NotFound) {
		return err
	}
	key, err := webpush.NewKey()
	if err != nil {
		return err
	}
	secret, notSecret := key.Secret()
	public, notPublic := key.Public()
	if err := errors.Join(notSecret, notPublic); err != nil {
		return fmt.Errorf("store: VAPID key: %w", err)
	}
	root := tx.keys.ring.newest
	derived, err := tx.keys.ring.derive(root, vapidLabel)
	if err != nil {
		return err
	}
	aead, err := newAEAD(derived)
	if err != nil {
		return err
	}
	nonce := make([]byte, aead.NonceSize())
	rand.Read(nonce)
	_, err = tx.exec(ctx, "make VAPID key", `
		INSERT INTO vapid_keys (id, root, public, private, created_at) VALUES (1, $1, $2, $3, $4) ON CONFLICT DO NOTHING`,
		root, public, aead.Seal(nonce, nonce, secret, vapidPlace().aad()), at(tx.now()))
	return err
}

// VAPIDPublic returns the public part of the installation's key of Web Push and
// when it was made.
func (r reader) VAPIDPublic(ctx context.Context) (public []byte, made time.Time, err error) {
	err = r.q.QueryRowContext(ctx, `SELECT public, created_at FROM vapid_keys WHERE id = 1`).Scan(&public, moment{&made})
	if err != nil {
		return nil, made, missing("VAPID key", err)
	}
	return public, made, nil
}

// VAPIDKey opens the installation's key of Web Push.
func (r reader) VAPIDKey(ctx context.Context) (webpush.Key, error) {
	var root int64
	var sealed []byte
	err := r.q.QueryRowContext(ctx, `SELECT root, private FROM vapid_keys WHERE id = 1`).Scan(&root, &sealed)
	if err != nil {
		return webpush.Key{}, missing("VAPID key", err)
	}
	derived, err := r.keys.ring.derive(root, vapidLabel)
	if err != nil {
		return webpush.Key{}, err
	}
	aead, err := newAEAD(derived)
	if err != nil {
		return webpush.Key{}, err
	}
	if len(sealed) < aead.NonceSize() {
		return webpush.Key{}, errors.New("store: the VAPID key is cut short")
	}
	secret, err := aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], vapidPlace().aad())
	if err != nil {
		return webpush.Key{}, fmt.Errorf("store: the VAPID key does not open; is this the keys file of this database? %w", err)
	}
	return webpush.ParseKey(secret)
}
