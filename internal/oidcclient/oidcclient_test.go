package oidcclient

import (
	"encoding/json"
	"errors"
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
	if c.Algorithm != "ES256" || c.SecretHash != store.Hash(secret) || len(secret) < 43 {
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
			"javascript:alert(1)", "data:text/html,x", "myapp:/cb", "com.example.app:/cb#x", "com.example.*:/cb"}},
		{"redirect URI", func(o *Options, _ string) { o.RedirectURIs = nil }, []string{"none"}},
		{"post-logout URI", func(o *Options, v string) { o.PostLogoutURIs = []string{v} }, []string{"http://rp.example/", "https://*"}},
		{"origin", func(o *Options, v string) { o.Origins = []string{v} }, []string{
			"*", "null", "https://rp.example/", "https://rp.example/path", "http://rp.example", "https://*.rp.example"}},
		{"home", func(o *Options, v string) { o.Home = v }, []string{"javascript:alert(1)", "http://rp.example/"}},
		{"client id", func(o *Options, v string) { o.ClientID = v }, []string{"a b", "a:b", strings.Repeat("a", 65), "ä"}},
		{"algorithm", func(o *Options, v string) { o.Algorithm = v }, []string{"none", "HS256", "EdDSA"}},
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
	if err := address("com.example.app:/cb", true); err != nil {
		t.Error(err)
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
