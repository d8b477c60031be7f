package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// described is a service provider's metadata with one address for answers.
func described(acs string) string {
	return `<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://payroll.example.org/saml">
		<SPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
			<AssertionConsumerService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="` + acs + `" index="0"/>
		</SPSSODescriptor></EntityDescriptor>`
}

// Applications, beside a running server, from being added to being removed.
func TestApplicationsOfOIDC(t *testing.T) { storetest.EachSource(t, applicationsOfOIDC) }

func applicationsOfOIDC(t *testing.T, source string) {
	t.Setenv("LATCHKEY_DATABASE", source)
	p := installation{t, filepath.Join(t.TempDir(), "server")}
	base := startServer(t, p.dir)
	added := read[struct {
		ID     string `json:"id"`
		Secret string `json:"client_secret"`
	}](p, "", "app", "add", "oidc", "--name", "Wiki", "--client-id", "wiki", "--redirect-uri", "https://wiki.example.org/a", "--post-logout-uri", "https://wiki.example.org/")

	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	authorize := func(uri string) string {
		q := url.Values{"response_type": {"code"}, "scope": {"openid"}, "client_id": {"wiki"}, "redirect_uri": {uri},
			"code_challenge_method": {"S256"}, "code_challenge": {strings.Repeat("a", 43)}}
		return base + "/t/default/oauth/authorize?" + q.Encode()
	}
	// answers reports whether the running server takes a request with an
	// address, within the 250 ms that were promised.
	answers := func(uri string) bool {
		t.Helper()
		time.Sleep(250 * time.Millisecond)
		res, err := client.Get(authorize(uri))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.StatusCode == http.StatusSeeOther
	}
	knows := func(secret string) bool {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/t/default/oauth/introspect", strings.NewReader("token=x"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.SetBasicAuth("wiki", secret)
		res, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.StatusCode == http.StatusOK
	}
	if !answers("https://wiki.example.org/a") || answers("https://wiki.example.org/b") || !knows(added.Secret) {
		t.Error("what was added is not what is served")
	}

	shown := read[appShown](p, "", "app", "set", "wiki", "--add-redirect-uri", "https://wiki.example.org/b")
	if got := strings.Join(shown.OIDC.RedirectURIs, " "); got != "https://wiki.example.org/a https://wiki.example.org/b" || !answers("https://wiki.example.org/b") {
		t.Errorf("after one was added: %s", got)
	}
	p.succeeds("", "app", "set", added.ID, "--redirect-uri", "https://wiki.example.org/b", "--name", "Wiki, new", "--no-post-logout-uri")
	if answers("https://wiki.example.org/a") || !answers("https://wiki.example.org/b") {
		t.Error("the addresses were not replaced")
	}
	renewed := read[struct {
		Secret string `json:"client_secret"`
	}](p, "", "app", "set", "Wiki, new", "--new-secret")
	if renewed.Secret == "" || knows(added.Secret) || !knows(renewed.Secret) {
		t.Error("the client secret was not replaced")
	}
	out := p.succeeds("", "app", "show", "wiki")
	for _, want := range []string{"Wiki, new", "https://wiki.example.org/b", base + "/t/default", base + "/t/default/oauth/token"} {
		if !strings.Contains(out, want) {
			t.Errorf("app show has no %s:\n%s", want, out)
		}
	}
	if strings.Contains(out, renewed.Secret) || strings.Contains(p.succeeds("", "app", "show", "wiki", "--json"), renewed.Secret) {
		t.Error("app show tells the client secret")
	}
	for kind, want := range map[audit.Kind]int{audit.ApplicationChanged: 2, audit.ClientSecretMade: 1} {
		for _, e := range p.events(kind) {
			if want--; strings.Contains(fmt.Sprint(e.Data), renewed.Secret) || !strings.Contains(e.ActorName, "latchkey app set") {
				t.Errorf("%s: %+v", kind, e)
			}
		}
		if want != 0 {
			t.Errorf("%s: %d events missing", kind, want)
		}
	}

	b := newBrowser(t) // somebody in the middle of logging in
	b.open(authorize("https://wiki.example.org/b"))
	if !strings.Contains(b.at.Path, "/login/") {
		t.Fatalf("at %s, want a login", b.at)
	}
	p.fails(exitUsage, "1 logins under way. Say --yes", "", "app", "remove", "wiki")
	if gone := read[appRemoved](p, "", "app", "remove", "wiki", "--yes"); gone.ID != added.ID {
		t.Errorf("removed: %+v", gone)
	}
	if answers("https://wiki.example.org/b") || knows(renewed.Secret) {
		t.Error("the running server goes on with what was removed")
	}
	b.post("username", "anna")
	if !strings.Contains(b.at.Path, "/login/") || strings.Contains(b.page, "password") {
		t.Errorf("a login to what was removed goes on at %s:\n%s", b.at, b.page)
	}
	p.fails(exitFailed, `there is no application "wiki"`, "", "app", "show", "wiki")
	p.succeeds("", "app", "add", "oidc", "--name", "Wiki", "--client-id", "wiki", "--redirect-uri", "https://wiki.example.org/a")
}

func TestApplicationsOfSAML(t *testing.T) { storetest.EachSource(t, applicationsOfSAML) }

