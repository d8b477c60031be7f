package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/samlsp"
	"github.com/latchkey-id/latchkey/internal/store"
)

// flagNames are the names of the flags of a command.
func flagNames(t *testing.T, words ...string) []string {
	t.Helper()
	k, err := newParser(new(commands))
	if err != nil {
		t.Fatal(err)
	}
	node := k.Model.Node
	for _, word := range words {
		i := slices.IndexFunc(node.Children, func(n *kong.Node) bool { return n.Name == word })
		if i < 0 {
			t.Fatalf("no command %q", words)
		}
		node = node.Children[i]
	}
	var names []string
	for _, f := range node.Flags {
		names = append(names, f.Name)
	}
	return names
}

// What "app add" sets, "app set" changes. Fails for a flag that only the first has.
func TestAppSetHasAllThatAppAddHas(t *testing.T) {
	set := flagNames(t, "app", "set")
	for _, protocol := range []string{"saml", "oidc"} {
		added := flagNames(t, "app", "add", protocol)
		if len(added) < 3 {
			t.Fatalf("app add %s has the flags %q", protocol, added)
		}
		for _, name := range added {
			if !slices.Contains(set, name) {
				t.Errorf("app add %s has --%s, app set has not", protocol, name)
			}
		}
	}
}

func TestAppSetOfOIDC(t *testing.T) {
	onEveryDatabase(t, func(t *testing.T, p installation) {
		p.succeeds("", "app", "add", "oidc", "--name", "Wiki", "--redirect-uri", "https://wiki.example.org/a")
		first := read[appShown](p, "", "app", "show", "Wiki")
		if o := first.OIDC; o.Algorithm != "RS256" || !o.IDTokenClaims || o.FollowOrigins || o.Public || o.Native || o.Offline {
			t.Errorf("by default: %+v", o)
		}
		secret := read[struct {
			Secret string `json:"client_secret"`
		}]
		set := func(args ...string) *oidcShown {
			t.Helper()
			p.succeeds("", append([]string{"app", "set", first.ID}, args...)...)
			return read[appShown](p, "", "app", "show", first.ID).OIDC
		}
		for _, algorithm := range []string{"EdDSA", "ES256", "RS256"} {
			if o := set("--algorithm", algorithm); o.Algorithm != algorithm {
				t.Errorf("--algorithm %s: %+v", algorithm, o)
			}
		}
		if o := set("--no-id-token-claims", "--offline", "--native"); o.IDTokenClaims || !o.Offline || !o.Native {
			t.Errorf("switched: %+v", o)
		}
		if o := set("--id-token-claims", "--no-offline", "--add-redirect-uri", "oc://ios.owncloud.com"); !o.IDTokenClaims || o.Offline || len(o.RedirectURIs) != 2 {
			t.Errorf("switched back: %+v", o)
		}
		p.fails(exitFailed, "native", "", "app", "set", "Wiki", "--no-native")
		if o := set("--public"); !o.Public || !o.FollowOrigins {
			t.Errorf("--public: %+v", o)
		}
		if o := set("--add-origin", "https://other.example.org"); !o.FollowOrigins || len(o.Origins) != 1 {
			t.Errorf("--add-origin: %+v", o)
		}
		if o := set("--origin", "https://wiki.example.org"); o.FollowOrigins || len(o.Origins) != 1 || o.Origins[0] != "https://wiki.example.org" {
			t.Errorf("--origin: %+v", o)
		}
		if o := set("--no-origin"); o.FollowOrigins || len(o.Origins) != 0 {
			t.Errorf("--no-origin: %+v", o)
		}
		if o := set("--follow-origins"); !o.FollowOrigins {
			t.Errorf("--follow-origins: %+v", o)
		}
		if got := secret(p, "", "app", "set", first.ID, "--no-public"); got.Secret == "" {
			t.Error("--no-public makes no secret")
		}
		p.succeeds("built-in\n", "app", "set", first.ID, "--client-secret", "-")
		if o := read[appShown](p, "", "app", "show", first.ID).OIDC; !o.SecretBuiltIn || o.Public {
			t.Errorf("--client-secret: %+v", o)
		}
		if out := p.succeeds("", "app", "show", first.ID); !strings.Contains(out, "each copy of the application has it") {
			t.Errorf("app show does not say that the secret is none:\n%s", out)
		}
		p.succeeds("", "app", "set", first.ID, "--client-id", "wiki", "--name", " The Wiki ")
		if got := read[appShown](p, "", "app", "show", "wiki"); got.ID != first.ID || got.Name != "The Wiki" {
			t.Errorf("renamed: %+v", got.appRow)
		}
		p.succeeds("", "app", "add", "oidc", "--name", "Second", "--client-id", "second", "--redirect-uri", "https://wiki.example.org/a")
		p.fails(exitFailed, `"wiki" already`, "", "app", "set", "second", "--client-id", "wiki")
		p.fails(exitUsage, "goes with no other", "", "app", "set", "second", "--no-origin", "--follow-origins")
		p.fails(exitUsage, "exclude each other", "", "app", "set", "second", "--client-secret", "x", "--new-secret")
		p.fails(exitUsage, "standard input has no secret", "", "app", "set", "second", "--client-secret", "-")
		kept := false
		if n := len(p.events(audit.ClientSecretMade)); n != 2 { // by --no-public, and the one that was given
			t.Errorf("%d events of another client secret, want 2", n)
		}
		for _, e := range append(p.events(audit.ApplicationChanged), p.events(audit.ClientSecretMade)...) {
			kept = kept || strings.Contains(e.Data["after"], store.Hash("built-in"))
			if strings.Contains(e.ActorName, "built-in") || strings.Contains(e.Data["after"], "built-in\"") {
				t.Errorf("an event has the secret: %+v", e)
			}
		}
		if !kept {
			t.Error("the secret that was given is not the one that is kept")
		}
	})
}

