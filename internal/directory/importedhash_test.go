package directory

import (
	"errors"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// imported are hashes of "correct horse battery" made by other programs.
var imported = map[string]string{
	"Django":                   "pbkdf2_sha256$1000$saltsalt$2vLrmxK8YFROnGTL6oinO4bfT02gvTppeFbz7HWz5X0=",
	"passlib, PBKDF2-SHA-512":  "$pbkdf2-sha512$1000$c2FsdHNhbHRzYWx0c2FsdA$lYhPheApeiwq3tKG8A.KHC4iQ8mmHXFAKab1ywrJ5QhG73jAKAyVeLsbqTYH/KNRnW0OYbntj3FPNcXf3GKcRg",
	"passlib, PBKDF2-SHA-1":    "$pbkdf2$1000$c2FsdHNhbHRzYWx0c2FsdA$NcA2jyIs3HUlQRwFRhBCuXxEFJk",
	"scrypt":                   "$scrypt$ln=10,r=8,p=1$c2FsdHNhbHRzYWx0c2FsdA$fXnS5Awj6eMC+z1SbPBpyxEKbW7GHGyuCeVjw7IJSMI",
	"LDAP, SSHA":               "{SSHA}+zgJCcduvLFhD+Rk7/v3C0FqyKpzYWx0c2FsdA==",
	"LDAP, SSHA256":            "{SSHA256}DPX0hsx+ToYNct+PICc6u4kEWULjuq12UL+oDCUfd55zYWx0c2FsdA==",
	"LDAP, ssha512":            "{ssha512}QOZ0WJFlSsWxwsBsupmlywYHsTXLksvamFsJJ+kcy5d3+UwtZHlzrNVNkgUEahEnTPkf4ckoCn+PJZ9WOKzal3NhbHRzYWx0",
	"bcrypt":                   "$2b$05$abcdefghijklmnopqrstuuD3mHdCr44zlIZ.VZCaYRpfQhXMYnEo.",
	"bcrypt behind LDAP":       "{CRYPT}$2b$05$abcdefghijklmnopqrstuuD3mHdCr44zlIZ.VZCaYRpfQhXMYnEo.",
	"bcrypt as PHP writes it":  "$2y$05$abcdefghijklmnopqrstuuD3mHdCr44zlIZ.VZCaYRpfQhXMYnEo.",
	"argon2id, other settings": "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$8k8Gf1hCAS9cv0QQ3MeCSzT7dyC6o1H1gBpXZq0H7Y0",
}

// Imported hashes match their password and none that looks like it.
// (Without endsInNUL, the password with a NUL at its end matched.)
func TestTLOG29_ImportedHashes(t *testing.T) {
	d := New(nil, 1)
	for name, hash := range imported {
		if strings.HasPrefix(name, "argon2id") {
			continue // below: of our own making
		}
		u := identity.User{ID: "usr_x", Password: hash}
		for password, want := range map[string]bool{"correct horse battery": true, "correct horse batterY": false, "": false, "correct horse battery ": false,
			"correct horse battery\x00": false, strings.Repeat("correct horse battery", 1<<15): false} {
			got, err := d.CheckPassword(t.Context(), u, password)
			if got != want || err != nil {
				t.Errorf("%s: %.30q: %v, %v, want %v", name, password, got, err, want)
			}
		}
		if !NeedsRehash(hash) {
			t.Errorf("%s is kept as ours", name)
		}
	}
	ours, err := d.HashPassword(t.Context(), "correct horse battery")
	if err != nil || NeedsRehash(ours) {
		t.Errorf("ours is foreign: %s, %v", ours, err)
	}
	h := newHash()
	h.memory, h.time = 64, 3
	h.key = h.derive("correct horse battery", 24)
	if right, err := d.CheckPassword(t.Context(), identity.User{ID: "usr_x", Password: h.String()}, "correct horse battery"); !right || err != nil || !NeedsRehash(h.String()) {
		t.Errorf("argon2id of other settings: %v, %v, foreign %v", right, err, NeedsRehash(h.String()))
	}
}

// bcrypt only uses 72 bytes. A longer password with the same beginning does not match.
// (Without the check of the length it did.)
func TestTLOG29_BcryptDoesNotCut(t *testing.T) {
	d, x := New(nil, 1), strings.Repeat("x", 72)
	u := identity.User{ID: "usr_x", Password: "$2b$05$abcdefghijklmnopqrstuujf8SX2ahXLwp9w/B.Y5XdysS6yR576q"}
	for password, want := range map[string]bool{x: true, x + "y": false, x + x: false, x[1:]: false} {
		if got, err := d.CheckPassword(t.Context(), u, password); got != want || err != nil {
			t.Errorf("%d bytes: %v, %v, want %v", len(password), got, err, want)
		}
	}
}

// Hashes that are too expensive or compare too little are refused with their line. (Without each
// bound in turn, the row was accepted.)
func TestImport_HashesThatAreRefused(t *testing.T) {
	for name, hash := range map[string]string{
		"nothing known":         "$1$abcdefgh$x",
		"plain":                 "correct horse battery",
		"MD5":                   "{SMD5}AAAAAAAAAAAAAAAAAAAAAHNhbHQ=",
		"no salt":               "{SSHA}2jmj7l5rSw0yVb/vlWAYkK/YBwk=",
		"bcrypt for minutes":    "$2b$31$abcdefghijklmnopqrstuuD3mHdCr44zlIZ.VZCaYRpfQhXMYnEo.",
		"PBKDF2 for hours":      "pbkdf2_sha256$2000000000$saltsalt$2vLrmxK8YFROnGTL6oinO4bfT02gvTppeFbz7HWz5X0=",
		"PBKDF2 backward":       "pbkdf2_sha256$-1$saltsalt$2vLrmxK8YFROnGTL6oinO4bfT02gvTppeFbz7HWz5X0=",
		"PBKDF2 of a byte":      "pbkdf2_sha256$1000$saltsalt$2g==",
		"scrypt of a gigabyte":  "$scrypt$ln=20,r=8,p=1$c2FsdHNhbHRzYWx0c2FsdA$fXnS5Awj6eMC+z1SbPBpyxEKbW7GHGyuCeVjw7IJSMI",
		"scrypt that overflows": "$scrypt$ln=63,r=32,p=1$c2FsdHNhbHRzYWx0c2FsdA$fXnS5Awj6eMC+z1SbPBpyxEKbW7GHGyuCeVjw7IJSMI",
		"argon2id of gigabytes": "$argon2id$v=19$m=4194304,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$8k8Gf1hCAS9cv0QQ3MeCSzT7dyC6o1H1gBpXZq0H7Y0",
		"a short key":           "$scrypt$ln=10,r=8,p=1$c2FsdHNhbHRzYWx0c2FsdA$fXnS5Q",
	} {
		if err := CheckHash(hash); !errors.Is(err, identity.Invalid) {
			t.Errorf("%s: %v, want invalid", name, err)
		}
		_, err := ReadImport([]byte("name,password_hash\nanna,\nbo,\"" + hash + "\"\n"))
		if err == nil || !strings.Contains(err.Error(), "line 3: password_hash: ") {
			t.Errorf("%s: import says %v, want the line and the column", name, err)
		}
	}
}

// An import with hashes: its users can log in with their passwords.
func TestImport_WithHashes(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		d := New(h.DB, 1)
		rows, err := ReadImport([]byte("name,password_hash\nanna," + imported["bcrypt"] + "\nbo,\n"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Import(t.Context(), h.Who, h.Tenant.ID, rows, func(int) {}); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]bool{"anna": true, "bo": false} {
			u, err := h.DB.Users().ByName(t.Context(), h.Tenant.ID, name)
			if err != nil {
				t.Fatal(err)
			}
			if right, err := d.CheckPassword(t.Context(), u, "correct horse battery"); right != want || err != nil {
				t.Errorf("%s: %v, %v, want %v", name, right, err, want)
			}
		}
	})
}
