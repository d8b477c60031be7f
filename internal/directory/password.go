package directory

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
)

// A Directory checks passwords and adds people.
type Directory struct {
	db    *store.DB
	slots chan struct{} // one for each hash that may be computed at once
	dummy hash          // compared with where there is nothing to compare with

	// Breached is a file of breached passwords, see [Directory.Judge]; empty is none.
	Breached string
	// Hashed is told of every password hash that is computed, with the context of
	// whoever waits for it; nil where nobody wants to know.
	Hashed func(context.Context)
}

// New returns the directory of a database that computes at most as many hashes
// at once as there are cores.
func New(db *store.DB, cores int) *Directory {
	d := &Directory{db: db, slots: make(chan struct{}, max(cores, 1)), dummy: newHash()}
	// A key nobody has hashed to: no password fits.
	d.dummy.key = make([]byte, keySize)
	rand.Read(d.dummy.key)
	return d
}

// Bounds of a password. The upper one is counted in bytes after NFC; it is far
// above what people type and far below what would make hashing long.
const (
	minPassword = 8
	maxPassword = 256
)

// patience is how long a check waits for a slot.
const patience = 2 * time.Second

// HashPassword returns what is kept of a password, in PHC form.
func (d *Directory) HashPassword(ctx context.Context, password string) (string, error) {
	slot, err := d.AcquireHashSlot(ctx)
	if err != nil {
		return "", err
	}
	defer slot.Release()
	return slot.Hash(ctx, password)
}

// CheckPassword reports whether a password is the user's, as [HashSlot.Check]
// does, once there is a slot for it.
func (d *Directory) CheckPassword(ctx context.Context, u identity.User, password string) (bool, error) {
	slot, err := d.AcquireHashSlot(ctx)
	if err != nil {
		return false, err
	}
	defer slot.Release()
	return slot.Check(ctx, u, password)
}

// A HashSlot is the right to compute password hashes, one after another. There
// are as many as cores, so the memory that hashes take is bounded. Whoever must
// count a try before its hash acquires the slot first: a try that finds no slot
// in time has counted nowhere.
type HashSlot struct{ d *Directory }

// AcquireHashSlot waits up to two seconds for a slot (QLT-3). When too many
// hashes are being computed already, the error is an Unavailable that says when
// to come again, and nothing was evaluated.
func (d *Directory) AcquireHashSlot(ctx context.Context) (*HashSlot, error) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case d.slots <- struct{}{}:
		return &HashSlot{d}, nil
	case <-timer.C:
		return nil, &identity.Error{Kind: identity.Unavailable, Key: "error.busy", RetryAfter: patience,
			Err: fmt.Errorf("directory: no slot for a hash within %s", patience)}
	case <-ctx.Done():
		return nil, fmt.Errorf("directory: waiting for a slot: %w", ctx.Err())
	}
}

// Release gives the slot to whoever waits for one. It may be called again.
func (s *HashSlot) Release() {
	if s.d != nil {
		<-s.d.slots
		s.d = nil
	}
}

// Hash returns what is kept of a password, in PHC form.
func (s *HashSlot) Hash(ctx context.Context, password string) (string, error) {
	password, ok := canonical(password)
	if !ok {
		return "", invalid("error.user.password.long")
	}
	h := newHash()
	s.d.hashing(ctx)
	h.key = h.derive(password, keySize)
	return h.String(), nil
}

// Check reports whether a password is the user's. The zero User stands for
// nobody: give it for a decoy and for one who is locked out. It answers false
// after the time that a real check takes.
func (s *HashSlot) Check(ctx context.Context, u identity.User, password string) (bool, error) {
	password, ok := canonical(password)
	var kept kept = s.d.dummy
	if ok && u.Password != "" {
		var err error
		if kept, err = parseKept(u.Password); err != nil {
			return false, fmt.Errorf("directory: password of %s: %w", u.ID, err)
		}
	}
	s.d.hashing(ctx)
	fits := kept.fits(password)
	if ok && Foreign(u.Password) {
		// Quick ones, such as SSHA, would tell by their time that the name is
		// somebody's; so they take that of ours besides.
		s.d.hashing(ctx)
		s.d.dummy.fits(password)
	}
	return fits, nil
}

// hashing tells of a hash that is about to be computed.
func (d *Directory) hashing(ctx context.Context) {
	if d.Hashed != nil {
		d.Hashed(ctx)
	}
}

// canonical returns a password as it is hashed: NFC, since keyboards differ in
// how they compose é (NIST SP 800-63B, section 3.1.1.2). One that is too long
// is replaced, not cut: cut, a part of it would do. The length is bounded
// before normalising too, which is work in proportion.
func canonical(password string) (string, bool) {
	if len(password) <= 4*maxPassword {
		if password = norm.NFC.String(password); len(password) <= maxPassword {
			return password, true
		}
	}
	return "", false
}

// A hash is argon2id's parameters, salt and result (RFC 9106).
type hash struct {
	memory  uint32 // KiB
	time    uint32
	threads uint8
	salt    []byte
	key     []byte
}

func (h hash) derive(password string, size int) []byte {
	return argon2.IDKey([]byte(password), h.salt, h.time, h.memory, h.threads, uint32(size))
}

func (h hash) fits(password string) bool {
	return subtle.ConstantTimeCompare(h.derive(password, len(h.key)), h.key) == 1
}

const (
	saltSize = 16
	keySize  = 32
)

// newHash returns the parameters of new hashes, with a salt and no key: OWASP's
// choice for servers that check many passwords.
func newHash() hash {
	h := hash{memory: 19 << 10, time: 2, threads: 1, salt: make([]byte, saltSize)}
	rand.Read(h.salt)
	return h
}

// String is the PHC form: parameters, salt and key in one, so that new
// parameters need no new column.
func (h hash) String() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.memory, h.time, h.threads,
		base64.RawStdEncoding.EncodeToString(h.salt), base64.RawStdEncoding.EncodeToString(h.key))
}

// parseHash reads the PHC form. What it refuses would take unbounded memory or
// compare too little: a damaged row must not become an open door.
func parseHash(phc string) (hash, error) {
	var h hash
	var version int
	parts := strings.Split(phc, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" {
		return h, errors.New("no argon2id hash in PHC form")
	}
	if _, err := fmt.Sscanf(parts[2]+" "+parts[3], "v=%d m=%d,t=%d,p=%d", &version, &h.memory, &h.time, &h.threads); err != nil {
		return h, fmt.Errorf("parameters of the hash: %w", err)
	}
	var errSalt, errKey error
	h.salt, errSalt = base64.RawStdEncoding.DecodeString(parts[4])
	h.key, errKey = base64.RawStdEncoding.DecodeString(parts[5])
	if err := errors.Join(errSalt, errKey); err != nil {
		return h, fmt.Errorf("salt and key of the hash: %w", err)
	}
	if version != argon2.Version || h.memory < 8 || h.memory > 64<<10 || h.time < 1 || h.time > 10 ||
		h.threads < 1 || h.threads > 8 || len(h.salt) < 8 || len(h.key) < 16 || len(h.key) > 64 {
		return h, errors.New("parameters of the hash are out of bounds")
	}
	return h, nil
}
