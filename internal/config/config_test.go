package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

var nothing Environment

func write(t *testing.T, text string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, File), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestLoad(t *testing.T) {
	dir := write(t, `
base_url = "https://Login.example.org"
trusted_proxies = ["10.0.0.0/8", "192.0.2.7"]
database = "data/l.db"

[mail]
host = "smtp.example.org"
tls = "tls"
from = "login@example.org"
`)
	c, err := Load(dir, Environment{"LATCHKEY_MAIL_HOST=other.example.org", "LATCHKEY_LISTEN=:9000"})
	if err != nil {
		t.Fatal(err)
	}
	base, err := c.Base()
	if err != nil {
		t.Fatal(err)
	}
	proxies, err := c.Proxies()
	if err != nil || len(proxies) != 2 {
		t.Fatalf("Proxies = %v, %v", proxies, err)
	}
	for _, tt := range []struct{ what, got, want string }{
		{"base", base.String(), "https://login.example.org"},
		{"listen, from the environment", c.Listen, ":9000"},
		{"proxy without a mask", proxies[1].String(), "192.0.2.7/32"},
		{"database", c.Source(), filepath.Join(dir, "data/l.db")},
		{"keys", c.Path(c.KeysFile), filepath.Join(dir, "latchkey.keys")},
		{"mail host, environment over file", c.Mail.Host, "other.example.org"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %q, want %q", tt.what, tt.got, tt.want)
		}
	}
	if c.Mail.Port != 465 {
		t.Errorf("port of TLS from the start: %d, want 465", c.Mail.Port)
	}
}

func TestLoad_NoFile(t *testing.T) {
	if _, err := Load(t.TempDir(), nothing); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Load of an empty folder: %v, want fs.ErrNotExist", err)
	}
}

// Everything that is wrong is reported at once, with its line.
func TestLoad_AllProblems(t *testing.T) {
	dir := write(t, `base_url = "http://login.example.org"
lisen = ":8443"
trusted_proxies = "10.0.0.0/8"

[mail]
host = "smtp.example.org"
port = "many"
hots = "x"
[something]
else = 1
`)
	c, err := Load(dir, Environment{"LATCHKEY_MAIL_PORT=a few", "LATCHKEY_MAIL_HOTS=x", "LATCHKEY_NOTHING=", "LATCHKEY_METRICS_LISTEN=here"})
	got := errors.Join(err, c.Validate()).Error()
	for _, want := range []string{
		"latchkey.toml, line 2: lisen is not known; did you mean listen?",
		"latchkey.toml, line 3: trusted_proxies must be a list of texts in brackets",
		"latchkey.toml, line 7: mail.port must be a whole number",
		"latchkey.toml, line 8: mail.hots is not known; did you mean mail.host?",
		"latchkey.toml, line 10: something.else is not known",
		"LATCHKEY_MAIL_PORT must be a whole number",
		"LATCHKEY_MAIL_HOTS is not known; did you mean LATCHKEY_MAIL_HOST?",
		"latchkey.toml, line 1: base_url must be https, except on this machine (localhost)",
		"LATCHKEY_METRICS_LISTEN must be an address and a port",
		"keys_file cannot be used: ",
		"mail.from must be the address mails come from",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
}

func TestLoad_Garbage(t *testing.T) {
	for _, text := range []string{"base_url = ", "\x00\xff", "[[[", "base_url = 1\nbase_url = 2", strings.Repeat("[a.", 1000)} {
		if _, err := Load(write(t, text), nothing); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Load of %.20q: %v, want problems", text, err)
		}
	}
	_, err := Load(write(t, "\n\nbase_url = oops"), nothing)
	if err == nil || !strings.Contains(err.Error(), "line 3") {
		t.Errorf("Load: %v, want line 3 named", err)
	}
}

