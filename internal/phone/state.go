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

// state is what the folder holds.
type state struct {
	Format      int              `json:"format"`
	Corrections map[string]int64 `json:"corrections,omitempty"` // seconds to add when signing, by server
	Accounts    []keptAccount    `json:"accounts"`
}

// A keptAccount is an account with its secrets. Until it is finished it has
// Begun, the code it comes from, and no id at first.
type keptAccount struct {
	Account
	Begun     activationCode `json:"begun,omitzero"`
	Key       privateKey     `json:"key"`
	Seed      string         `json:"seed"` // base32, as it came; empty where a PIN guards it
	Guarded   bool           `json:"guarded,omitempty"`
	ServerPIN bool           `json:"server_pin,omitempty"` // goes with every approval
	Wrapped   []wrappedSeed  `json:"wrapped,omitempty"`    // the last under the newest PIN
	Algorithm otp.Algorithm  `json:"algorithm"`
	Digits    int            `json:"digits"`
	Mode      string         `json:"mode,omitempty"`    // "challenge", or passcodes
	Period    int64          `json:"period"`            // 0 where they are counted
	Counter   int64          `json:"counter,omitempty"` // the next
}

// finished yields the accounts that were activated to the end.
func (s *state) finished() iter.Seq[*keptAccount] {
	return func(yield func(*keptAccount) bool) {
		for i := range s.Accounts {
			if k := &s.Accounts[i]; k.Begun == (activationCode{}) && !yield(k) {
				return
			}
		}
	}
}

// find returns the one account of that id, serial or user, or the one there is.
func (s *state) find(name string) (*keptAccount, error) {
	var found *keptAccount
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

// save writes the state whole or not at all: a key that was sent and then lost
// is an authenticator nobody holds.
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
			_ = os.Remove(f.Name()) // the first error is the one to tell
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

// A privateKey is written as the 32 bytes of its scalar.
type privateKey struct{ *ecdsa.PrivateKey }

func newKey() (privateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return privateKey{key}, err
}

// MarshalText writes the key in base64url.
func (k privateKey) MarshalText() ([]byte, error) {
	d, err := k.Bytes()
	if err != nil {
		return nil, err
	}
	return []byte(base64.RawURLEncoding.EncodeToString(d)), nil
}

// UnmarshalText reads it again.
func (k *privateKey) UnmarshalText(text []byte) error {
	d, err := base64.RawURLEncoding.DecodeString(string(text))
	if err != nil {
		return err
	}
	k.PrivateKey, err = ecdsa.ParseRawPrivateKey(elliptic.P256(), d)
	return err
}
