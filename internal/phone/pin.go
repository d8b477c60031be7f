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

// A PINQuestion says which PIN the user is asked for.
type PINQuestion string

const (
	InitialPIN PINQuestion = "initial" // shown on the enrolment page after the activation has begun
	NewPIN     PINQuestion = "new"
	PresentPIN PINQuestion = "present"
)

// pinIterations is the number of PBKDF2-SHA-256 iterations that OWASP's password storage cheat sheet
// recommends.
const pinIterations = 600_000

// A wrappedSeed is a seed encrypted under a key made from a PIN and the server's half (protocol, section
// 5.13).
type wrappedSeed struct {
	Salt       string `json:"salt"`
	Iterations int    `json:"iterations"`
	Nonce      string `json:"nonce"`
	Seed       string `json:"seed"`
}

// pinStatus is the part of an account's status about its PIN.
type pinStatus struct {
	Template policy.PINRules
	PIN      struct {
		Salt       string
		Iterations int
		Initial    bool
	}
}

// askPIN asks the user for a PIN.
func (p *Phone) askPIN(q PINQuestion, k *storedAccount) (string, error) {
	if p.PIN == nil {
		return "", &identity.Error{Kind: identity.Invalid, Key: "phone.pin.needed", Err: fmt.Errorf("%s has a PIN, and nobody was there to be asked for it", k.Serial)}
	}
	pin, err := p.PIN(q, k.Account)
	return otp.Canonical(pin), err
}

// choosePIN asks for a new PIN of an account that is being activated, if its template requires one. The
// wrapped seed is saved before the server is told. If that answer is lost, activating again continues.
func (p *Phone) choosePIN(ctx context.Context, s *state, k *storedAccount) error {
	if !k.Guarded {
		return nil
	}
	var now pinStatus
	if err := p.call(ctx, s, k, "status", nil, &now); err != nil {
		return err
	}
	if now.PIN.Initial {
		seed, err := parseSeed(k.Seed)
		if err != nil {
			return err
		}
		first, err := p.askPIN(InitialPIN, k)
		if err != nil {
			return err
		}
		stretched, err := stretchPIN(first, now.PIN.Salt, now.PIN.Iterations)
		if err != nil {
			return err
		}
		if err := p.setPIN(ctx, s, k, now.Template, stretched, seed); err != nil {
			return err
		}
		now.PIN.Salt = k.Wrapped[len(k.Wrapped)-1].Salt
	}
	k.dropOtherPINs(now.PIN.Salt)
	return p.save(s)
}

// dropOtherPINs deletes seeds wrapped under other PINs than the valid one, and the unencrypted seed.
func (k *storedAccount) dropOtherPINs(salt string) {
	k.Seed = ""
	k.Wrapped = slices.DeleteFunc(k.Wrapped, func(w wrappedSeed) bool { return w.Salt != salt })
}

// setPIN asks for a new PIN, wraps the seed under it, and tells the server. stretched proves the present
// PIN.
func (p *Phone) setPIN(ctx context.Context, s *state, k *storedAccount, rules policy.PINRules, stretched, seed []byte) error {
	pin, err := p.askPIN(NewPIN, k)
	if err != nil {
		return err
	}
	if why := rules.Problem(pin); why != "" {
		return &identity.Error{Kind: identity.Invalid, Key: "phone.pin.refused",
			Err: fmt.Errorf("that PIN is refused (%s): it needs %d characters or more, %s, and not one run such as 1234", why, rules.PINLength, rules.Complexity)}
	}
	var body pinBody
	if body.Proof, err = pinProof(stretched); err != nil {
		return err
	}
	salt, half := make([]byte, 16), make([]byte, 32)
	rand.Read(salt)
	rand.Read(half)
	w := wrappedSeed{Salt: b64(salt), Iterations: pinIterations}
	if stretched, err = stretchPIN(pin, w.Salt, w.Iterations); err != nil {
		return err
	}
	if body.New.Proof, err = pinProof(stretched); err != nil {
		return err
	}
	body.New.Salt, body.New.Iterations, body.New.Half = w.Salt, w.Iterations, b64(half)
	aead, err := seedCipher(stretched, half)
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
	return p.callStatus(ctx, s, k, "pin", body)
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

// unlock asks for an account's PIN and returns the stretched PIN and the seed. With a request, that
// request may then be approved.
func (p *Phone) unlock(ctx context.Context, s *state, k *storedAccount, request string) (stretched, seed []byte, err error) {
	w := k.Wrapped[0]
	if len(k.Wrapped) > 1 { // the answer to a change was lost, so ask which PIN is valid
		var now pinStatus
		if err := p.call(ctx, s, k, "status", nil, &now); err != nil {
			return nil, nil, err
		}
		for _, other := range k.Wrapped {
			if other.Salt == now.PIN.Salt {
				w = other
			}
		}
	}
	pin, err := p.askPIN(PresentPIN, k)
	if err != nil {
		return nil, nil, err
	}
	if stretched, err = stretchPIN(pin, w.Salt, w.Iterations); err != nil {
		return nil, nil, err
	}
	body := unlockBody{Request: request}
	if body.Proof, err = pinProof(stretched); err != nil {
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
	aead, err := seedCipher(stretched, parts[0])
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

// ChangePIN asks for an account's PIN and replaces it by a new one.
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
	var now pinStatus
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
	k.dropOtherPINs(k.Wrapped[len(k.Wrapped)-1].Salt)
	return k.Account, p.save(s)
}

// stretchPIN derives 32 bytes from a PIN.
func stretchPIN(pin, salt string, iterations int) ([]byte, error) {
	raw, err := base64.RawURLEncoding.DecodeString(salt)
	if err != nil {
		return nil, fmt.Errorf("phone: salt: %w", err)
	}
	return pbkdf2.Key(sha256.New, pin, raw, iterations, 32)
}

// pinProof derives from a stretched PIN what is sent to the server.
func pinProof(stretched []byte) (string, error) {
	proof, err := hkdf.Key(sha256.New, stretched, nil, "latchkey pin proof v1", 32)
	return b64(proof), err
}

// seedCipher returns the cipher for a seed, with a key made from a stretched PIN and the server's half.
func seedCipher(stretched, half []byte) (cipher.AEAD, error) {
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