func TestValidate(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Config)
		want   string // part of the only problem; empty for none
	}{
		{"as it comes", func(*Config) {}, ""},
		{"loopback address", func(c *Config) { c.BaseURL = "http://127.0.0.1:8080" }, ""},
		{"loopback of IPv6", func(c *Config) { c.BaseURL = "http://[::1]:8080" }, ""},
		{"behind a proxy", func(c *Config) { c.BaseURL = "https://l.example.org"; c.TrustedProxies = []string{"10.0.0.1"} }, ""},
		{"http elsewhere", func(c *Config) { c.BaseURL = "http://l.example.org" }, "base_url must be https"},
		{"a host that looks like loopback", func(c *Config) { c.BaseURL = "http://localhost.example.org" }, "base_url must be https"},
		{"a path", func(c *Config) { c.BaseURL = "https://l.example.org/sso" }, "base_url must be a scheme and a host"},
		{"a user", func(c *Config) { c.BaseURL = "https://a@l.example.org" }, "base_url must be a scheme and a host"},
		{"no scheme", func(c *Config) { c.BaseURL = "l.example.org" }, "base_url must be an address"},
		{"an authenticator of its own", func(c *Config) { c.AuthenticatorURL = "http://127.0.0.1:8080" }, ""},
		{"an authenticator in clear", func(c *Config) { c.AuthenticatorURL = "http://auth.example.org" }, "authenticator_url must be https"},
		{"an authenticator with a path", func(c *Config) { c.AuthenticatorURL = "https://a.example.org/x" }, "authenticator_url must be a scheme and a host"},
		{"an authenticator at the base", func(c *Config) { c.AuthenticatorURL = c.BaseURL }, "authenticator_url must be another host"},
		{"an authenticator by another scheme", func(c *Config) { c.AuthenticatorURL = "https://auth.example.org" }, "authenticator_url must begin with http://"},
		{"https by nobody", func(c *Config) { c.BaseURL = "https://l.example.org" }, "base_url is https: set tls_cert"},
		{"no such list", func(c *Config) { c.BreachedPasswords = "none.txt" }, "breached_passwords is no file that can be read"},
		{"half a certificate", func(c *Config) { c.TLSCert = "cert.pem" }, "tls_cert and tls_key go together"},
		{"listen", func(c *Config) { c.Listen = "8443" }, "listen must be an address and a port"},
		{"metrics_listen", func(c *Config) { c.MetricsListen = ":x" }, "metrics_listen must be an address and a port"},
		{"proxy", func(c *Config) { c.TrustedProxies = []string{"10.0.0/8"} }, "trusted_proxies"},
		{"the other header of proxies", func(c *Config) { c.ForwardedHeader = "Forwarded" }, ""},
		{"a header of nobody", func(c *Config) { c.ForwardedHeader = "X-Real-IP" }, "forwarded_header must be"},
		{"no skew", func(c *Config) { c.SAMLClockSkew = "0s" }, ""},
		{"a skew without a unit", func(c *Config) { c.SAMLClockSkew = "60" }, "saml_clock_skew must be a time such as"},
		{"a skew longer than an answer is good for", func(c *Config) { c.SAMLClockSkew = "181s" }, "saml_clock_skew must be at most 3m"},
		{"no wait for the database", func(c *Config) { c.DatabaseWait = "0s" }, ""},
		{"a wait without a unit", func(c *Config) { c.DatabaseWait = "60" }, "database_wait must be a time such as"},
		{"a wait into the past", func(c *Config) { c.DatabaseWait = "-1s" }, "database_wait must be a time such as"},
		{"keys", func(c *Config) { c.KeysFile = "nowhere" }, "keys_file cannot be used"},
		{"mails into a folder", func(c *Config) { c.Mail.Folder, c.Mail.From = "mails", "a@example.org" }, ""},
		{"a name beside the sender", func(c *Config) { c.Mail.Folder, c.Mail.From = "mails", "A <a@example.org>" }, "mail.from"},
		{"two ways of mail", func(c *Config) {
			c.Mail.Host, c.Mail.Folder, c.Mail.From = "smtp.example.org", "mails", "a@example.org"
		}, "exclude one another"},
		{"mail in clear", func(c *Config) { c.Mail.Host, c.Mail.TLS, c.Mail.From = "smtp.example.org", "none", "a@example.org" }, "mail.tls"},
		{"password without user", func(c *Config) { c.Mail.Host, c.Mail.PasswordFile, c.Mail.From = "localhost", File, "a@example.org" }, "mail.user"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := Default(write(t, ""))
			if err := c.MakeKeys(); err != nil {
				t.Fatal(err)
			}
			tt.change(&c)
			err := c.Validate()
			var problems Problems
			errors.As(err, &problems)
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("Validate: %v", err)
			case tt.want != "" && (len(problems) != 1 || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("Validate: %v, want one problem with %q", err, tt.want)
			}
		})
	}
}

