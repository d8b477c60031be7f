package directory

import (
	"bytes"
	"crypto/pbkdf2"
	"crypto/sha1" // for hashes from other systems
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

// A passwordHash is the stored hash of a password: this server's own, or an imported one,
// which is replaced by an own one at the first right login.
type passwordHash interface {
	// matches reports in constant time whether a password is right. It takes as long as
	// computing the hash.
	matches(password string) bool
}

// Upper bounds of the parameters of imported hashes. Without them a row of a file could
// keep the server busy. Weaker hashes than the own ones are allowed, because they are
// replaced at the first login.
const (
	maxIterations   = 2_000_000 // of PBKDF2
	maxBcryptCost   = 14
	maxScryptMemory = 64 << 20 // bytes
)

// parseAnyHash reads a hash: argon2id, bcrypt, scrypt or PBKDF2 in the formats of common
// systems, and the salted hashes of LDAP servers.
func parseAnyHash(text string) (passwordHash, error) {
	scheme, rest, braced := strings.Cut(strings.TrimPrefix(text, "{"), "}")
	if braced && strings.HasPrefix(text, "{") {
		if make, ok := saltedSchemes[strings.ToUpper(scheme)]; ok {
			return parseSalted(make, rest)
		}
		text = rest // for example {CRYPT}$2b$…
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

// NeedsRehash reports whether the stored hash of a password shall be replaced by an own one,
// because its algorithm or its parameters differ.
func NeedsRehash(password string) bool {
	ours := newHash()
	h, err := parseHash(password)
	return password != "" && (err != nil || h.memory != ours.memory || h.time != ours.time || h.threads != ours.threads || len(h.key) != keySize)
}

// CheckHash returns an Invalid error for a hash that cannot be imported.
func CheckHash(text string) error {
	if _, err := parseAnyHash(text); err != nil {
		return fmt.Errorf("%w: %w", invalid("error.user.password.hash"), err)
	}
	return nil
}

// A bcryptHash only depends on the first 72 bytes of a password. Longer passwords never
// match. Otherwise any password with the same beginning would.
type bcryptHash []byte

func (b bcryptHash) matches(password string) bool {
	return bcrypt.CompareHashAndPassword(b, []byte(password)) == nil && len(password) <= 72
}

func parseBcrypt(text string) (passwordHash, error) {
	cost, err := bcrypt.Cost([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("bcrypt: %w", err)
	}
	if cost > maxBcryptCost {
		return nil, fmt.Errorf("bcrypt: cost %d, of %d at most", cost, maxBcryptCost)
	}
	return bcryptHash(text), nil
}

type scryptHash struct {
	n, r, p   int
	salt, key []byte
}

func (s scryptHash) matches(password string) bool {
	key, err := scrypt.Key([]byte(password), s.salt, s.n, s.r, s.p, len(s.key))
	return err == nil && !endsInNUL(password) && subtle.ConstantTimeCompare(key, s.key) == 1
}

// parseScrypt reads the PHC format: $scrypt$ln=16,r=8,p=1$salt$key.
func parseScrypt(text string) (passwordHash, error) {
	parts := strings.Split(text, "$")
	if len(parts) != 5 {
		return nil, errors.New("scrypt: not in PHC form")
	}
	var ln int
	var s scryptHash
	if _, err := fmt.Sscanf(parts[2], "ln=%d,r=%d,p=%d", &ln, &s.r, &s.p); err != nil {
		return nil, fmt.Errorf("scrypt: %w", err)
	}
	if ln < 10 || ln > 20 || s.r < 1 || s.r > 32 || s.p < 1 || s.p > 4 || 128*s.r<<ln > maxScryptMemory {
		return nil, errors.New("scrypt: parameters out of bounds")
	}
	s.n = 1 << ln
	var err error
	s.salt, s.key, err = saltAndKey(parts[3], parts[4])
	return s, err
}

type pbkdf2Hash struct {
	hash      func() stdhash.Hash
	rounds    int
	salt, key []byte
}

func (d pbkdf2Hash) matches(password string) bool {
	key, err := pbkdf2.Key(d.hash, password, d.salt, d.rounds, len(d.key))
	return err == nil && !endsInNUL(password) && subtle.ConstantTimeCompare(key, d.key) == 1
}

// endsInNUL reports whether a password ends in the byte that HMAC pads short keys with. With
// these hashes it would match without that byte too (RFC 2104, section 2).
func endsInNUL(password string) bool { return strings.HasSuffix(password, "\x00") }

// pbkdf2Digests are the hash functions of PBKDF2 by the suffixes of the algorithm names.
var pbkdf2Digests = map[string]func() stdhash.Hash{"sha1": sha1.New, "": sha1.New, "sha256": sha256.New, "sha512": sha512.New}

// parsePBKDF2 reads the formats of Django (pbkdf2_sha256$600000$salt$key, with the salt as
// text) and of PHC and passlib ($pbkdf2-sha256$29000$salt$key, or i=29000).
func parsePBKDF2(text string) (passwordHash, error) {
	parts := strings.Split(strings.TrimPrefix(text, "$"), "$")
	if len(parts) != 4 {
		return nil, errors.New("PBKDF2: not of four parts")
	}
	var d pbkdf2Hash
	name, django := strings.CutPrefix(parts[0], "pbkdf2_")
	if !django {
		name = strings.TrimPrefix(strings.TrimPrefix(parts[0], "pbkdf2"), "-")
	}
	if d.hash = pbkdf2Digests[name]; d.hash == nil {
		return nil, fmt.Errorf("PBKDF2: unknown hash %q", name)
	}
	var err error
	if d.rounds, err = strconv.Atoi(strings.TrimPrefix(parts[1], "i=")); err != nil {
		return nil, fmt.Errorf("PBKDF2: %w", err)
	}
	if d.rounds < 1 || d.rounds > maxIterations {
		return nil, fmt.Errorf("PBKDF2: %d rounds, of %d at most", d.rounds, maxIterations)
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

// saltedSchemes are the salted hashes of LDAP servers (RFC 2307 and its successors).
var saltedSchemes = map[string]func() stdhash.Hash{"SSHA": sha1.New, "SSHA256": sha256.New, "SSHA512": sha512.New}

type saltedHash struct {
	hash      func() stdhash.Hash
	sum, salt []byte
}

func (s saltedHash) matches(password string) bool {
	h := s.hash()
	h.Write([]byte(password))
	h.Write(s.salt)
	return subtle.ConstantTimeCompare(h.Sum(nil), s.sum) == 1
}

func parseSalted(make func() stdhash.Hash, text string) (passwordHash, error) {
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

// decode64 decodes base64 with or without padding, and in passlib's alphabet.
func decode64(text string) ([]byte, error) {
	return base64.RawStdEncoding.DecodeString(strings.TrimRight(strings.ReplaceAll(text, ".", "+"), "="))
}
