package oidcclient

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/oidcclient/oidcclienttest"
	"github.com/latchkey-id/latchkey/internal/store"
)

const callback = "https://rp.example/cb"

func TestNew(t *testing.T) {
	app, secret, err := New("Payroll", Options{RedirectURIs: []string{callback}, Home: "https://rp.example/"})
	if err != nil {
		t.Fatal(err)
	}
	if app.Protocol != identity.OIDC || app.Identifier != app.ID || app.Home != "https://rp.example/" {
		t.Errorf("got %+v", app)
	}
	c, err := Read(app)
	if err != nil {
		t.Fatal(err)
	}
	if c.Algorithm != "RS256" || !c.IDTokenClaims || c.FollowOrigins || !c.Confidential() || c.SecretHash != store.Hash(secret) || len(secret) < 43 {
		t.Errorf("configuration %+v, secret of %d characters", c, len(secret))
	}
	if strings.Contains(string(app.Config), secret) {
		t.Error("the secret is kept")
	}
	app, secret, err = New("App", Options{RedirectURIs: []string{callback}, Public: true, ClientID: "my-app"})
	if err != nil || secret != "" || app.Identifier != "my-app" {
		t.Errorf("public: %+v, %q, %v", app, secret, err)
	}
	if _, err := Read(identity.Application{Config: json.RawMessage(`{"algorithm":"ES256","redirect":[]}`)}); err == nil {
		t.Error("an unknown key in the configuration is accepted")
	}
}

func TestTOIDC02_WhatCannotBeRegistered(t *testing.T) {
	good := func() Options { return Options{RedirectURIs: []string{callback}} }
	for _, tt := range []struct {
		field  string
		change func(o *Options, value string)
		values []string
	}{
		{"redirect URI", func(o *Options, v string) { o.RedirectURIs = []string{callback, v} }, []string{
			"", "cb", "/cb", "//rp.example/cb", "https:", "https://", "https:///cb", "https:rp.example",
			"https://rp.example/*", "https://*.rp.example/cb", "https://rp.example/cb#", "https://rp.example/cb#x",
			"https://user@rp.example/cb", "https://rp.example\\@evil.example/", "https://rp.example/ cb", "https://rp.example/\ncb",
			"https://rp.exämple/cb", "http://rp.example/cb", "http://localhost.evil.example/cb", "http://127.0.0.1.evil.example/",
			"http://127.0.0.2/cb", "https://rp.example;script-src/cb", "http://localhost:80:80/", "javascript:alert(1)", "JavaScript:alert(1)", "data:text/html,x",
			"vbscript:x", "file:///etc/passwd", "com.example.app:/cb", "urn:ietf:wg:oauth:2.0:oob",
			"https://rp.example/" + strings.Repeat("a", 2048)}},
		{"redirect URI", func(o *Options, v string) { o.Native, o.RedirectURIs = true, []string{v} }, []string{
			"javascript:alert(1)", "JavaScript:alert(1)", "data:text/html,x", "vbscript:x", "file:///etc/passwd", "blob:https://x", "about:blank",
			"view-source:https://x", "ws://x/", "wss://x/", "ftp://x/", "mailto:a@example.org", "intent://x#Intent;end", "INTENT:x", "http://rp.example/cb",
			"com.example.app:/cb#x", "com.example.*:/cb", "my app:/cb", "1app:/cb", "app//cb", "oc://a@b"}},
		{"redirect URI", func(o *Options, v string) { o.RedirectURIs = []string{v} }, []string{"oc://ios.owncloud.com", "myapp:/cb"}},
		{"redirect URI", func(o *Options, _ string) { o.RedirectURIs = nil }, []string{"none"}},
		{"post-logout URI", func(o *Options, v string) { o.PostLogoutURIs = []string{v} }, []string{"http://rp.example/", "https://*"}},
		{"origin", func(o *Options, v string) { o.Origins = []string{v} }, []string{
			"*", "null", "https://rp.example/", "https://rp.example/path", "http://rp.example", "https://*.rp.example"}},
		{"home", func(o *Options, v string) { o.Home = v }, []string{"javascript:alert(1)", "http://rp.example/"}},
		{"client id", func(o *Options, v string) { o.ClientID = v }, []string{"a b", "a:b", strings.Repeat("a", 65), "ä"}},
		{"algorithm", func(o *Options, v string) { o.Algorithm = v }, []string{"none", "HS256", "eddsa", "RS1"}},
		{"client secret", func(o *Options, v string) { o.Secret = v }, []string{"x"}},
		{"client secret", func(o *Options, v string) { o.Native, o.Public, o.Secret = true, true, v }, []string{"x"}},
		{"client secret", func(o *Options, v string) { o.Native, o.Secret = true, v }, []string{"a b", "ä", strings.Repeat("x", 257)}},
	} {
		for _, value := range tt.values {
			o := good()
			tt.change(&o, value)
			_, _, err := New("x", o)
			if !errors.Is(err, identity.Invalid) || !strings.Contains(err.Error(), tt.field) {
				t.Errorf("%s %q: got %v, want an invalid that names the field", tt.field, value, err)
			}
		}
	}
	_, _, err := New(" ", Options{ClientID: "a b", Algorithm: "none"})
	for _, field := range []string{"name", "client id", "algorithm", "redirect URI"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%v does not name %s", err, field)
		}
	}
	for _, uri := range []string{"https://rp.example", "https://rp.example:8443/cb?a=b", "http://localhost:3000/cb", "http://127.0.0.1/",
		"http://[::1]:80/cb"} {
		if err := address(uri, false); err != nil {
			t.Errorf("%s: %v", uri, err)
		}
	}
	for _, uri := range []string{"com.example.app:/cb", "oc://ios.owncloud.com", "audiobookshelf://oauth", "x-cyberduck-action:oauth",
		"kitchenowl:///signin/redirect", "app://obsidian.md/cb", "ms-app://s-1-15-2-1/", "https://rp.example/cb", "http://127.0.0.1/cb"} {
		if err := address(uri, true); err != nil {
			t.Errorf("%s of a native application: %v", uri, err)
		}
	}
	if err := address("oc://ios.owncloud.com", false); err == nil || !strings.Contains(err.Error(), "native") {
		t.Errorf("%v does not tell what a scheme of its own is for", err)
	}
}

