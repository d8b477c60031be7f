package signingkey

import (
	"context"
	"crypto"
	"crypto/x509"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
)

// cacheLife is how long opened keys are remembered. A new key is published at
// once and signs when it is active, so a minute of the old list does no harm.
const cacheLife = time.Minute

// A Cache opens tenants' signing keys and remembers them for a minute, so that a
// login neither reads nor unseals one. It is safe for concurrent use; the zero
// value with a DB is ready.
type Cache struct {
	DB *store.DB
	// Signed is called before every signature by a key of Newest, with the context
	// that the key was asked for under; nil where nobody wants to know.
	Signed func(context.Context)

	mu     sync.Mutex // never held over a read of the database
	opened map[cacheKey]cacheEntry
	reads  singleflight.Group
}

type cacheKey struct {
	tenant  string
	purpose identity.Protocol
}

type cacheEntry struct {
	keys []Key
	at   time.Time
}

// publishedLife is how long opened keys are remembered where they are published: an
// application that meets a key it does not know asks for them at once, perhaps at another
// node than the one that signed.
const publishedLife = time.Second

// All returns a tenant's keys of a purpose that are published, newest first. Of
// several callers at once that find nothing remembered, one reads for all.
func (c *Cache) All(ctx context.Context, tenant string, purpose identity.Protocol) ([]Key, error) {
	return c.within(ctx, cacheKey{tenant, purpose}, cacheLife)
}

// Published is [Cache.All] as it was a second ago at most.
func (c *Cache) Published(ctx context.Context, tenant string, purpose identity.Protocol) ([]Key, error) {
	return c.within(ctx, cacheKey{tenant, purpose}, publishedLife)
}

// within returns keys as they were at most a time ago.
func (c *Cache) within(ctx context.Context, key cacheKey, life time.Duration) ([]Key, error) {
	if keys, ok := c.remembered(key, life); ok {
		return keys, nil
	}
	// The read belongs to no single caller: one who leaves must not fail the others.
	result := c.reads.DoChan(key.tenant+" "+string(key.purpose), func() (any, error) {
		return c.read(context.WithoutCancel(ctx), key)
	})
	select {
	case r := <-result:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.([]Key), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (c *Cache) remembered(key cacheKey, life time.Duration) ([]Key, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	entry, ok := c.opened[key]
	return entry.keys, ok && c.DB.Now().Sub(entry.at) < life
}

// read reads keys from the database, opens and remembers them.
func (c *Cache) read(ctx context.Context, key cacheKey) ([]Key, error) {
	at := c.DB.Now()
	sealed, err := c.DB.SigningKeys().Active(ctx, key.tenant, key.purpose)
	if err != nil {
		return nil, err
	}
	var keys []Key
	for _, s := range sealed {
		private, err := x509.ParsePKCS8PrivateKey(s.Private)
		if err != nil {
			return nil, fmt.Errorf("signingkey: key %s: %w", s.ID, err)
		}
		signer, ok := private.(crypto.Signer)
		if !ok {
			return nil, fmt.Errorf("signingkey: key %s cannot sign", s.ID)
		}
		keys = append(keys, Key{ID: s.ID, Algorithm: s.Algorithm, Signer: signer, Certificate: s.Certificate})
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.opened == nil {
		c.opened = make(map[cacheKey]cacheEntry)
	}
	c.opened[key] = cacheEntry{keys, at}
	return keys, nil
}

// Newest returns the key to sign with. One that is not among those remembered may have
// been made since: an application that is the first to want its algorithm waits for
// nobody's memory to end.
func (c *Cache) Newest(ctx context.Context, tenant string, purpose identity.Protocol, algorithm string) (Key, error) {
	var all []Key
	i := -1
	for _, life := range []time.Duration{cacheLife, 0} {
		var err error
		if all, err = c.within(ctx, cacheKey{tenant, purpose}, life); err != nil {
			return Key{}, err
		}
		if i = slices.IndexFunc(all, func(key Key) bool { return key.Algorithm == algorithm }); i >= 0 {
			break
		}
	}
	if i < 0 {
		return Key{}, fmt.Errorf("signingkey: tenant %s has no %s key for %s", tenant, algorithm, purpose)
	}
	key := all[i]
	if c.Signed != nil {
		key.Signer = observedSigner{key.Signer, func() { c.Signed(ctx) }}
	}
	return key, nil
}

// An observedSigner tells of each signature it makes.
type observedSigner struct {
	crypto.Signer
	signed func()
}

func (s observedSigner) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	s.signed()
	return s.Signer.Sign(random, digest, opts)
}
