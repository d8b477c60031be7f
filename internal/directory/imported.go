package directory

import (
	"bytes"
	"crypto/pbkdf2"
	"crypto/sha1" //nolint:gosec // of hashes that others made
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	stdhash "hash"
	"strconv"
	"strings"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/scrypt"
)

// A kept hash is what is kept of a password: ours, or one that came with a user
// from elsewhere and is replaced by ours at the first right login.
type kept interface {
	// fits reports in constant time whether a password is the one. It takes as
	// long as the hash does.
	fits(password string) bool
}

// Bounds of imported hashes. What is beyond would be a way to keep the machine
// busy by a row of a file; what is below them no hash of ours either, but is
// gone after the first login.
const (
	mostRounds = 2_000_000 // of PBKDF2
	mostCost   = 14        // of bcrypt
	mostMemory = 64 << 20  // bytes of scrypt
)

// parseKept reads a hash: argon2id, bcrypt, scrypt or PBKDF2 in the forms that
// others write, and the salted hashes of LDAP servers.
func parseKept(text string) (kept, error) {
	scheme, rest, braced := strings.Cut(strings.TrimPrefix(text, "{"), "}")
	if braced && strings.HasPrefix(text, "{") {
		if make, ok := salted[strings.ToUpper(scheme)]; ok {
			return parseSalted(make, rest)
		}
		text = rest // such as {CRYPT}$2b$…
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(text, "$"), "$")
	switch {
	case name == "argon2id":
		return parseHash(text)
	case name == "2a" || name == "2b" || name == "2y":
		return parseBcrypt(text)
	case name == "scrypt":
		return parseScrypt(text)
	case strings.HasPrefix(name, "pbkdf2"):
		return parsePBKDF2(text)
	}
	return nil, errors.New("no hash of a kind that is known: argon2id, bcrypt, scrypt, PBKDF2, SSHA")
}

// Foreign reports whether what is kept of a password is to be replaced by ours: it
// is of another kind, or of other parameters.
func Foreign(password string) bool {
	ours := newHash()
	h, err := parseHash(password)
	return password != "" && (err != nil || h.memory != ours.memory || h.time != ours.time || h.threads != ours.threads || len(h.key) != keySize)
}

// CheckHash refuses, as an Invalid, what cannot be kept of an imported password.
func CheckHash(text string) error {
	if _, err := parseKept(text); err != nil {
		return fmt.Errorf("%w: %w", invalid("error.user.password.hash"), err)
	}
	return nil
}

// A bcrypted hash looks at 72 bytes of a password and no more. A longer one does
// not fit: else any would do that begins alike.
type bcrypted []byte

func (b bcrypted) fits(password string) bool {
	return bcrypt.CompareHashAndPassword(b, []byte(password)) == nil && len(password) <= 72
}