// All that New takes, WithOptions changes, and what an application was stored with before
// there was more to say stays as it was. Fails with a default for what is absent.
func TestWithOptions(t *testing.T) {
	stored := identity.Application{ID: "app_1", Name: "Old", Protocol: identity.OIDC, Identifier: "old",
		Config: []byte(`{"algorithm":"ES256","redirect_uris":["` + callback + `"]}`)}
	c, err := Read(stored)
	if err != nil || c.Algorithm != "ES256" || c.IDTokenClaims || c.AllowsOrigin("https://rp.example") || !c.Public() {
		t.Errorf("stored before: %+v, %v", c, err)
	}
	o, err := OptionsOf(stored)
	if err != nil {
		t.Fatal(err)
	}
	same, secret, err := WithOptions(stored, o)
	if err != nil || secret != "" || string(same.Config) != string(stored.Config) || same.Identifier != "old" {
		t.Errorf("nothing changed: %s, %q, %v", same.Config, secret, err)
	}
	want := Options{ClientID: "new", RedirectURIs: []string{"oc://x"}, PostLogoutURIs: []string{"oc://bye"}, Origins: []string{"app://x"}, FollowOrigins: true,
		Native: true, Offline: true, Algorithm: "EdDSA", Home: "https://rp.example/"}
	all, secret, err := WithOptions(stored, want)
	if err != nil || secret == "" {
		t.Fatalf("all changed: %q, %v; want a secret, since it was public", secret, err)
	}
	if got, err := OptionsOf(all); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("all changed: %+v, %v; want %+v", got, err, want)
	}
	hash := func(app identity.Application) *Config {
		t.Helper()
		c, err := Read(app)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if kept, again, err := WithOptions(all, want); err != nil || again != "" || hash(kept).SecretHash != store.Hash(secret) {
		t.Errorf("the secret is kept: %q, %v", again, err)
	}
	want.NewSecret = true
	if renewed, again, err := WithOptions(all, want); err != nil || again == "" || again == secret || hash(renewed).SecretHash != store.Hash(again) {
		t.Errorf("a new secret: %q, %v", again, err)
	}
	want.NewSecret, want.Secret = false, "built-in"
	builtIn, again, err := WithOptions(all, want)
	if err != nil || again != "" || hash(builtIn).SecretHash != store.Hash("built-in") || hash(builtIn).Confidential() || hash(builtIn).Public() {
		t.Errorf("a built-in secret: %+v, %q, %v", hash(builtIn), again, err)
	}
	want.Secret, want.Native, want.RedirectURIs, want.PostLogoutURIs, want.Origins = "", false, []string{callback}, nil, nil
	if _, _, err := WithOptions(builtIn, want); !errors.Is(err, identity.Invalid) || !strings.Contains(err.Error(), "each copy") {
		t.Errorf("no longer native, with a secret that each copy knows: %v", err)
	}
	want.NewSecret = true
	if server, again, err := WithOptions(builtIn, want); err != nil || again == "" || !hash(server).Confidential() {
		t.Errorf("no longer native, with a new secret: %v", err)
	}
	want.NewSecret, want.Public = false, true
	if public, again, err := WithOptions(builtIn, want); err != nil || again != "" || !hash(public).Public() {
		t.Errorf("public: %v", err)
	}
}

