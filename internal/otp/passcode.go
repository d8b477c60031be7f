package otp

import (
	"crypto/rand"
	"crypto/sha1" // #nosec G505 -- HMAC needs no resistance to collisions (RFC 4226, appendix B)
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"hash"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
)

// An Algorithm is the hash under the HMAC, by its name in links.
type Algorithm string

const (
	SHA1   Algorithm = "SHA1"
	SHA256 Algorithm = "SHA256"
	SHA512 Algorithm = "SHA512"
)

func (a Algorithm) hash() func() hash.Hash {
	switch a {
	case SHA1:
		return sha1.New
	case SHA256:
		return sha256.New
	case SHA512:
		return sha512.New
	}
	return nil
}

// Params say how a secret's passcodes are made. The zero value, and every zero
// field, is what all apps know: six digits, thirty seconds, SHA-1.
type Params struct {
	Digits    int   // 6 or 8
	Period    int64 // seconds of a time step, 30 or 60; nothing to HOTP
	Algorithm Algorithm
}

func (p Params) withDefaults() Params {
	if p.Digits == 0 {
		p.Digits = 6
	}
	if p.Period == 0 {
		p.Period = 30
	}
	if p.Algorithm == "" {
		p.Algorithm = SHA1
	}
	return p
}

// Valid reports whether passcodes can be made with the parameters.
func (p Params) Valid() bool {
	p = p.withDefaults()
	return (p.Digits == 6 || p.Digits == 8) && (p.Period == 30 || p.Period == 60) && p.Algorithm.hash() != nil
}

// NewSecret returns a random secret as long as the hash's output, the length
// RFC 4226, section 4, recommends.
func NewSecret(a Algorithm) []byte {
	size := sha1.Size
	switch a {
	case SHA256:
		size = sha256.Size
	case SHA512:
		size = sha512.Size
	}
	secret := make([]byte, size)
	rand.Read(secret)
	return secret
}

// library is the algorithm as the library names it. It must be one we know.
func (a Algorithm) library() otp.Algorithm {
	switch a {
	case SHA256:
		return otp.AlgorithmSHA256
	case SHA512:
		return otp.AlgorithmSHA512
	}
	return otp.AlgorithmSHA1
}

// HOTP returns the passcode of a counter (RFC 4226, section 5.3). It is empty,
// and matches nothing, if the parameters are not valid or there is no secret:
// a seed that got lost on its way must not become one everybody knows.
func HOTP(secret []byte, params Params, counter int64) string { return maker(secret, params)(counter) }

// maker returns HOTP for a secret, whose text, as the library takes it, is made
// once for a whole window.
func maker(secret []byte, params Params) func(counter int64) string {
	p, text := params.withDefaults(), EncodeSecret(secret)
	opts := hotp.ValidateOpts{Digits: otp.Digits(p.Digits), Algorithm: p.Algorithm.library()}
	valid := p.Valid() && len(secret) > 0
	return func(counter int64) string {
		if !valid || counter < 0 {
			return ""
		}
		code, err := hotp.GenerateCodeCustom(text, uint64(counter), opts)
		if err != nil {
			return "" // of a text that is no Base32, which ours is
		}
		return code
	}
}

// TOTP returns the passcode of a moment (RFC 6238, section 4).
func TOTP(secret []byte, params Params, at time.Time) string {
	return HOTP(secret, params, Step(params, at))
}

// Step returns the time step a moment lies in.
func Step(params Params, at time.Time) int64 {
	return at.Unix() / params.withDefaults().Period
}

// MaxWindow is the most steps either way, or counters ahead, that are ever
// looked at: every one of them is a chance for whoever guesses, and a digest.
const MaxWindow = 100

// maxDrift is a day's worth of half-minutes. No clock that is off by more has
// been learned from; the number is damaged.
const maxDrift = 24 * 60 * 2

// Match reports the time step that has this passcode among those within a
// window around now, shifted by the drift learned for the authenticator's
// clock; step minus [Step] of now is the drift seen this time. The newest step
// is tried first, so that accepting it spends every older one.
//
// What was typed is compared as it is: see [Canonical] for what people type.
func Match(secret []byte, params Params, typed string, now time.Time, drift, window int64) (step int64, ok bool) {
	if !params.Valid() || drift < -maxDrift || drift > maxDrift {
		return 0, false
	}
	window = min(max(window, 0), MaxWindow)
	middle, code := Step(params, now)+drift, maker(secret, params)
	for step := middle + window; step >= middle-window; step-- {
		if equal(code(step), typed) {
			return step, true
		}
	}
	return 0, false
}

// MatchCounter reports which counter, from next to next+ahead, has this
// passcode; next is the one after the last accepted. The lowest is tried first:
// a counter far ahead would lock out the passcodes its owner has before it
// (RFC 4226, section 7.4).
func MatchCounter(secret []byte, params Params, typed string, next, ahead int64) (counter int64, ok bool) {
	ahead = min(max(ahead, 0), MaxWindow)
	if !params.Valid() || next < 0 || next > 1<<62 {
		return 0, false
	}
	code := maker(secret, params)
	for counter := next; counter <= next+ahead; counter++ {
		if equal(code(counter), typed) {
			return counter, true
		}
	}
	return 0, false
}

// equal compares in constant time. An empty passcode is one that could not be
// made, and equal to nothing.
func equal(made, typed string) bool {
	return made != "" && subtle.ConstantTimeCompare([]byte(made), []byte(typed)) == 1
}
