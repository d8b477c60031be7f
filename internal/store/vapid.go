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

// vapidLabel is the label of the key that seals the installation's Web Push key. It
// belongs to no tenant, so no data key seals it.
const vapidLabel = "latchkey web push v1"

func vapidPlace() Place { return Place{Table: "vapid_keys", Column: "private", Row: "1"} }

// VAPID reads the installation's key for Web Push.
type VAPID struct {
	VAPIDReads
	tx *Tx
}

// VAPID returns the view; what it writes is part of the transaction.
func (tx *Tx) VAPID() VAPID { return VAPID{tx.Reader.VAPID(), tx} }

// VAPIDReads are the reads of [VAPID].
type VAPIDReads struct{ r Reader }

// VAPID returns the view for reading.
func (r Reader) VAPID() VAPIDReads { return VAPIDReads{r} }

// create creates the installation's key for Web Push if there is none. Of several
// nodes that start at once one creates it: the table holds one row.
func (v VAPID) create(ctx context.Context) error {
	if _, _, err := v.Public(ctx); !errors.Is(err, identity.NotFound) {
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
	root := v.tx.keys.ring.newest
	derived, err := v.tx.keys.ring.derive(root, vapidLabel)
	if err != nil {
		return err
	}
	aead, err := newAEAD(derived)
	if err != nil {
		return err
	}
	nonce := make([]byte, aead.NonceSize())
	rand.Read(nonce)
	_, err = v.tx.exec(ctx, "make VAPID key", `
		INSERT INTO vapid_keys (id, root, public, private, created_at) VALUES (1, $1, $2, $3, $4) ON CONFLICT DO NOTHING`,
		root, public, aead.Seal(nonce, nonce, secret, vapidPlace().aad()), at(v.tx.now()))
	return err
}

// Public returns the public part of the key, and when it was created.
func (v VAPIDReads) Public(ctx context.Context) (public []byte, made time.Time, err error) {
	err = v.r.q.QueryRowContext(ctx, `SELECT public, created_at FROM vapid_keys WHERE id = 1`).Scan(&public, nullTime{&made})
	if err != nil {
		return nil, made, notFound("VAPID key", err)
	}
	return public, made, nil
}

// Key decrypts the key.
func (v VAPIDReads) Key(ctx context.Context) (webpush.Key, error) {
	root, sealed, err := v.sealed(ctx)
	if err != nil {
		return webpush.Key{}, err
	}
	secret, err := v.open(root, sealed)
	if err != nil {
		return webpush.Key{}, fmt.Errorf("store: the VAPID key does not open; is this the keys file of this database? %w", err)
	}
	return webpush.ParseKey(secret)
}

// sealed reads the key as it is stored, and the root under which it is sealed.
func (v VAPIDReads) sealed(ctx context.Context) (root int64, sealed []byte, err error) {
	err = v.r.q.QueryRowContext(ctx, `SELECT root, private FROM vapid_keys WHERE id = 1`).Scan(&root, &sealed)
	if err != nil {
		return 0, nil, notFound("VAPID key", err)
	}
	return root, sealed, nil
}

// open decrypts what sealed returns.
func (v VAPIDReads) open(root int64, sealed []byte) (secret []byte, err error) {
	derived, err := v.r.keys.ring.derive(root, vapidLabel)
	if err != nil {
		return nil, err
	}
	aead, err := newAEAD(derived)
	if err != nil {
		return nil, err
	}
	if len(sealed) < aead.NonceSize() {
		return nil, errors.New("store: the VAPID key is cut short")
	}
	return aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], vapidPlace().aad())
}