func TestSAML3_AppSetNameID(t *testing.T) {
	p := newInstallation(t)
	metadata := strings.Replace(described("https://payroll.example.org/acs"), "</SPSSODescriptor>",
		`<AssertionConsumerService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="http://payroll.example.org/" index="1"/></SPSSODescriptor>`, 1)
	if out := p.succeeds(metadata, "app", "add", "saml", "--metadata", "-", "--name", "Payroll"); !strings.Contains(out, "Left out") || !strings.Contains(out, "http://payroll.example.org/") {
		t.Errorf("app add does not name what it left out:\n%s", out)
	}
	shown := func() *samlShown { return read[appShown](p, "", "app", "show", "Payroll").SAML }
	if got := shown(); got.ForceNameID != "" || len(got.LeftOut) != 1 {
		t.Errorf("by default: %+v", got.Settings)
	}
	for word, want := range nameIDFormats {
		p.succeeds("", "app", "set", "Payroll", "--name-id", word)
		if got := shown(); got.ForceNameID != want {
			t.Errorf("--name-id %s: %q, want %q", word, got.ForceNameID, want)
		}
	}
	p.succeeds("", "app", "set", "Payroll", "--name-id", "email", "--name", "Wages")
	p.succeeds(metadata, "app", "set", "Wages", "--metadata", "-")
	if got := read[appShown](p, "", "app", "show", "Wages").SAML; got.ForceNameID != samlsp.EmailAddress {
		t.Errorf("after its metadata was read again: %+v", got.Settings)
	}
	if out := p.succeeds("", "app", "show", "Wages"); !strings.Contains(out, "whatever a request names") || !strings.Contains(out, "Left out") {
		t.Errorf("app show:\n%s", out)
	}
	p.fails(exitUsage, "speaks no SAML", "", "app", "set", "me", "--name-id", "email")
	file := filepath.Join(t.TempDir(), "none.xml")
	p.fails(exitFailed, "no such file", "", "app", "add", "saml", "--metadata", file, "--name-id", "email")
}

// The operator who is asked why nobody can log in to an application sees it there.
func TestSAML7_AppShowSaysWhatWasRefused(t *testing.T) {
	p := newInstallation(t)
	p.succeeds(described("https://payroll.example.org/acs"), "app", "add", "saml", "--metadata", "-", "--name", "Payroll")
	if got := read[appShown](p, "", "app", "show", "Payroll"); len(got.Refused) != 0 || strings.Contains(p.succeeds("", "app", "show", "Payroll"), "Refused") {
		t.Errorf("before anything was: %+v", got.Refused)
	}
	s := &shell{flags: &commands{Dir: p.dir}, getenv: func(string) string { return "" }}
	err := s.inTenant(t.Context(), func(ts tenantScope) error {
		app, err := ts.application(t.Context(), "Payroll")
		if err != nil {
			return err
		}
		return ts.db.InTx(t.Context(), ts.who, func(tx *store.Tx) error {
			return tx.Applications().CountRefusal(t.Context(), app.Tenant, app.ID, store.RefusedRequests{Reason: "time", Detail: "a clock is wrong", Count: 3})
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := read[appShown](p, "", "app", "show", "Payroll").Refused; len(got) != 1 || got[0].Reason != "time" || got[0].Count != 3 || got[0].Last.IsZero() {
		t.Errorf("as JSON: %+v", got)
	}
	if out := p.succeeds("", "app", "show", "Payroll"); !strings.Contains(out, "a clock is wrong") || !strings.Contains(out, "time, 3 in all") {
		t.Errorf("for people:\n%s", out)
	}
}
