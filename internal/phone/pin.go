package phone

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/policy"
)

// A PINQuestion says which PIN somebody is asked for.
type PINQuestion string

const (
	InitialPIN PINQuestion = "initial" // which the page of the enrolment shows, once the account is begun
	NewPIN     PINQuestion = "new"
	PresentPIN PINQuestion = "present"
)

// pinIterations of PBKDF2: what OWASP's password storage cheat sheet asks of it
// with SHA-256.
const pinIterations = 600_000

// A wrappedSeed is a seed under a key made of a PIN and the server's half
// (protocol, section 5.13).
type wrappedSeed struct {
	Salt       string `json:"salt"`
	Iterations int    `json:"iterations"`
	Nonce      string `json:"nonce"`
	Seed       string `json:"seed"`
}

// pinStanding is what status says of an account's PIN.
type pinStanding struct {
	Template policy.PINRules
	PIN      struct {
		Salt       string
		Iterations int
		Initial    bool
	}
}

// question asks the phone's person for a PIN.
func (p *Phone) question(q PINQuestion, k *keptAccount) (string, error) {
	if p.PIN == nil {
		return "", &identity.Error{Kind: identity.Invalid, Key: "phone.pin.needed", Err: fmt.Errorf("%s has a PIN, and nobody was there to be asked for it", k.Serial)}
	}
	pin, err := p.PIN(q, k.Account)
	return otp.Canonical(pin), err
}

// choosePIN has a PIN chosen for an account that is being activated, where its
// template wants one. What it wraps is kept before the server is told: if that
// answer is lost, activating anew goes on from here.
func (p *Phone) choosePIN(ctx context.Context, s *state, k *keptAccount) error {
	if !k.Guarded {
		return nil
	}
	var now pinStanding
	if err := p.call(ctx, s, k, "status", nil, &now); err != nil {
		return err
	}
	if now.PIN.Initial {
		seed, err := seedOf(k.Seed)
		if err != nil {
			return err
		}
		first, err := p.question(InitialPIN, k)
		if err != nil {
			return err
		}
		stretched, err := stretch(first, now.PIN.Salt, now.PIN.Iterations)
		if err != nil {
			return err
		}
		if err := p.setPIN(ctx, s, k, now.Template, stretched, seed); err != nil {
			return err
		}
		now.PIN.Salt = k.Wrapped[len(k.Wrapped)-1].Salt
	}
	k.keepOnly(now.PIN.Salt)
	return p.save(s)
}

// keepOnly forgets what is wrapped under another PIN than the one that holds,
// and the seed as it came.
func (k *keptAccount) keepOnly(salt string) {
	k.Seed = ""
	k.Wrapped = slices.DeleteFunc(k.Wrapped, func(w wrappedSeed) bool { return w.Salt != salt })
}

// setPIN asks for a new PIN, wraps the seed under it, and tells the server, to
// which stretched proves the PIN until now.
func (p *Phone) setPIN(ctx context.Context, s *state, k *keptAccount, rules policy.PINRules, stretched, seed []byte) error {
	pin, err := p.question(NewPIN, k)
	if err != nil {
		return err
	}
	if why := rules.Problem(pin); why != "" {
		return &identity.Error{Kind: identity.Invalid, Key: "phone.pin.refused",
			Err: fmt.Errorf("that PIN is refused (%s): it needs %d characters or more, %s, and not one run such as 1234", why, rules.PINLength, rules.Complexity)}
	}
	var body pinBody
	if body.Proof, err = proofOf(stretched); err != nil {
		return err
	}
	salt, half := make([]byte, 16), make([]byte, 32)
	rand.Read(salt)
	rand.Read(half)
	w := wrappedSeed{Salt: b64(salt), Iterations: pinIterations}
	if stretched, err = stretch(pin, w.Salt, w.Iterations); err != nil {
		return err
	}
	if body.New.Proof, err = proofOf(stretched); err != nil {
		return err
	}
	body.New.Salt, body.New.Iterations, body.New.Half = w.Salt, w.Iterations, b64(half)
	aead, err := wrapper(stretched, half)
	if err != nil {
		return err
	}
	nonce := make([]byte, aead.NonceSize())
	rand.Read(nonce)
	w.Nonce, w.Seed = b64(nonce), b64(aead.Seal(nil, nonce, seed, []byte(k.ID)))
	k.Wrapped = append(k.Wrapped, w)
	if err := p.save(s); err != nil {
		return err
	}
	return p.ask(ctx, s, k, "pin", body)
}

