package store

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// A Keyring holds the numbered 256-bit roots from which every key that protects the
// database is derived. It is a file or variable outside the database; neither of the
// two alone reveals a secret.
type Keyring struct {
	roots  map[int64][]byte
	newest int64
}

// NewKeyring returns a keyring with one fresh root.
func NewKeyring() *Keyring {
	k := &Keyring{roots: make(map[int64][]byte)}
	k.Add()
	return k
}

// Add adds a fresh root, under which new values are sealed from then on. Older roots
// stay for the values that refer to them.
func (k *Keyring) Add() {
	root := make([]byte, 32)
	rand.Read(root)
	k.newest++
	k.roots[k.newest] = root
}

// ParseKeyring parses the text that Encode returns: one line for each root, its
// number and its base64. Empty lines and those that begin with # are ignored.
func ParseKeyring(text string) (*Keyring, error) {
	k := &Keyring{roots: make(map[int64][]byte)}
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		number, encoded, _ := strings.Cut(line, " ")
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("keys, line %d: %q is no number of a root", i+1, number)
		}
		root, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
		if err != nil || len(root) != 32 {
			return nil, fmt.Errorf("keys, line %d: root %d is not the base64 of 32 bytes", i+1, n)
		}
		if _, twice := k.roots[n]; twice {
			return nil, fmt.Errorf("keys, line %d: root %d stands here twice", i+1, n)
		}
		k.roots[n] = root
		k.newest = max(k.newest, n)
	}
	if k.newest == 0 {
		return nil, errors.New("keys: there is no root")
	}
	return k, nil
}

// Encode returns the text that ParseKeyring parses. It is secret.
func (k *Keyring) Encode() string {
	var b strings.Builder
	b.WriteString("# Latchkey's roots. Without this file nothing sealed in the database can be read. Keep a copy apart from it.\n")
	for n := int64(1); n <= k.newest; n++ {
		if root, ok := k.roots[n]; ok {
			fmt.Fprintf(&b, "%d %s\n", n, base64.StdEncoding.EncodeToString(root))
		}
	}
	return b.String()
}

// Contains reports whether k has every root of another keyring.
func (k *Keyring) Contains(other *Keyring) bool {
	for n, root := range other.roots {
		if subtle.ConstantTimeCompare(k.roots[n], root) != 1 {
			return false
		}
	}
	return true
}

func (k *Keyring) String() string { return "[secret]" }

// Labels of the keys derived from a root (RFC 5869).
const (
	wrapLabel = "latchkey data key wrapping v1"
	codeLabel = "latchkey codes v1"

	cookieLabel = "latchkey cookies v1"
)

// derive returns the key of a root for a label.
func (k *Keyring) derive(root int64, label string) ([]byte, error) {
	secret, ok := k.roots[root]
	if !ok {
		return nil, fmt.Errorf("store: root %d is not in the keys file", root)
	}
	return hkdf.Key(sha256.New, secret, nil, label, 32)
}

// cookieKeys returns the keys that cookies are signed with, one a root, the
// newest first.
func (k *Keyring) cookieKeys() ([][]byte, error) {
	numbers := slices.Sorted(maps.Keys(k.roots))
	slices.Reverse(numbers)
	all := make([][]byte, len(numbers))
	for i, n := range numbers {
		var err error
		if all[i], err = k.derive(n, cookieLabel); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// keys are the keyring and the tenants' data keys that were unwrapped so far.
type keys struct {
	ring   *Keyring
	mu     sync.Mutex
	data   map[dataKeyID]cipher.AEAD
	newest map[string]int64 // by tenant
}

type dataKeyID struct {
	tenant string
	id     int64
}

func newKeys(ring *Keyring) *keys {
	return &keys{ring: ring, data: make(map[dataKeyID]cipher.AEAD), newest: make(map[string]int64)}
}

// A Place is where a sealed value is stored. It is authenticated with the value, so
// that a value that was moved to another row, column or tenant cannot be unsealed.
type Place struct {
	Tenant, Table, Column, Row string
}

// aad encodes the place as associated data, each part with its length, so that no two
// places have the same encoding.
func (p Place) aad() []byte {
	var b []byte
	for _, part := range []string{p.Table, p.Column, p.Row, p.Tenant} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(part)))
		b = append(b, part...)
	}
	return b
}

// sealVersion is the first byte of a sealed value: AES-256-GCM under a data key. The
// id of the key (8 bytes), the nonce (12 bytes) and the ciphertext follow.
const sealVersion = 1

const sealHeader = 1 + 8

// Seal encrypts a secret for its place under the tenant's newest data key.
func (tx *Tx) Seal(ctx context.Context, p Place, secret []byte) ([]byte, error) {
	id, aead, err := tx.dataKey(ctx, p.Tenant, 0)
	if err != nil {
		return nil, err
	}
	out := binary.BigEndian.AppendUint64([]byte{sealVersion}, uint64(id))
	nonce := make([]byte, aead.NonceSize())
	rand.Read(nonce)
	out = append(out, nonce...)
	return aead.Seal(out, nonce, secret, p.aad()), nil
}

