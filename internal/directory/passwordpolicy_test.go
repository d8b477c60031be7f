package directory

import (
	"crypto/sha1"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
)

func TestJudge(t *testing.T) {
	d := New(nil, 1)
	u := identity.User{Name: "anna.berg", DisplayName: "Anna Berg", Mail: "anna.berg@hospital.example"}
	rules := policy.DefaultPasswords()
	for password, want := range map[string]string{
		"short":                      "error.password.short",
		"ééééééé":                    "error.password.short",
		strings.Repeat("a b", 100):   "error.user.password.long",
		"anna.berg":                  "error.password.name",
		"Anna Berg 2026":             "error.password.name",
		"AnnaBerg1!":                 "error.password.name",
		"anna.berg@hospital.example": "error.password.name",
		"ExampleHospital1":           "error.password.name",
		"password":                   "error.password.common",
		"Password1!":                 "error.password.common",
		"P@ssw0rd":                   "error.password.common",
		"passwort2026":               "error.password.common",
		"Sommer2026!":                "error.password.common",
		"12345678":                   "error.password.common",
		"87654321":                   "error.password.common",
		"qwertzuiop":                 "error.password.common",
		"aaaaaaaa":                   "error.password.common",
		"abababab":                   "error.password.common",
		"motdepasse1":                "error.password.common",
		"iloveyou":                   "error.password.common",
		"!!hospital!!":               "error.password.common",
		"correct horse battery":      "",
		"vier gelbe Stühle":          "",
		"🐎🐏🐑🐐🦌🦙🐫🐘":                   "",
		"x7#kQ-29pw":                 "",
		"    eight spaces":           "",
	} {
		var key string
		if err := d.CheckNewPassword(rules, u, "Example Hospital", password); err != nil {
			var e *identity.Error
			if !errors.As(err, &e) || e.Kind != identity.Invalid {
				t.Fatalf("%q: %v", password, err)
			}
			key = e.Key
		}
		if key != want {
			t.Errorf("%q: %q, want %q", password, key, want)
		}
	}
	if err := d.CheckNewPassword(policy.Passwords{MinLength: 8, AllowCommon: true}, u, "", "password"); err != nil {
		t.Errorf("where known ones are allowed: %v", err)
	}
	if err := d.CheckNewPassword(policy.Passwords{MinLength: 15}, u, "", "correct horse"); err == nil {
		t.Error("thirteen characters, of fifteen")
	}
}

// The file is searched from its first to its last line, with and without counts. If it cannot be
// read, every password is refused.
func TestJudge_Breached(t *testing.T) {
	for _, form := range []string{"%X\r\n", "%X:42\n"} {
		var lines, in []string
		for i := range 500 {
			in = append(in, fmt.Sprintf("breached password %d", i))
			lines = append(lines, fmt.Sprintf(form, sha1.Sum([]byte(in[i]))))
		}
		slices.Sort(lines)
		d := New(nil, 1)
		d.Breached = filepath.Join(t.TempDir(), "breached.txt")
		if err := os.WriteFile(d.Breached, []byte(strings.Join(lines, "")), 0o600); err != nil {
			t.Fatal(err)
		}
		for i := range 500 {
			if err := d.CheckNewPassword(policy.DefaultPasswords(), identity.User{}, "", in[i]); !errors.Is(err, identity.Invalid) {
				t.Fatalf("%q: %v, want invalid", in[i], err)
			}
			if err := d.CheckNewPassword(policy.DefaultPasswords(), identity.User{}, "", fmt.Sprintf("another password %d", i)); err != nil {
				t.Fatalf("another password %d: %v", i, err)
			}
		}
	}
	d := New(nil, 1)
	d.Breached = filepath.Join(t.TempDir(), "none")
	if err := d.CheckNewPassword(policy.DefaultPasswords(), identity.User{}, "", "correct horse battery"); err == nil || errors.Is(err, identity.Invalid) {
		t.Errorf("no file: %v, want an error that is not the person's", err)
	}
}
