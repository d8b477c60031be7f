// Package latchkey_test holds what is true of the house as a whole.
package latchkey_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// floors lists every package from the ground up. A package may import those on
// lower floors, never its own floor or a higher one (docs/decisions/0001).
var floors = [][]string{
	{"identity", "locales", "static", "static/authenticator"},
	{"policy", "otp", "pipush", "audit", "templates", "webpush", "seedfile", "locales/localestest"},
	{"store"},
	{"store/storetest"}, // real databases for tests
	{"web", "outbound"},
	{"push", "mail", "config"},
	{"directory", "authenticator", "doorbell", "backup", "config/reference"},
	{"journey", "enroll"},
	{"idp", "portal"},
	{"idp/saml", "idp/oidc"},
	{"tenancy"},
	{"server"},
	{"demo", "phone", "doctor"},
	{"bench", "scripts/sbom"}, // no part of the program
	{"cmd/latchkey"},
	{"e2e"}, // tests of the whole house stand on its roof
}

func TestFloors(t *testing.T) {
	const module = "github.com/latchkey-id/latchkey/"
	floor := make(map[string]int)
	for n, names := range floors {
		for _, name := range names {
			floor[name] = n
		}
	}
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		name, ours := strings.CutPrefix(p.ImportPath, module)
		if !ours { // the root itself, which holds only this test
			continue
		}
		from, ok := floor[name]
		if !ok {
			t.Errorf("%s stands on no floor; add it to floors", name)
			continue
		}
		for _, path := range p.Imports {
			dep, ours := strings.CutPrefix(path, module)
			if !ours {
				continue
			}
			to, ok := floor[dep]
			if !ok {
				t.Errorf("%s imports %s, which stands on no floor", name, dep)
			} else if to >= from {
				t.Errorf("%s (floor %d) must not import %s (floor %d)", name, from, dep, to)
			}
		}
	}
}