func parseBcrypt(text string) (kept, error) {
	cost, err := bcrypt.Cost([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("bcrypt: %w", err)
	}
	if cost > mostCost {
		return nil, fmt.Errorf("bcrypt: cost %d, of %d at most", cost, mostCost)
	}
	return bcrypted(text), nil
}

type scrypted struct {
	n, r, p   int
	salt, key []byte
}

func (s scrypted) fits(password string) bool {
	key, err := scrypt.Key([]byte(password), s.salt, s.n, s.r, s.p, len(s.key))
	return err == nil && !padded(password) && subtle.ConstantTimeCompare(key, s.key) == 1
}

// parseScrypt reads the PHC form: $scrypt$ln=16,r=8,p=1$salt$key.
func parseScrypt(text string) (kept, error) {
	parts := strings.Split(text, "$")
	if len(parts) != 5 {
		return nil, errors.New("scrypt: not in PHC form")
	}
	var ln int
	var s scrypted
	if _, err := fmt.Sscanf(parts[2], "ln=%d,r=%d,p=%d", &ln, &s.r, &s.p); err != nil {
		return nil, fmt.Errorf("scrypt: %w", err)
	}
	if ln < 10 || ln > 20 || s.r < 1 || s.r > 32 || s.p < 1 || s.p > 4 || 128*s.r<<ln > mostMemory {
		return nil, errors.New("scrypt: parameters out of bounds")
	}
	s.n = 1 << ln
	var err error
	s.salt, s.key, err = saltAndKey(parts[3], parts[4])
	return s, err
}

type derived struct {
	hash      func() stdhash.Hash
	rounds    int
	salt, key []byte
}

func (d derived) fits(password string) bool {
	key, err := pbkdf2.Key(d.hash, password, d.salt, d.rounds, len(d.key))
	return err == nil && !padded(password) && subtle.ConstantTimeCompare(key, d.key) == 1
}

// padded reports whether a password ends in what HMAC fills short keys with: with
// these hashes it would be the same as without (RFC 2104, section 2).
func padded(password string) bool { return strings.HasSuffix(password, "\x00") }

// digests are those of PBKDF2, as the names of its hashes end.
var digests = map[string]func() stdhash.Hash{"sha1": sha1.New, "": sha1.New, "sha256": sha256.New, "sha512": sha512.New}

// parsePBKDF2 reads the forms of Django (pbkdf2_sha256$600000$salt$key, the salt
// as text) and of PHC and passlib ($pbkdf2-sha256$29000$salt$key, or i=29000).
func parsePBKDF2(text string) (kept, error) {
	parts := strings.Split(strings.TrimPrefix(text, "$"), "$")
	if len(parts) != 4 {
		return nil, errors.New("PBKDF2: not of four parts")
	}
	var d derived
	name, django := strings.CutPrefix(parts[0], "pbkdf2_")
	if !django {
		name = strings.TrimPrefix(strings.TrimPrefix(parts[0], "pbkdf2"), "-")
	}
	if d.hash = digests[name]; d.hash == nil {
		return nil, fmt.Errorf("PBKDF2: unknown hash %q", name)
	}
	var err error
	if d.rounds, err = strconv.Atoi(strings.TrimPrefix(parts[1], "i=")); err != nil {
		return nil, fmt.Errorf("PBKDF2: %w", err)
	}
	if d.rounds < 1 || d.rounds > mostRounds {
		return nil, fmt.Errorf("PBKDF2: %d rounds, of %d at most", d.rounds, mostRounds)
	}
	if django {
		d.salt = []byte(parts[2])
		d.key, err = decode64(parts[3])
		if err == nil && (len(d.key) < 16 || len(d.key) > 64) {
			err = errors.New("PBKDF2: a key of another length")
		}
		return d, err
	}
	d.salt, d.key, err = saltAndKey(parts[2], parts[3])
	return d, err
}

// salted are the hashes of LDAP servers (RFC 2307 and what followed it).
var salted = map[string]func() stdhash.Hash{"SSHA": sha1.New, "SSHA256": sha256.New, "SSHA512": sha512.New}

type saltedHash struct {
	hash      func() stdhash.Hash
	sum, salt []byte
}

func (s saltedHash) fits(password string) bool {
	h := s.hash()
	h.Write([]byte(password))
	h.Write(s.salt)
	return subtle.ConstantTimeCompare(h.Sum(nil), s.sum) == 1
}

func parseSalted(make func() stdhash.Hash, text string) (kept, error) {
	raw, err := decode64(text)
	if err != nil {
		return nil, fmt.Errorf("SSHA: %w", err)
	}
	size := make().Size()
	if len(raw) < size+4 || len(raw) > size+64 {
		return nil, errors.New("SSHA: no salt, or one of another length")
	}
	return saltedHash{make, bytes.Clone(raw[:size]), bytes.Clone(raw[size:])}, nil
}

func saltAndKey(salt, key string) ([]byte, []byte, error) {
	s, err := decode64(salt)
	if err != nil {
		return nil, nil, fmt.Errorf("salt: %w", err)
	}
	k, err := decode64(key)
	if err != nil {
		return nil, nil, fmt.Errorf("key: %w", err)
	}
	if len(s) < 4 || len(s) > 128 || len(k) < 16 || len(k) > 64 {
		return nil, nil, errors.New("salt or key of another length")
	}
	return s, k, nil
}

// decode64 reads base64 with padding or without, and in passlib's alphabet.
func decode64(text string) ([]byte, error) {
	return base64.RawStdEncoding.DecodeString(strings.TrimRight(strings.ReplaceAll(text, ".", "+"), "="))
}
