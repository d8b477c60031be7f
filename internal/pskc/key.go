package pskc

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// Limits of a file, of a key in it, and of the key derivation.
const (
	MaxSize       = 64 << 20 // bytes of a file
	MaxKeys       = 100_000
	maxDepth      = 32 // nested elements
	minSeed       = 10 // bytes; RFC 4226 requires 16, but tokens with 10 are in use
	maxSeed       = 128
	maxSerial     = 64
	maxIterations = 10_000_000 // of PBKDF2
)

// Hash algorithms of the HMAC that passcodes are made with.
const (
	SHA1   = "SHA1"
	SHA256 = "SHA256"
	SHA512 = "SHA512"
)

// A Key is the content of one hardware token.
type Key struct {
	Line         int // line of the file where it begins, counted from 1
	Serial       string
	Manufacturer string
	Event        bool // HOTP; otherwise TOTP
	Seed         []byte
	Digits       int       // 6 or 8
	Period       int64     // seconds of a time step, 30 or 60; 0 with HOTP
	Counter      int64     // the next counter, with HOTP
	Drift        int64     // of the token's clock in time steps, with TOTP
	Algorithm    string    // SHA1, SHA256 or SHA512
	StartsAt     time.Time // the token must not be used before; zero if unlimited
	ExpiresAt    time.Time // the token must not be used from then on; zero if unlimited
	User         string    // name of whom it is for; empty if the file does not say
}

// String keeps seeds out of logs and test output.
func (k Key) String() string { return "key " + k.Serial + " [secret]" }

// A Problem is one thing wrong with a file.
type Problem struct {
	Line   int    // 0 means the file as a whole
	Serial string // of the token; empty if unknown
	Err    error
}

func (p Problem) Error() string {
	where := ""
	if p.Line > 0 {
		where = fmt.Sprintf("line %d: ", p.Line)
	}
	if p.Serial != "" {
		where += "serial " + p.Serial + ": "
	}
	return where + p.Err.Error()
}

// Problems is everything that is wrong with a file, in the order of its lines.
type Problems []Problem

func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

func (ps Problems) err() error {
	if len(ps) == 0 {
		return nil
	}
	slices.SortStableFunc(ps, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	return &identity.Error{Kind: identity.Invalid, Key: "error.import.invalid", Err: ps}
}

// fileError returns an error about the file as a whole.
func fileError(format string, args ...any) error {
	return Problems{{Err: fmt.Errorf(format, args...)}}.err()
}

// A collector collects the keys of a file and what is wrong with it.
type collector struct {
	keys     []Key
	problems Problems
	lines    map[string]int // by serial
}

// add adds a key and records what is wrong with it. It ignores nil faults.
func (g *collector) add(k Key, faults ...error) {
	faults = append(faults, k.faults()...)
	if g.lines == nil {
		g.lines = make(map[string]int)
	}
	if first, twice := g.lines[k.Serial]; twice && k.Serial != "" {
		faults = append(faults, fmt.Errorf("is in line %d already; one of the two must go", first))
	} else {
		g.lines[k.Serial] = k.Line
	}
	for _, fault := range faults {
		if fault != nil {
			g.problems = append(g.problems, Problem{k.Line, k.Serial, fault})
		}
	}
	if len(g.keys) < MaxKeys {
		g.keys = append(g.keys, k)
	}
}

// result returns the keys, or an error if anything is wrong with the file.
func (g *collector) result() ([]Key, error) {
	if len(g.problems) == 0 && len(g.keys) == 0 {
		return nil, fileError("there is no token in it")
	}
	if len(g.keys) == MaxKeys {
		return nil, fileError("it has %d tokens or more; split it", MaxKeys)
	}
	if err := g.problems.err(); err != nil {
		return nil, err
	}
	return g.keys, nil
}

// faults returns what is wrong with a key by itself.
func (k Key) faults() []error {
	var faults []error
	bad := func(wrong bool, format string, args ...any) {
		if wrong {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	bad(k.Serial == "", "has no serial")
	bad(len(k.Serial) > maxSerial || strings.ContainsFunc(k.Serial, func(r rune) bool { return !unicode.IsPrint(r) || unicode.IsSpace(r) }),
		"the serial must be at most %d characters without spaces", maxSerial)
	bad(k.Seed != nil && (len(k.Seed) < minSeed || len(k.Seed) > maxSeed), "the seed has %d bytes; %d to %d can be used", len(k.Seed), minSeed, maxSeed)
	bad(k.Digits != 6 && k.Digits != 8, "makes passcodes of %d digits; 6 and 8 can be used", k.Digits)
	bad(!k.Event && k.Period != 30 && k.Period != 60, "has time steps of %d seconds; 30 and 60 can be used", k.Period)
	bad(k.Counter < 0 || k.Counter > 1<<48, "the counter %d cannot be counted on from", k.Counter)
	bad(k.Drift < -maxDrift || k.Drift > maxDrift, "its clock is %d steps off; at most %d can be made up for", k.Drift, maxDrift)
	bad(len(k.Manufacturer) > 100, "the name of its maker is longer than 100 bytes")
	bad(!k.ExpiresAt.IsZero() && !k.StartsAt.IsZero() && !k.StartsAt.Before(k.ExpiresAt), "expires before it may be used")
	return faults
}

// maxDrift is the maximum known drift of a token's clock in time steps: one day.
const maxDrift = 2880
