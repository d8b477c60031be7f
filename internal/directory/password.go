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

// A Directory manages users and checks passwords.
type Directory struct {
	db    *store.DB
	slots chan struct{} // one for each hash that may be computed at the same time
	dummy argon2Hash    // used if there is no hash to compare with

	// Breached is a file of breached passwords, see [Directory.CheckNewPassword]; may be empty.
	Breached string
	// Hashed is called before every password hash, with the context of the caller; may be nil.
	Hashed func(context.Context)
}

// New returns a directory that computes at most as many hashes at the same time as there are
// cores.
func New(db *store.DB, cores int) *Directory {
	d := &Directory{db: db, slots: make(chan struct{}, max(cores, 1)), dummy: newHash()}
	// The key is random, so no password matches.
	d.dummy.key = make([]byte, keySize)
	rand.Read(d.dummy.key)
	return d
}

// Limits of a password: the minimum in characters, the maximum in bytes after normalisation.
// The maximum is far above what people type and far below what would make hashing slow.
const (
	minPassword = 8
	maxPassword = 256
)

// slotTimeout is the maximum time that a check waits for a slot.
const slotTimeout = 2 * time.Second

// HashPassword returns the hash of a password to be stored, in PHC format.
func (d *Directory) HashPassword(ctx context.Context, password string) (string, error) {
	slot, err := d.AcquireHashSlot(ctx)
	if err != nil {
		return "", err
	}
	defer slot.Release()
	return slot.Hash(ctx, password)
}

// CheckPassword acquires a slot and calls [HashSlot.Check].
func (d *Directory) CheckPassword(ctx context.Context, u identity.User, password string) (bool, error) {
	slot, err := d.AcquireHashSlot(ctx)
	if err != nil {
		return false, err
	}
	defer slot.Release()
	return slot.Check(ctx, u, password)
}

// A HashSlot is the right to compute password hashes, one after another. There are as
// many as cores, so the memory that hashes take is bounded. Callers that count an attempt
// before computing its hash acquire the slot first, so that an attempt that finds no slot
// in time is not counted.
type HashSlot struct{ d *Directory }

// AcquireHashSlot waits up to two seconds for a slot (QLT-3). If too many hashes are being
// computed, the error is Unavailable with the time to wait, and nothing was checked.
func (d *Directory) AcquireHashSlot(ctx context.Context) (*HashSlot, error) {
	timer := time.NewTimer(slotTimeout)
	defer timer.Stop()
	select {
	case d.slots <- struct{}{}:
		return &HashSlot{d}, nil
	case <-timer.C:
		return nil, &identity.Error{Kind: identity.Unavailable, Key: "error.busy", RetryAfter: slotTimeout,
			Err: fmt.Errorf("directory: no slot for a hash within %s", slotTimeout)}
	case <-ctx.Done():
		return nil, fmt.Errorf("directory: waiting for a slot: %w", ctx.Err())
	}
}

// Release frees the slot. It may be called again.
func (s *HashSlot) Release() {
	if s.d != nil {
		<-s.d.slots
		s.d = nil
	}
}

// Hash returns the hash of a password to be stored, in PHC format.
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

// Check reports whether a password is the user's. Pass the zero User for an unknown name
// and for a locked user. It then returns false after as much time as a real check takes.
func (s *HashSlot) Check(ctx context.Context, u identity.User, password string) (bool, error) {
	password, ok := canonical(password)
	var kept passwordHash = s.d.dummy
	if ok && u.Password != "" {
		var err error
		if kept, err = parseAnyHash(u.Password); err != nil {
			return false, fmt.Errorf("directory: password of %s: %w", u.ID, err)
		}
	}
	s.d.hashing(ctx)
	fits := kept.matches(password)
	if ok && NeedsRehash(u.Password) {
		// Fast hashes, such as SSHA, would reveal by their time that the name exists. So an
		// own hash is computed as well.
		s.d.hashing(ctx)
		s.d.dummy.matches(password)
	}
	return fits, nil
}

// hashing calls Hashed before a hash is computed.
func (d *Directory) hashing(ctx context.Context) {
	if d.Hashed != nil {
		d.Hashed(ctx)
	}
}

// canonical returns a password as it is hashed: in NFC, because keyboards differ in how they
// compose é (NIST SP 800-63B, section 3.1.1.2). A password that is too long gives "" and is
// not cut, because otherwise a part of it would suffice. The length is also limited before
// normalising, which takes time proportional to it.
func canonical(password string) (string, bool) {
	if len(password) <= 4*maxPassword {
		if password = norm.NFC.String(password); len(password) <= maxPassword {
			return password, true
		}
	}
	return "", false
}

// An argon2Hash has the parameters, the salt and the key of argon2id (RFC 9106).
type argon2Hash struct {
	memory  uint32 // KiB
	time    uint32
	threads uint8
	salt    []byte
	key     []byte
}

func (h argon2Hash) derive(password string, size int) []byte {
	return argon2.IDKey([]byte(password), h.salt, h.time, h.memory, h.threads, uint32(size))
}

func (h argon2Hash) matches(password string) bool {
	return subtle.ConstantTimeCompare(h.derive(password, len(h.key)), h.key) == 1
}

const (
	saltSize = 16
	keySize  = 32
)

// newHash returns the parameters of new hashes, with a salt and no key. They are OWASP's
// recommendation.
func newHash() argon2Hash {
	h := argon2Hash{memory: 19 << 10, time: 2, threads: 1, salt: make([]byte, saltSize)}
	rand.Read(h.salt)
	return h
}

// String returns the PHC format, which contains parameters, salt and key, so that new
// parameters need no new column.
func (h argon2Hash) String() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.memory, h.time, h.threads,
		base64.RawStdEncoding.EncodeToString(h.salt), base64.RawStdEncoding.EncodeToString(h.key))
}

// parseHash reads the PHC format. It refuses parameters that would take too much memory or
// compare too few bytes, so that a damaged row cannot weaken the check.
func parseHash(phc string) (argon2Hash, error) {
	var h argon2Hash
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
