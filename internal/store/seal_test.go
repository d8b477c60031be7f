package store

import (
	"bytes"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/identity"
)

func TestCRED2_SealedValuesOpenOnlyInTheirPlace(t *testing.T) {
	each(t, func(t *testing.T, db *DB) {
		h := newFixture(t, db)
		other := identity.Tenant{ID: identity.NewID(identity.TenantID), Slug: "other", Name: "Other"}
		place := Place{Tenant: h.tenant.ID, Table: "authenticators", Column: "seed", Row: "aut_a"}
		secret := []byte("12345678901234567890")
		var sealed []byte
		err := db.InTx(t.Context(), h.who, func(tx *Tx) (err error) {
			if err := tx.Tenants().Add(t.Context(), other); err != nil {
				return err
			}
			sealed, err = tx.Seal(t.Context(), place, secret)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(sealed, secret) {
			t.Fatal("the sealed value holds the secret")
		}
		if got, err := db.Unseal(t.Context(), place, sealed); err != nil || !bytes.Equal(got, secret) {
			t.Fatalf("Unseal = %q, %v", got, err)
		}
		for name, p := range map[string]Place{
			"another row":    {h.tenant.ID, "authenticators", "seed", "aut_b"},
			"another column": {h.tenant.ID, "authenticators", "name", "aut_a"},
			"another table":  {h.tenant.ID, "outbox", "seed", "aut_a"},
			"another tenant": {other.ID, "authenticators", "seed", "aut_a"},
			"shifted parts":  {h.tenant.ID, "authenticatorss", "eed", "aut_a"},
		} {
			if _, err := db.Unseal(t.Context(), p, sealed); err == nil {
				t.Errorf("%s: the value opened", name)
			}
		}
		for i := range sealed {
			changed := bytes.Clone(sealed)
			changed[i] ^= 1
			if _, err := db.Unseal(t.Context(), place, changed); err == nil {
				t.Errorf("with byte %d changed the value opened", i)
			}
		}
		for n := range sealed {
			if _, err := db.Unseal(t.Context(), place, sealed[:n]); err == nil {
				t.Errorf("cut to %d bytes the value opened", n)
			}
		}
		// With other roots, the database alone is worth nothing.
		otherKeys := &DB{Reader: Reader{q: db.q, keys: newKeys(NewKeyring()), now: db.now}}
		if _, err := otherKeys.Unseal(t.Context(), place, sealed); err == nil || !strings.Contains(err.Error(), "keys file") {
			t.Errorf("with another keys file: %v", err)
		}
	})
}

func TestKeyring_ParsesWhatItEncodes(t *testing.T) {
	k := NewKeyring()
	k.Add()
	again, err := ParseKeyring(k.Encode())
	if err != nil {
		t.Fatal(err)
	}
	if again.Encode() != k.Encode() || again.newest != 2 {
		t.Error("the roots changed on their way")
	}
	for _, text := range []string{"", "# nothing", "x AAAA", "1 AAAA", "0 " + strings.Repeat("A", 43) + "=", k.Encode() + k.Encode()} {
		if _, err := ParseKeyring(text); err == nil {
			t.Errorf("ParseKeyring(%.20q) accepted", text)
		}
	}
}

func TestCRED2_CodesAreMACsBoundToTheirUse(t *testing.T) {
	db := open(t, t.TempDir()+"/t.db")
	mac, root, err := db.MAC("123456", "mail code", "jrn_a")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		code  string
		bound []string
		want  bool
	}{
		{"123456", []string{"mail code", "jrn_a"}, true},
		{"123457", []string{"mail code", "jrn_a"}, false},
		{"123456", []string{"mail code", "jrn_b"}, false},
		{"123456", []string{"mail codejrn_a"}, false},
	} {
		if got, err := db.CheckMAC(mac, root, tt.code, tt.bound...); err != nil || got != tt.want {
			t.Errorf("CheckMAC(%s, %v) = %v, %v", tt.code, tt.bound, got, err)
		}
	}
}

// The newest root's key comes first; each root has a key of its own, which is
// none of those it yields for other ends.
func TestKeyring_TheNewestRootSignsCookies(t *testing.T) {
	k := NewKeyring()
	before, err := k.cookieKeys()
	if err != nil || len(before) != 1 || len(before[0]) != 32 {
		t.Fatalf("%d keys, %v", len(before), err)
	}
	for range 10 {
		k.Add()
	}
	again, err := ParseKeyring(k.Encode())
	if err != nil {
		t.Fatal(err)
	}
	after, err := again.cookieKeys()
	if err != nil || len(after) != 11 || !bytes.Equal(after[10], before[0]) {
		t.Fatalf("%d keys after ten more roots, %v", len(after), err)
	}
	newest, err := again.derive(again.newest, cookieLabel)
	if err != nil || !bytes.Equal(after[0], newest) {
		t.Errorf("the first key is not the newest root's: %v", err)
	}
	for _, label := range []string{wrapLabel, codeLabel} {
		if key, err := again.derive(again.newest, label); err != nil || bytes.Equal(key, newest) {
			t.Errorf("cookies are signed with the key of %q, %v", label, err)
		}
	}
}