type pinBody struct {
	Proof string `json:"proof"`
	New   struct {
		Salt       string `json:"salt"`
		Iterations int    `json:"iterations"`
		Proof      string `json:"proof"`
		Half       string `json:"half"`
	} `json:"new"`
}

type unlockBody struct {
	Proof   string `json:"proof"`
	Request string `json:"request,omitempty"`
}

// unlock asks for an account's PIN and returns it stretched, and the seed that
// it opens. With a request, that may then be approved.
func (p *Phone) unlock(ctx context.Context, s *state, k *keptAccount, request string) (stretched, seed []byte, err error) {
	w := k.Wrapped[0]
	if len(k.Wrapped) > 1 { // the answer to a change was lost: which holds?
		var now pinStanding
		if err := p.call(ctx, s, k, "status", nil, &now); err != nil {
			return nil, nil, err
		}
		for _, other := range k.Wrapped {
			if other.Salt == now.PIN.Salt {
				w = other
			}
		}
	}
	pin, err := p.question(PresentPIN, k)
	if err != nil {
		return nil, nil, err
	}
	if stretched, err = stretch(pin, w.Salt, w.Iterations); err != nil {
		return nil, nil, err
	}
	body := unlockBody{Request: request}
	if body.Proof, err = proofOf(stretched); err != nil {
		return nil, nil, err
	}
	var answer struct{ Half string }
	if err := p.call(ctx, s, k, "unlock", body, &answer); err != nil {
		return nil, nil, err
	}
	var parts [3][]byte
	for i, text := range []string{answer.Half, w.Nonce, w.Seed} {
		if parts[i], err = base64.RawURLEncoding.DecodeString(text); err != nil {
			return nil, nil, fmt.Errorf("phone: unlock: %w", err)
		}
	}
	aead, err := wrapper(stretched, parts[0])
	if err != nil {
		return nil, nil, err
	}
	if len(parts[1]) != aead.NonceSize() {
		return nil, nil, errors.New("phone: unlock: a nonce of another size")
	}
	if seed, err = aead.Open(nil, parts[1], parts[2], []byte(k.ID)); err != nil {
		return nil, nil, fmt.Errorf("phone: the seed of %s does not open: %w", k.Serial, err)
	}
	return stretched, seed, nil
}

// ChangePIN asks for an account's PIN and for another in its place.
func (p *Phone) ChangePIN(ctx context.Context, name string) (Account, error) {
	s, err := p.load()
	if err != nil {
		return Account{}, err
	}
	k, err := s.find(name)
	if err != nil {
		return Account{}, err
	}
	if !k.Guarded {
		return k.Account, &identity.Error{Kind: identity.Conflict, Key: "phone.pin.none", Err: fmt.Errorf("%s has no PIN", k.Serial)}
	}
	var now pinStanding
	if err := p.call(ctx, s, k, "status", nil, &now); err != nil {
		return k.Account, err
	}
	stretched, seed, err := p.unlock(ctx, s, k, "")
	if err != nil {
		return k.Account, err
	}
	if err := p.setPIN(ctx, s, k, now.Template, stretched, seed); err != nil {
		return k.Account, err
	}
	k.keepOnly(k.Wrapped[len(k.Wrapped)-1].Salt)
	return k.Account, p.save(s)
}

// stretch makes 32 bytes of a PIN.
func stretch(pin, salt string, iterations int) ([]byte, error) {
	raw, err := base64.RawURLEncoding.DecodeString(salt)
	if err != nil {
		return nil, fmt.Errorf("phone: salt: %w", err)
	}
	return pbkdf2.Key(sha256.New, pin, raw, iterations, 32)
}

// proofOf makes what the server is told of a stretched PIN.
func proofOf(stretched []byte) (string, error) {
	proof, err := hkdf.Key(sha256.New, stretched, nil, "latchkey pin proof v1", 32)
	return b64(proof), err
}

// wrapper is the cipher under which a PIN and the server's half keep a seed.
func wrapper(stretched, half []byte) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, slices.Concat(stretched, half), nil, "latchkey pin key v1", 32)
	if err != nil {
		return nil, fmt.Errorf("phone: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("phone: %w", err)
	}
	return cipher.NewGCM(block)
}