// Unseal decrypts a sealed value. It fails if the value was changed, or was sealed
// for another place.
func (r Reader) Unseal(ctx context.Context, p Place, sealed []byte) ([]byte, error) {
	if len(sealed) < sealHeader || sealed[0] != sealVersion {
		return nil, fmt.Errorf("store: %s.%s of %s is not sealed", p.Table, p.Column, p.Row)
	}
	id := int64(binary.BigEndian.Uint64(sealed[1:sealHeader]))
	if id < 1 {
		return nil, fmt.Errorf("store: %s.%s of %s names no data key", p.Table, p.Column, p.Row)
	}
	_, aead, err := r.dataKey(ctx, p.Tenant, id)
	if err != nil {
		return nil, err
	}
	rest := sealed[sealHeader:]
	if len(rest) < aead.NonceSize() {
		return nil, fmt.Errorf("store: %s.%s of %s is cut short", p.Table, p.Column, p.Row)
	}
	secret, err := aead.Open(nil, rest[:aead.NonceSize()], rest[aead.NonceSize():], p.aad())
	if err != nil {
		return nil, fmt.Errorf("store: %s.%s of %s does not open: %w", p.Table, p.Column, p.Row, err)
	}
	return secret, nil
}

// dataKey returns a data key of a tenant by id; 0 is the newest.
func (r Reader) dataKey(ctx context.Context, tenant string, id int64) (int64, cipher.AEAD, error) {
	if known, aead := r.keys.get(tenant, id); aead != nil {
		return known, aead, nil
	}
	newest := id == 0
	var root int64
	var wrapped []byte
	err := r.q.QueryRowContext(ctx, `
		SELECT id, root, wrapped FROM data_keys
		WHERE tenant_id = $1 AND (id = $2 OR $2 = 0) ORDER BY id DESC LIMIT 1`, tenant, id).Scan(&id, &root, &wrapped)
	if err != nil {
		return 0, nil, notFound("data key of "+tenant, err)
	}
	aead, err := r.keys.unwrap(tenant, id, root, wrapped)
	if err != nil {
		return 0, nil, err
	}
	r.keys.put(tenant, id, aead, newest)
	return id, aead, nil
}

// get returns a data key that was read before; nil if none was. 0 is the newest.
func (k *keys) get(tenant string, id int64) (int64, cipher.AEAD) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if id == 0 {
		id = k.newest[tenant]
	}
	return id, k.data[dataKeyID{tenant, id}]
}

func (k *keys) put(tenant string, id int64, aead cipher.AEAD, newest bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.data[dataKeyID{tenant, id}] = aead
	if newest {
		k.newest[tenant] = max(id, k.newest[tenant])
	}
}

// unwrap opens a data key that is wrapped under a root key.
func (k *keys) unwrap(tenant string, id, root int64, wrapped []byte) (cipher.AEAD, error) {
	kek, err := k.ring.derive(root, wrapLabel)
	if err != nil {
		return nil, err
	}
	wrapper, err := newAEAD(kek)
	if err != nil {
		return nil, err
	}
	n := wrapper.NonceSize()
	if len(wrapped) < n {
		return nil, fmt.Errorf("store: data key %d of %s is cut short", id, tenant)
	}
	key, err := wrapper.Open(nil, wrapped[:n], wrapped[n:], dataKeyPlace(tenant, id).aad())
	if err != nil {
		return nil, fmt.Errorf("store: data key %d of %s does not open; is this the keys file of this database? %w", id, tenant, err)
	}
	return newAEAD(key)
}

func dataKeyPlace(tenant string, id int64) Place {
	return Place{Tenant: tenant, Table: "data_keys", Column: "wrapped", Row: strconv.FormatInt(id, 10)}
}

// addDataKey creates the first data key of a tenant, wrapped under the newest root.
func (tx *Tx) addDataKey(ctx context.Context, tenant string) error {
	root := tx.keys.ring.newest
	kek, err := tx.keys.ring.derive(root, wrapLabel)
	if err != nil {
		return err
	}
	wrapper, err := newAEAD(kek)
	if err != nil {
		return err
	}
	key, nonce := make([]byte, 32), make([]byte, wrapper.NonceSize())
	rand.Read(key)
	rand.Read(nonce)
	wrapped := wrapper.Seal(nonce, nonce, key, dataKeyPlace(tenant, 1).aad())
	_, err = tx.exec(ctx, "data key", `
		INSERT INTO data_keys (tenant_id, id, root, wrapped, created_at) VALUES ($1, 1, $2, $3, $4)`,
		tenant, root, wrapped, at(tx.now()))
	return err
}

func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return cipher.NewGCM(block)
}

// MAC returns the HMAC of a code that is too short to be stored as a plain hash,
// bound to its use, and the number of the root under which it was made.
func (r Reader) MAC(code string, bound ...string) (mac []byte, root int64, err error) {
	root = r.keys.ring.newest
	mac, err = r.mac(root, code, bound)
	return mac, root, err
}

// CheckMAC reports in constant time whether a MAC is that of a code.
func (r Reader) CheckMAC(mac []byte, root int64, code string, bound ...string) (bool, error) {
	want, err := r.mac(root, code, bound)
	if err != nil {
		return false, err
	}
	return hmac.Equal(mac, want), nil
}

// MACs returns the HMACs of a code under all roots, for codes that are looked up by
// it.
func (r Reader) MACs(code string, bound ...string) ([][]byte, error) {
	var all [][]byte
	for root := range r.keys.ring.roots {
		mac, err := r.mac(root, code, bound)
		if err != nil {
			return nil, err
		}
		all = append(all, mac)
	}
	return all, nil
}

func (r Reader) mac(root int64, code string, bound []string) ([]byte, error) {
	key, err := r.keys.ring.derive(root, codeLabel)
	if err != nil {
		return nil, err
	}
	h := hmac.New(sha256.New, key)
	for _, part := range append(bound, code) {
		var n [4]byte
		binary.BigEndian.PutUint32(n[:], uint32(len(part)))
		h.Write(n[:])
		h.Write([]byte(part))
	}
	return h.Sum(nil), nil
}
