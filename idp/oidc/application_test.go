package oidc

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
)

func TestNewApplication(t *testing.T) {
	app, secret, err := NewApplication("Payroll", Options{RedirectURIs: []string{callback}, Home: "https://rp.example/"})
	if err != nil {
		t.Fatal(err)
	}
	if app.Protocol != identity.OIDC || app.Identifier != app.ID || app.Home != "https://rp.example/" {
		t.Errorf("got %+v", app)
	}
	c, err := read(app)
	if err != nil {
		t.Fatal(err)
	}
	if c.config.Algorithm != "ES256" || c.config.SecretHash != store.Hash(secret) || len(secret) < 43 {
		t.Errorf("configuration %+v, secret of %d characters", c.config, len(secret))
	}
	if strings.Contains(string(app.Config), secret) {
		t.Error("the secret is kept")
	}
	app, secret, err = NewApplication("App", Options{RedirectURIs: []string{callback}, Public: true, ClientID: "my-app"})
	if err != nil || secret != "" || app.Identifier != "my-app" {
		t.Errorf("public: %+v, %q, %v", app, secret, err)
	}
	if _, err := read(identity.Application{Config: json.RawMessage(`{"algorithm":"ES256","redirect":[]}`)}); err == nil {
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
			_, _, err := NewApplication("x", o)
			if !errors.Is(err, identity.Invalid) || !strings.Contains(err.Error(), tt.field) {
				t.Errorf("%s %q: got %v, want an invalid that names the field", tt.field, value, err)
			}
		}
	}
	_, _, err := NewApplication(" ", Options{ClientID: "a b", Algorithm: "none"})
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
	web := config{RedirectURIs: []string{"https://app.example.com/cb", "http://localhost:3000/cb"}}
	native := config{Native: true, RedirectURIs: []string{"http://127.0.0.1/cb?a=b", "http://[::1]:8000/cb", "com.example.app:/cb"}}
	for _, tt := range []struct {
		config *config
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
		if got := tt.config.listed(tt.config.RedirectURIs, tt.uri); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.uri, got, tt.want)
		}
	}
	for _, uri := range tricks("https", "app.example.com", "/cb") {
		if web.listed(web.RedirectURIs, uri) || native.listed(native.RedirectURIs, uri) {
			t.Errorf("%q is accepted", uri)
		}
	}
}

// tricks are addresses that are nearly the one registered.
func tricks(scheme, host, path string) []string {
	var all []string
	hosts := []string{host + ".evil.example", host + "@evil.example", host + "%40evil.example", host + ":443", host + ":", host + ".",
		"evil.example", "evil.example/" + host, "evil.example?" + host, "evil.example#" + host, "evil.example\\@" + host,
		"evil.example\\" + host, "a@" + host, "a:b@" + host, "a@b@" + host, strings.ToUpper(host), "x." + host, "x" + host,
		host + "\\.evil.example", host + "%00.evil.example", host + "%0d%0a", "[::1]", "[::ffff:127.0.0.1]", "localhost", "127.0.0.1", "2130706433",
		"xn--pp-xka.example.com", strings.Replace(host, "a", "а", 1) /* Cyrillic */, host + "。evil.example", ""}
	paths := []string{"", path, path + "/", path + "//", path + "/..", path + "/../x", path + "/..;/x", path + "/%2e%2e/x", path + "%2f..%2fx",
		path + "?", path + "?x=y", path + "#", path + "#x", path + "%20", path + " ", path + "%00", path + "\x00", path + "\n", path + "\\",
		path + ";x", strings.ToUpper(path), "/." + path, "//" + path[1:], "/x/.." + path, "/%63b", path + "&redirect_uri=https://evil.example",
		path + "x", "/evil", path + "\u202e"}
	for _, h := range hosts {
		for _, p := range paths[:4] {
			all = append(all, scheme+"://"+h+p)
		}
	}
	for _, p := range paths {
		if p != path {
			all = append(all, scheme+"://"+host+p)
		}
	}
	for _, s := range []string{"http", "HTTPS", "Https", "javascript", "data", "ftp", "", " https", "https:https", "blob:https", "view-source:https"} {
		for _, p := range paths[:4] {
			all = append(all, s+"://"+host+p)
		}
	}
	return append(all, "https:/"+host+path, "https:"+host+path, "//"+host+path, host+path, "/cb", "cb", "", "https:\\\\"+host+path,
		"https://"+host+path+", https://evil.example", "https://"+host+path+"\thttps://evil.example")
}

func FuzzListed(f *testing.F) {
	f.Add("http://127.0.0.1:8000/cb")
	f.Add("https://app.example.com/cb")
	registered := []string{"https://app.example.com/cb", "http://127.0.0.1/cb"}
	c := config{Native: true}
	f.Fuzz(func(t *testing.T, uri string) {
		if !c.listed(registered, uri) || uri == registered[0] {
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
