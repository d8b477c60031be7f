package phone

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/otp"
)

// twoAccounts returns a phone with accounts of anna and bert, and one whose activation is not finished.
func twoAccounts(t *testing.T) *Phone {
	t.Helper()
	p := &Phone{Dir: filepath.Join(t.TempDir(), "phone"), Now: func() time.Time { return time.Unix(59, 0) }}
	kept := func(id, user, serial string) storedAccount {
		key, err := newKey()
		if err != nil {
			t.Fatal(err)
		}
		return storedAccount{Account: Account{ID: id, Base: "https://id.example.org", User: user, Serial: serial, State: "active"},
			Key: key, Seed: "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", Algorithm: otp.SHA1, Digits: 8, Period: 30}
	}
	begun := kept("", "", "")
	begun.Begun = activationCode{Base: "https://id.example.org", Short: "7KQ2M9XF"}
	err := p.save(&state{Format: 1, Accounts: []storedAccount{kept("aut_a", "anna", "LK-A"), begun, kept("aut_b", "bert", "LK-B")}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// The seed and the time are those of RFC 6238, appendix B.
func TestPasscode(t *testing.T) {
	p := twoAccounts(t)
	for _, tt := range []struct {
		name string
		want string // the account's id
		kind error
	}{
		{"anna", "aut_a", nil},
		{"LK-B", "aut_b", nil},
		{"aut_b", "aut_b", nil},
		{"", "", identity.Invalid},
		{"carla", "", identity.NotFound},
	} {
		got, err := p.Passcode(t.Context(), tt.name)
		if got.Account != tt.want || (tt.kind != nil && !errors.Is(err, tt.kind)) || (tt.kind == nil && err != nil) {
			t.Errorf("Passcode(%q) = %+v, %v, want that of %q, %v", tt.name, got, err, tt.want, tt.kind)
		}
		if err == nil && (got.Code != "94287082" || got.Left != 1) {
			t.Errorf("Passcode(%q) = %s, %d s left, want 94287082, 1 s", tt.name, got.Code, got.Left)
		}
	}
}

// A key survives being saved and loaded.
func TestStateKeepsKeys(t *testing.T) {
	p := twoAccounts(t)
	first, err := p.load()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.save(first); err != nil {
		t.Fatal(err)
	}
	second, err := p.load()
	if err != nil {
		t.Fatal(err)
	}
	for i := range first.Accounts {
		if !first.Accounts[i].Key.Equal(second.Accounts[i].Key.PrivateKey) {
			t.Errorf("account %d has another key", i)
		}
		if first.Accounts[i].Begun != second.Accounts[i].Begun {
			t.Errorf("account %d was begun with %+v, now %+v", i, first.Accounts[i].Begun, second.Accounts[i].Begun)
		}
	}
}

// Keys and seeds have mode 0600.
func TestStateIsPrivate(t *testing.T) {
	p := twoAccounts(t)
	for path, want := range map[string]os.FileMode{p.Dir: 0o700, filepath.Join(p.Dir, stateFile): 0o600} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", path, got, want)
		}
	}
	left, err := os.ReadDir(p.Dir)
	if err != nil || len(left) != 1 {
		t.Errorf("%v, %v in the folder, want the state alone", left, err)
	}
}

// A damaged file is reported and not changed.
func TestStateDamaged(t *testing.T) {
	for name, text := range map[string]string{
		"garbage":      "\x00\xff",
		"cut off":      `{"format": 1, "accounts": [{"id": "aut`,
		"bad key":      `{"format": 1, "accounts": [{"key": "AAAA"}]}`,
		"newer format": `{"format": 2}`,
	} {
		t.Run(name, func(t *testing.T) {
			p := &Phone{Dir: t.TempDir()}
			file := filepath.Join(p.Dir, stateFile)
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := p.Activate(t.Context(), Activation{Base: "http://localhost:1", Code: "7KQ2-M9XF"})
			if err == nil || !strings.Contains(err.Error(), file) {
				t.Errorf("error %v, want one that names the file", err)
			}
			if now, _ := os.ReadFile(file); string(now) != text {
				t.Errorf("the file is now %q", now)
			}
		})
	}
}
