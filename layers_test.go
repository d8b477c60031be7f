// Package latchkey_test holds what is true of the repository as a whole.
package latchkey_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// layers lists every package from the bottom up. A package imports only from
// lower layers, never from its own or a higher one.
var layers = []struct {
	name     string
	packages []string
}{
	{"nouns and what people read", []string{"internal/identity", "internal/strictxml", "locales", "static", "static/authenticator"}},
	{"tables that operators bring", []string{"internal/csvfile"}},
	{"rules, protocols, templates", []string{"internal/policy", "internal/otp", "internal/audit", "internal/privacyidea", "internal/webpush",
		"internal/pskc", "internal/samlsp", "internal/location", "templates", "locales/localestest", "internal/store/testdb"}},
	{"store", []string{"internal/store"}},
	{"tenants' keys, helpers of tests", []string{"internal/signingkey", "internal/store/storetest", "internal/samlsp/samlsptest", "internal/oidcclient/oidcclienttest", "internal/otp/otptest", "internal/location/locationtest"}},
	{"means", []string{"internal/oidcclient", "internal/web", "internal/config", "internal/outbound"}},
	{"messages, sites for tests", []string{"internal/push", "internal/mail", "internal/config/reference", "internal/web/webtest"}},
	{"people and their authenticators", []string{"internal/directory", "internal/authenticator", "internal/notify"}},
	{"self-provisioning, backup", []string{"enroll", "internal/backup"}},
	{"acts: signing in, and what operators do", []string{"internal/journey", "internal/admin", "internal/report", "enroll/enrolltest"}},
	{"faces", []string{"idp", "portal/self", "internal/appapi", "internal/privacyideaapi"}},
	{"protocols of applications", []string{"idp/saml", "idp/oidc"}},
	{"everything put together", []string{"internal/server"}},
	{"programs", []string{"internal/demo", "internal/phone", "internal/doctor"}},
	{"beside the program", []string{"internal/bench", "scripts/sbom"}},
	{"the command", []string{"cmd/latchkey"}},
	{"tests of the whole", []string{"e2e"}},
}

const module = "github.com/latchkey-id/latchkey/"

func TestLayers(t *testing.T) {
	layer := make(map[string]int)
	for n, l := range layers {
		for _, name := range l.packages {
			layer[name] = n
		}
	}
	for _, p := range listPackages(t) {
		name, ours := strings.CutPrefix(p.ImportPath, module)
		if !ours { // the root itself, which holds only tests
			continue
		}
		from, ok := layer[name]
		if !ok {
			t.Errorf("%s is in no layer; add it to layers", name)
			continue
		}
		for _, path := range p.Imports {
			dep, ours := strings.CutPrefix(path, module)
			if !ours {
				continue
			}
			to, ok := layer[dep]
			if !ok {
				t.Errorf("%s imports %s, which is in no layer", name, dep)
			} else if to >= from {
				t.Errorf("%s (%s) must not import %s (%s)", name, layers[from].name, dep, layers[to].name)
			}
		}
	}
}

type goPackage struct {
	ImportPath string
	Imports    []string
}

func listPackages(t *testing.T) []goPackage {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(strings.NewReader(string(out)))
	var all []goPackage
	for {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}
