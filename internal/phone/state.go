package phone

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/otp"
)

// state is the content of the file.
type state struct {
	Format      int              `json:"format"`
	Corrections map[string]int64 `json:"corrections,omitempty"` // seconds to add when signing, by server
	Accounts    []storedAccount  `json:"accounts"`
}

// A storedAccount is an account with its secrets. Until it is finished, Begun has the code that it comes
// from. It has no id until it is registered.
type storedAccount struct {
	Account
	Begun     activationCode `json:"begun,omitzero"`
	Key       privateKey     `json:"key"`
	Seed      string         `json:"seed"` // Base32; empty if the account has a PIN
	Guarded   bool           `json:"guarded,omitempty"`
	ServerPIN bool           `json:"server_pin,omitempty"` // sent with every approval
	Wrapped   []wrappedSeed  `json:"wrapped,omitempty"`    // the last one is under the newest PIN
	Algorithm otp.Algorithm  `json:"algorithm"`
	Digits    int            `json:"digits"`
	Mode      string         `json:"mode,omitempty"`    // "challenge", or empty for passcodes
	Period    int64          `json:"period"`            // seconds of a time step; 0 if counter-based
	Counter   int64          `json:"counter,omitempty"` // the next counter
}

// finished yields the accounts whose activation is finished.
func (s *state) finished() iter.Seq[*storedAccount] {
	return func(yield func(*storedAccount) bool) {
		for i := range s.Accounts {
			if k := &s.Accounts[i]; k.Begun == (activationCode{}) && !yield(k) {
				return
			}
		}
	}
}

// find returns the account with this id, serial or user, or the only one if the name is empty.
func (s *state) find(name string) (*storedAccount, error) {
	var found *storedAccount
	for k := range s.finished() {
		if name != "" && name != k.ID && name != k.Serial && name != k.User {
			continue
		}
		if found != nil {
			return nil, &identity.Error{Kind: identity.Invalid, Key: "phone.account.several", Err: errors.New("several accounts match: name one by its serial")}
		}
		found = k
	}
	if found == nil {
		return nil, &identity.Error{Kind: identity.NotFound, Key: "phone.account.none", Err: errors.New("no such account on this phone")}
	}
	return found, nil
}

const stateFile = "phone.json"

func (p *Phone) load() (*state, error) {
	data, err := os.ReadFile(filepath.Join(p.Dir, stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return &state{Format: 1}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("phone: %w", err)
	}
	var s state
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("phone: %s is damaged: %w", filepath.Join(p.Dir, stateFile), err)
	}
	if s.Format != 1 {
		return nil, fmt.Errorf("phone: %s has format %d; this version reads 1", filepath.Join(p.Dir, stateFile), s.Format)
	}
	return &s, nil
}

// save writes the file atomically. If a key that was sent were lost, nobody could use its authenticator.
func (p *Phone) save(s *state) (err error) {
	if err := os.MkdirAll(p.Dir, 0o700); err != nil {
		return fmt.Errorf("phone: %w", err)
	}
	data, err := json.MarshalIndent(s, "", "\t")
	if err != nil {
		return fmt.Errorf("phone: %w", err)
	}
	f, err := os.CreateTemp(p.Dir, stateFile+".*") // 0600
	if err != nil {
		return fmt.Errorf("phone: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name()) // the first error is returned
		}
	}()
	_, err = f.Write(append(data, '\n'))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("phone: %w", err)
	}
	if err := os.Rename(f.Name(), filepath.Join(p.Dir, stateFile)); err != nil {
		return fmt.Errorf("phone: %w", err)
	}
	return nil
}

// A privateKey is stored as the 32 bytes of its scalar.
type privateKey struct{ *ecdsa.PrivateKey }

func newKey() (privateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return privateKey{key}, err
}

// MarshalText returns the key in base64url.
func (k privateKey) MarshalText() ([]byte, error) {
	d, err := k.Bytes()
	if err != nil {
		return nil, err
	}
	return []byte(base64.RawURLEncoding.EncodeToString(d)), nil
}

// UnmarshalText reads the result of MarshalText.
func (k *privateKey) UnmarshalText(text []byte) error {
	d, err := base64.RawURLEncoding.DecodeString(string(text))
	if err != nil {
		return err
	}
	k.PrivateKey, err = ecdsa.ParseRawPrivateKey(elliptic.P256(), d)
	return err
}