// The file that init writes has the same settings when read, and mode 0600.
func TestWrite(t *testing.T) {
	dir := t.TempDir()
	c := Default(dir)
	c.BaseURL, c.Listen = "https://login.example.org", ":8443"
	if err := errors.Join(c.MakeKeys(), c.Write()); err != nil {
		t.Fatal(err)
	}
	got, err := Load(dir, nothing)
	if err != nil {
		t.Fatal(err)
	}
	if got.BaseURL != c.BaseURL || got.Listen != c.Listen || got.Source() != c.Source() {
		t.Errorf("read back: %+v, want %+v", got, c)
	}
	if err := c.Write(); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Write over a file: %v, want fs.ErrExist", err)
	}
	before, err := os.ReadFile(c.Path(c.KeysFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.MakeKeys(); err != nil {
		t.Fatal(err)
	}
	if after, err := os.ReadFile(c.Path(c.KeysFile)); err != nil || string(after) != string(before) {
		t.Errorf("MakeKeys replaced keys that were there: %v", err)
	}
	for _, name := range []string{File, c.KeysFile} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v, want 0600", name, info.Mode(), err)
		}
	}
}

func TestKeys_FromTheEnvironment(t *testing.T) {
	dir := t.TempDir()
	if err := Default(dir).MakeKeys(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "latchkey.keys"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := FromEnvironment(t.TempDir(), Environment{"LATCHKEY_KEYS=" + string(text)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Keys(); err != nil {
		t.Errorf("Keys: %v", err)
	}
}

// Every key has its variable, and every variable may name a file that contains the value.
func TestEnvironment(t *testing.T) {
	dir := write(t, "")
	file := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file("database", "postgres://latchkey:secret@db.example.org/latchkey\n")
	file("port", "2525\n")
	file("other.keys", "")
	c, err := Load(dir, Environment{"LATCHKEY_DATABASE_FILE=database", "LATCHKEY_MAIL_PORT_FILE=" + filepath.Join(dir, "port"),
		"LATCHKEY_TRUSTED_PROXIES=10.0.0.0/8, 192.0.2.7", "LATCHKEY_KEYS_FILE=other.keys", "LATCHKEY_MAIL_PASSWORD_FILE=password",
		"LATCHKEY_DIR=/elsewhere", "LATCHKEY_TENANT=example", "LATCHKEY_LISTEN=", "PATH=/bin",
		// Variables that Kubernetes sets for a service named latchkey.
		"LATCHKEY_SERVICE_HOST=10.0.0.1", "LATCHKEY_SERVICE_PORT=443", "LATCHKEY_SERVICE_PORT_HTTPS=443", "LATCHKEY_PORT=tcp://10.0.0.1:443",
		"LATCHKEY_PORT_443_TCP=tcp://10.0.0.1:443", "LATCHKEY_PORT_443_TCP_ADDR=10.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ what, got, want string }{
		{"database", c.Database, "postgres://latchkey:secret@db.example.org/latchkey"},
		{"port", fmt.Sprint(c.Mail.Port), "2525"},
		{"proxies", fmt.Sprint(c.TrustedProxies), "[10.0.0.0/8 192.0.2.7]"},
		{"keys", c.KeysFile, "other.keys"},
		{"password", c.Mail.PasswordFile, "password"},
		{"listen", c.Listen, "localhost:8080"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %q, want %q", tt.what, tt.got, tt.want)
		}
	}
}

func TestEnvironment_Refuses(t *testing.T) {
	for _, tt := range []struct {
		name string
		env  Environment
		want string
	}{
		{"a slip", Environment{"LATCHKEY_BASEURL=x"}, "LATCHKEY_BASEURL is not known; did you mean LATCHKEY_BASE_URL?"},
		{"nothing like it", Environment{"LATCHKEY_X=1"}, "LATCHKEY_X is not known"},
		{"a secret itself", Environment{"LATCHKEY_MAIL_PASSWORD=hunter2"}, "did you mean LATCHKEY_MAIL_PASSWORD_FILE?"},
		{"no such file", Environment{"LATCHKEY_MAIL_HOST_FILE=nowhere"}, "LATCHKEY_MAIL_HOST_FILE cannot be used: open "},
		{"both", Environment{"LATCHKEY_MAIL_HOST_FILE=" + File, "LATCHKEY_MAIL_HOST=h"}, "LATCHKEY_MAIL_HOST exclude one another"},
		{"a file of something unknown", Environment{"LATCHKEY_NOTHING_FILE=" + File}, "LATCHKEY_NOTHING_FILE is not known"},
	} {
		_, err := Load(write(t, "base_url = \"http://localhost\""), tt.env)
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

// What was decided about the certificate is in the file that init writes, and can be read
// again.
func TestWrite_Certificate(t *testing.T) {
	c := Default(t.TempDir())
	c.TLSCert, c.TLSKey = "/etc/ssl/login.pem", "/etc/ssl/login.key"
	if err := c.Write(); err != nil {
		t.Fatal(err)
	}
	again, err := Load(c.dir, nothing)
	if err != nil || again.TLSCert != c.TLSCert || again.TLSKey != c.TLSKey {
		t.Errorf("read again: %q, %q, %v", again.TLSCert, again.TLSKey, err)
	}
}

// The file that init writes mentions every key, and no unknown one.
func TestWrite_SpeaksOfEveryKey(t *testing.T) {
	c := Default(t.TempDir())
	if err := c.Write(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(c.dir, File))
	if err != nil {
		t.Fatal(err)
	}
	shown := regexp.MustCompile(`(?m)^#([a-z_]+ =|\[[a-z]+\])`).ReplaceAllString(string(text), "$1")
	var all Config
	if problems := all.read(shown); len(problems) > 0 {
		t.Errorf("with every comment taken off: %v", problems)
	}
	for key := range all.settings() {
		if all.lines[key] == 0 {
			t.Errorf("%s does not say that there is %s", File, key)
		}
	}
}

func TestQLT5_PushServices(t *testing.T) {
	for text, want := range map[string]int{"": 5, "push.example.org": 6, "*.example.org 10.0.0.1:8443": 7, "none": 0,
		"none push.example.org": -1, "https://push.example.org": -1, "*": -1} {
		c := Default(t.TempDir())
		c.Push.Services = strings.Fields(text)
		got, err := c.PushServices()
		if want < 0 {
			if err == nil || !strings.Contains(c.Validate().Error(), "push.services ") {
				t.Errorf("%q: %v, %v, want it refused by name", text, got, err)
			}
		} else if err != nil || len(got) != want {
			t.Errorf("%q: %v, %v, want %d", text, got, err, want)
		}
	}
}

func TestPUSH24_PushContact(t *testing.T) {
	for text, want := range map[string]string{
		"": "https://login.example.org", "help@example.org": "mailto:help@example.org", "mailto:help@example.org": "mailto:help@example.org",
		"https://example.org/contact": "https://example.org/contact",
		"http://example.org":          "", "Help <help@example.org>": "", "example.org": "", "https://": "", "https://a:b@example.org": "", "mailto:": "",
	} {
		c, err := Default(t.TempDir()).WithBase("https://login.example.org")
		if err != nil {
			t.Fatal(err)
		}
		c.Push.Contact = text
		got, err := c.PushContact()
		if got != want || (want == "") != (err != nil) {
			t.Errorf("%q: %q, %v, want %q", text, got, err, want)
		}
		if want == "" && !strings.Contains(c.Validate().Error(), "push.contact ") {
			t.Errorf("%q is not refused by name", text)
		}
	}
	if got, err := Default(t.TempDir()).PushContact(); err != nil || !strings.HasPrefix(got, "https://github.com/") {
		t.Errorf("on this machine alone: %q, %v", got, err)
	}
}

// The database has its time from the configuration (QLT-3), within bounds.
func TestQLT3_DatabaseTimeout(t *testing.T) {
	for seconds, want := range map[string]time.Duration{"": 5 * time.Second, "0": 5 * time.Second, "1": time.Second, "60": time.Minute, "61": 0, "-1": 0} {
		c, err := FromEnvironment(t.TempDir(), Environment{"LATCHKEY_DATABASE_TIMEOUT=" + seconds})
		if err != nil {
			t.Fatal(err)
		}
		if wrong := strings.Contains(c.Validate().Error(), "LATCHKEY_DATABASE_TIMEOUT must be"); wrong != (want == 0) {
			t.Errorf("%q: refused %t", seconds, wrong)
		}
		if got := c.Store(nil).Timeout; want != 0 && got != want {
			t.Errorf("%q: %v, want %v", seconds, got, want)
		}
	}
}

func TestQLT5_OutgoingAllow(t *testing.T) {
	for text, want := range map[string]string{
		"10.1.0.0/16": "10.1.0.0/16", "10.1.2.3/16": "10.1.0.0/16", "127.0.0.1": "127.0.0.1/32", "::ffff:10.1.2.3": "10.1.2.3/32",
		"::ffff:10.1.0.0/112": "10.1.0.0/16", "fd00:1::/32": "fd00:1::/32", "::1": "::1/128",
		"intranet.example.org": "", "10.0.0.0/33": "", "": "", "::ffff:10.0.0.0/8": "",
	} {
		c := Default(t.TempDir())
		c.OutgoingAllow = []string{text}
		got, err := c.Outgoing()
		if want == "" {
			if err == nil || !strings.Contains(c.Validate().Error(), "outgoing_allow ") {
				t.Errorf("%q: %v, %v, want it refused by name", text, got, err)
			}
		} else if err != nil || len(got) != 1 || got[0].String() != want {
			t.Errorf("%q: %v, %v, want %s", text, got, err, want)
		}
	}
}