func applicationsOfSAML(t *testing.T, source string) {
	var acs atomic.Pointer[string]
	move := func(to string) { acs.Store(&to) }
	move("https://payroll.example.org/acs")
	publisher := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if *acs.Load() == "" {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, described(*acs.Load()))
	}))
	t.Cleanup(publisher.Close)
	p := newInstallation(t, "--database", source)
	p.fails(exitFailed, "outgoing_allow", "", "app", "add", "saml", "--metadata", publisher.URL)
	t.Setenv("LATCHKEY_OUTGOING_ALLOW", "127.0.0.1")
	p.succeeds("", "app", "add", "saml", "--metadata", publisher.URL, "--name", "Payroll")

	shown := read[appShown](p, "", "app", "show", "payroll")
	if shown.SAML.Source == nil || shown.SAML.Source.URL != publisher.URL || shown.SAML.Source.FetchedAt.IsZero() || shown.SAML.ACS[0] != "https://payroll.example.org/acs" ||
		!strings.HasSuffix(shown.SAML.Ours.Metadata, "/t/default/saml/metadata") {
		t.Errorf("shown: %+v %+v", shown.SAML, shown.SAML.Source)
	}
	move("https://payroll.example.org/moved")
	if out := p.succeeds("", "app", "set", "Payroll", "--refresh"); !strings.Contains(out, "address for answers added: https://payroll.example.org/moved") {
		t.Errorf("refresh does not say what changed:\n%s", out)
	}
	if out := p.succeeds("", "app", "set", "Payroll", "--refresh"); !strings.Contains(out, "nothing") {
		t.Errorf("refresh of the same:\n%s", out)
	}
	move("")
	p.fails(exitFailed, "answered 503", "", "app", "set", "Payroll", "--refresh")
	if out := p.succeeds("", "app", "show", "Payroll"); !strings.Contains(out, "1 in a row") || !strings.Contains(out, "https://payroll.example.org/moved") {
		t.Errorf("after a failure:\n%s", out)
	}
	if events := p.events(audit.MetadataFailed); len(events) != 1 {
		t.Errorf("%d events of a failure, want 1", len(events))
	}
	file := filepath.Join(t.TempDir(), "sp.xml")
	if err := os.WriteFile(file, []byte(described("https://payroll.example.org/file")), 0o600); err != nil {
		t.Fatal(err)
	}
	p.succeeds("", "app", "set", "Payroll", "--metadata", file, "--home", "https://payroll.example.org/")
	if shown := read[appShown](p, "", "app", "show", "Payroll"); shown.SAML.Source != nil || shown.SAML.ACS[0] != "https://payroll.example.org/file" || shown.Home == "" {
		t.Errorf("after a file: %+v", shown)
	}
	p.fails(exitFailed, "not fetched from anywhere", "", "app", "set", "Payroll", "--refresh")
	p.fails(exitFailed, `not of "https://payroll.example.org/saml"`, strings.Replace(described("https://x.example.org/"), "payroll", "other", 1), "app", "set", "Payroll", "--metadata", "-")
}

func TestApplications_Refuses(t *testing.T) {
	p := newInstallation(t)
	p.succeeds("", "app", "add", "oidc", "--name", "Wiki", "--redirect-uri", "https://wiki.example.org/a", "--public")
	p.succeeds("", "app", "add", "oidc", "--name", "Twins", "--client-id", "one", "--redirect-uri", "https://wiki.example.org/a")
	p.succeeds("", "app", "add", "oidc", "--name", "twins", "--client-id", "two", "--redirect-uri", "https://wiki.example.org/a")
	p.succeeds(described("https://payroll.example.org/acs"), "app", "add", "saml", "--metadata", "-", "--name", "Payroll")
	for _, tt := range []struct {
		want int
		says string
		args []string
	}{
		{exitUsage, "nothing to change", []string{"app", "set", "Wiki"}},
		{exitUsage, "exclude each other", []string{"app", "set", "Payroll", "--refresh", "--metadata", "x.xml"}},
		{exitUsage, "goes with no other", []string{"app", "set", "Wiki", "--no-post-logout-uri", "--post-logout-uri", "https://wiki.example.org/"}},
		{exitUsage, "speaks no SAML", []string{"app", "set", "Wiki", "--refresh"}},
		{exitUsage, "speaks no OpenID Connect", []string{"app", "set", "Payroll", "--new-secret"}},
		{exitUsage, "is no address", []string{"app", "set", "Payroll", "--home", "payroll"}},
		{exitFailed, "it has no client secret", []string{"app", "set", "Wiki", "--new-secret"}},
		{exitFailed, "redirect URI", []string{"app", "set", "Wiki", "--add-redirect-uri", "https://*.example.org/"}},
		{exitFailed, "must have from 1", []string{"app", "set", "Wiki", "--name", " "}},
		{exitFailed, "a name has", []string{"app", "set", "Payroll", "--name", "a\u202eb"}},
		{exitFailed, "2 applications are called", []string{"app", "show", "TWINS"}},
		{exitFailed, `did you mean "Wiki"`, []string{"app", "show", "Wikki"}},
		{exitFailed, `did you mean "Payroll"`, []string{"app", "remove", "Payrol", "--yes"}},
		{exitFailed, "own pages", []string{"app", "remove", "me", "--yes"}},
		{exitFailed, "own pages", []string{"app", "set", "me", "--name", "x"}},
		{exitFailed, "no such file", []string{"app", "set", "Payroll", "--metadata", "nowhere.xml"}},
		{exitFailed, "no call goes there", []string{"app", "add", "saml", "--metadata", "https://127.0.0.1/x"}},
		{exitFailed, "plain http", []string{"app", "add", "saml", "--metadata", "http://192.0.2.1/x"}},
	} {
		p.fails(tt.want, tt.says, "", tt.args...)
	}
	p.succeeds("", "app", "show", "two")
	p.succeeds("", "app", "show", "me")
}