// Pages of a public application's own addresses may call us, and no others.
func TestTOIDC16_OriginsFollowTheRedirectAddresses(t *testing.T) {
	read := func(o Options) *Config {
		t.Helper()
		app, _, err := New("x", o)
		if err != nil {
			t.Fatal(err)
		}
		c, err := Read(app)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	web := []string{"https://App.example:443/cb", "http://localhost:3000/cb"}
	native := []string{"oc://ios.owncloud.com", "com.example.app:/cb", "http://127.0.0.1/cb", "http://[::1]:80/cb"}
	for _, tt := range []struct {
		name   string
		config *Config
		yes    []string
		no     []string
	}{
		{"public", read(Options{Public: true, RedirectURIs: web}),
			[]string{"https://app.example", "http://localhost:3000"},
			[]string{"https://app.example:443", "https://App.example", "http://app.example", "https://app.example.evil.example", "https://evil.example",
				"http://localhost:3001", "http://localhost", "null", "", "https://", "https://app.example/cb"}},
		{"public, with one given", read(Options{Public: true, RedirectURIs: web, Origins: []string{"https://other.example"}}),
			[]string{"https://other.example"}, []string{"https://app.example"}},
		{"confidential", read(Options{RedirectURIs: web}), nil, []string{"https://app.example", "http://localhost:3000"}},
		{"confidential, native", read(Options{RedirectURIs: native, Native: true, Origins: []string{"app://obsidian.md"}}),
			[]string{"app://obsidian.md"}, []string{"oc://ios.owncloud.com"}},
		{"native", read(Options{Public: true, Native: true, RedirectURIs: native}),
			[]string{"oc://ios.owncloud.com", "com.example.app://", "http://127.0.0.1", "http://127.0.0.1:49152", "http://[::1]", "http://[::1]:8000"},
			[]string{"oc://", "oc://evil.example", "com.example.app", "com.example.app:", "null", "http://localhost:80", "https://127.0.0.1",
				"http://127.0.0.1:1.evil.example", "http://127.0.0.1/"}},
	} {
		for _, origin := range tt.yes {
			if !tt.config.AllowsOrigin(origin) {
				t.Errorf("%s: %q is refused", tt.name, origin)
			}
		}
		for _, origin := range tt.no {
			if tt.config.AllowsOrigin(origin) {
				t.Errorf("%s: %q is allowed", tt.name, origin)
			}
		}
	}
}

// TestTOIDC01_OnlyTheRegisteredAddress tries what has fooled others.
func TestTOIDC01_OnlyTheRegisteredAddress(t *testing.T) {
	web := Config{RedirectURIs: []string{"https://app.example.com/cb", "http://localhost:3000/cb"}}
	native := Config{Native: true, RedirectURIs: []string{"http://127.0.0.1/cb?a=b", "http://[::1]:8000/cb", "com.example.app:/cb"}}
	for _, tt := range []struct {
		config *Config
		uri    string
		want   bool
	}{
		{&web, "https://app.example.com/cb", true},
		{&web, "http://localhost:3000/cb", true},
		{&web, "http://localhost:3001/cb", false}, // the port is exempt for native alone
		{&native, "http://127.0.0.1/cb?a=b", true},
		{&native, "http://127.0.0.1:1/cb?a=b", true},
		{&native, "http://127.0.0.1:65535/cb?a=b", true},
		{&native, "http://[::1]:49152/cb", true},
		{&native, "http://[::1]/cb", true},
		{&native, "com.example.app:/cb", true},
		{&native, "http://localhost:8000/cb", false}, // another name than the one registered
		{&native, "http://127.0.0.1:8000/cb", false},
		{&native, "http://127.0.0.1:8000/cb?a=b&c=d", false},
		{&native, "http://127.0.0.1:8000/cb?a=b#", false},
		{&native, "http://127.0.0.1:8000/cb?a=b#x", false},
		{&native, "http://127.0.0.1:/cb?a=b", false},
		{&native, "http://127.0.0.1:123456/cb?a=b", false},
		{&native, "http://127.0.0.1:80@evil.example/cb?a=b", false},
		{&native, "http://127.0.0.1:80.evil.example/cb?a=b", false},
		{&native, "http://127.0.0.1.evil.example/cb?a=b", false},
		{&native, "http://127.0.0.1@evil.example/cb?a=b", false},
		{&native, "http://x@127.0.0.1:80/cb?a=b", false},
		{&native, "https://127.0.0.1:80/cb?a=b", false},
		{&native, "HTTP://127.0.0.1:80/cb?a=b", false},
		{&native, "http://127.1:80/cb?a=b", false},
		{&native, "http://[::1]:80/cb/", false},
		{&native, "http://[::1]:80/cb\\x", false},
		{&native, "http://[0:0:0:0:0:0:0:1]:80/cb", false},
		{&native, "com.example.app:/cb2", false},
	} {
		if got := tt.config.Allows(tt.config.RedirectURIs, tt.uri); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.uri, got, tt.want)
		}
	}
	for _, uri := range oidcclienttest.SimilarAddresses("https", "app.example.com", "/cb") {
		if web.Allows(web.RedirectURIs, uri) || native.Allows(native.RedirectURIs, uri) {
			t.Errorf("%q is accepted", uri)
		}
	}
}

func FuzzAllows(f *testing.F) {
	f.Add("http://127.0.0.1:8000/cb")
	f.Add("https://app.example.com/cb")
	registered := []string{"https://app.example.com/cb", "http://127.0.0.1/cb"}
	c := Config{Native: true}
	f.Fuzz(func(t *testing.T, uri string) {
		if !c.Allows(registered, uri) || uri == registered[0] {
			return
		}
		port, ok := strings.CutPrefix(uri, "http://127.0.0.1")
		if ok {
			port, ok = strings.CutSuffix(port, "/cb")
		}
		if !ok || port != "" && strings.Trim(port[1:], "0123456789") != "" {
			t.Errorf("%q is accepted", uri)
		}
	})
}
