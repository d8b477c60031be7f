package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/webpush"
)

// File is the name of the configuration in its folder.
const File = "latchkey.toml"

// A Config is all that latchkey.toml can say. Paths are relative to its folder.
type Config struct {
	// BaseURL is the address people reach Latchkey by: scheme and host, no
	// path. It goes into links, issuers and entityIDs, so changing it later
	// breaks applications and web authenticators. It is https; plain http is
	// for this machine alone. Empty means http://localhost:8080.
	BaseURL string `toml:"base_url"`

	// AuthenticatorURL is an address of its own for the web authenticator:
	// scheme and host, like BaseURL, and another host that leads to this server
	// too. There is nothing else at it, so that no fault of a login page or an
	// operator's page can reach the keys that browsers keep for it. A proxy has
	// to pass the Host header on. Browsers keep those keys for one address, so
	// changing it ends all web authenticators. Empty puts the web authenticator
	// below BaseURL.
	AuthenticatorURL string `toml:"authenticator_url"`

	// Listen is the address to listen on, such as ":8443" or "127.0.0.1:8080".
	// Empty means the port of BaseURL: on this machine alone for plain http, on
	// every address for https.
	Listen string `toml:"listen"`

	// MetricsListen is a second address, for machines that watch the server:
	// /healthz and /readyz. Empty puts these two on the first.
	MetricsListen string `toml:"metrics_listen"`

	// TLSCert and TLSKey are PEM files of the server's certificate, with its
	// chain, and its key. They are read again when they change. Both are empty
	// where a proxy ends TLS.
	TLSCert string `toml:"tls_cert"`
	TLSKey  string `toml:"tls_key"`

	// TrustedProxies are the addresses or networks of proxies in front of
	// Latchkey. Only their X-Forwarded-For is believed.
	TrustedProxies []string `toml:"trusted_proxies"`

	// OutgoingAllow are addresses or networks that Latchkey may call although
	// they are not on the internet, also by plain http: those of applications
	// in your own network whose metadata it fetches, such as "10.20.0.0/16".
	// Whoever runs such an application can make Latchkey call any address in
	// them, so name no more than is needed.
	OutgoingAllow []string `toml:"outgoing_allow"`

	// BreachedPasswords is a file of passwords that were in breaches, which nobody
	// may choose: SHA-1 in upper-case hexadecimal, a line each, in order, as Have I
	// Been Pwned gives them out; a count behind a colon may follow. It is looked
	// into, and never read whole. Empty is none.
	BreachedPasswords string `toml:"breached_passwords"`

	// Database is a PostgreSQL URL (postgres://…) or the path of an SQLite
	// file. Empty means latchkey.db. A URL's password is best left to the file
	// that the variable PGPASSFILE names.
	Database string `toml:"database"`

	// KeysFile holds the roots of all keys. Without it nothing sealed in the
	// database can be read: keep a copy apart from the database's. Empty means
	// latchkey.keys. Its content may be in the variable LATCHKEY_KEYS instead.
	KeysFile string `toml:"keys_file"`

	// Mail is how mails leave. Without it they wait in the outbox.
	Mail Mail `toml:"mail"`

	// Push is how browsers are notified of a push request.
	Push Push `toml:"push"`

	dir       string
	keys      string         // content of LATCHKEY_KEYS
	lines     map[string]int // of the keys that the file sets
	variables []string       // that were taken over
}

// Mail is how mails leave: by an SMTP server or, for development, into a folder.
type Mail struct {
	// Host is the SMTP server. Empty means that there is none.
	Host string `toml:"host"`
	// Port is its port. 0 means 465 for TLS from the start, else 587.
	Port int64 `toml:"port"`
	// TLS is "starttls" (also if empty), which mails nothing where the server
	// does not offer it; "tls", from the start; or "none", for a server on this
	// machine alone.
	TLS string `toml:"tls"`
	// User is the name to log in to the SMTP server with; empty means none.
	User string `toml:"user"`
	// PasswordFile holds the password that goes with User, in its first line.
	PasswordFile string `toml:"password_file"`
	// From is the address mails come from. The name beside it is the tenant's.
	From string `toml:"from"`
	// Folder takes mails as files instead of sending them.
	Folder string `toml:"folder"`
}

// Push is how browsers are rung: by the push service each of them chose.
type Push struct {
	// Contact is whom a push service may write to if our notifications make
	// trouble: a mail address, or an https address. Each gets it with every
	// notification; Apple's refuses one at localhost. Empty means BaseURL.
	Contact string `toml:"contact"`
	// Services are hosts of push services that may be called, beside those of
	// Chromium, Firefox, Safari and Edge: "push.example.org", "*.example.org",
	// or "push.example.org:8443". One in your own network must be in
	// OutgoingAllow too. "none", alone, rings no browser: nothing leaves for
	// anybody's push service, and people see requests when they open the app.
	Services []string `toml:"services"`
}

// Ways of TLS to an SMTP server.
const (
	StartTLS = "starttls"
	TLS      = "tls"
	NoTLS    = "none"
)

// Default returns the configuration of a folder in which nothing is written.
func Default(dir string) Config { return Config{dir: dir}.filled() }

// filled puts the value that makes sense where there is none.
func (c Config) filled() Config {
	set := func(to *string, value string) {
		if *to == "" {
			*to = value
		}
	}
	set(&c.BaseURL, "http://localhost:8080")
	set(&c.Database, "latchkey.db")
	set(&c.KeysFile, "latchkey.keys")
	set(&c.Mail.TLS, StartTLS)
	if c.Mail.Port == 0 {
		if c.Mail.Port = 587; c.Mail.TLS == TLS {
			c.Mail.Port = 465
		}
	}
	if base, err := c.Base(); err == nil {
		set(&c.Listen, listenFor(base))
	}
	return c
}

// listenFor is the address to listen on for a base where none is written.
func listenFor(base *url.URL) string {
	if base.Scheme == "http" {
		return net.JoinHostPort(base.Hostname(), portOf(base))
	}
	return ":" + portOf(base)
}

func portOf(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "http":
		return "80"
	}
	return "443"
}

// WithBase returns c for another base, with the address to listen on that goes
// with it unless another was decided on.
func (c Config) WithBase(base string) (Config, error) {
	if old, err := c.Base(); err == nil && c.Listen == listenFor(old) {
		c.Listen = ""
	}
	c.BaseURL = base
	u, err := c.Base()
	if err != nil {
		return c, err
	}
	c.BaseURL = u.String()
	return c.filled(), nil
}

// Dir is the folder the configuration is of.
func (c Config) Dir() string { return c.dir }

// Path is where a file named in the configuration is; empty if none is named.
func (c Config) Path(name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(c.dir, name)
}

// Source is the database to open: a PostgreSQL URL or the path of a file.
func (c Config) Source() string {
	if c.Postgres() {
		return c.Database
	}
	return c.Path(c.Database)
}

// Postgres reports whether the database is PostgreSQL.
func (c Config) Postgres() bool {
	return strings.HasPrefix(c.Database, "postgres://") || strings.HasPrefix(c.Database, "postgresql://")
}

// Base is the address people reach Latchkey by.
func (c Config) Base() (*url.URL, error) { return origin(c.BaseURL) }

// Authenticator is the address of the web authenticator, and of the API that
// authenticator apps talk to: one of its own, or the base.
func (c Config) Authenticator() (*url.URL, error) {
	if c.AuthenticatorURL == "" {
		return c.Base()
	}
	return origin(c.AuthenticatorURL)
}

// origin reads an address that is a scheme and a host.
func origin(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("must be an address such as https://login.example.org")
	}
	local := u.Hostname() == "localhost" || net.ParseIP(u.Hostname()).IsLoopback()
	switch {
	case u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http":
		return nil, errors.New("must be an address such as https://login.example.org")
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		return nil, errors.New("must be a scheme and a host, and nothing behind them")
	case u.Scheme == "http" && !local:
		return nil, errors.New("must be https, except on this machine (localhost)")
	}
	return &url.URL{Scheme: u.Scheme, Host: strings.ToLower(u.Host)}, nil
}

// Proxies are the networks whose X-Forwarded-For is believed.
func (c Config) Proxies() ([]netip.Prefix, error) { return networks(c.TrustedProxies) }

// Outgoing are the networks that may be called although they are not on the
// internet.
func (c Config) Outgoing() ([]netip.Prefix, error) { return networks(c.OutgoingAllow) }

// networks reads addresses and networks. An IPv4 one in IPv6's clothes is IPv4.
func networks(texts []string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, text := range texts {
		network, err := netip.ParsePrefix(text)
		if address, notOne := netip.ParseAddr(text); notOne == nil {
			network, err = netip.PrefixFrom(address, address.BitLen()), nil
		}
		if address := network.Addr(); address.Is4In6() {
			network = netip.PrefixFrom(address.Unmap(), network.Bits()-96)
		}
		if err != nil || !network.IsValid() {
			return nil, fmt.Errorf("%q is neither an address nor a network such as 10.0.0.0/8", text)
		}
		all = append(all, network.Masked())
	}
	return all, nil
}

// PushContact is whom a push service may write to, as a mailto: or an https:
// address. Who tries Latchkey on this machine has none that others could reach;
// the project's own address stands there then.
func (c Config) PushContact() (string, error) {
	contact := c.Push.Contact
	if contact == "" {
		base, err := c.Base()
		switch {
		case err != nil:
			return "", err
		case base.Scheme == "http":
			return project, nil
		}
		return base.String(), nil
	}
	address := strings.TrimPrefix(contact, "mailto:")
	if a, err := mail.ParseAddress(address); err == nil && a.Address == address {
		return "mailto:" + address, nil
	}
	if u, err := url.Parse(contact); err == nil && u.Scheme == "https" && u.Hostname() != "" && u.User == nil {
		return contact, nil
	}
	return "", errors.New("must be a mail address, or an address that begins with https://")
}

const project = "https://github.com/latchkey-id/latchkey"

// PushServices are the push services that may be called; none where no browser
// is to be rung.
func (c Config) PushServices() (webpush.Services, error) {
	if slices.Equal(c.Push.Services, []string{noServices}) {
		return nil, nil
	}
	if slices.Contains(c.Push.Services, noServices) {
		return nil, errors.New(`has "none" alone, or not at all`)
	}
	return webpush.NewServices(c.Push.Services)
}

const noServices = "none"

// Keys reads the roots of all keys.
func (c Config) Keys() (*store.Keyring, error) {
	if c.keys != "" {
		return store.ParseKeyring(c.keys)
	}
	text, err := os.ReadFile(c.Path(c.KeysFile))
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	ring, err := store.ParseKeyring(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Path(c.KeysFile), err)
	}
	return ring, nil
}

// MakeKeys writes a fresh root where there are no keys yet, for its owner's
// eyes alone. Keys that are there stay: the database may depend on them.
func (c Config) MakeKeys() error {
	if c.keys != "" {
		return nil
	}
	f, err := os.OpenFile(c.Path(c.KeysFile), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	_, err = f.WriteString(store.NewKeyring().Encode())
	// Nothing may be sealed under a root that a loss of power takes away.
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(fmt.Errorf("keys: %w", err), os.Remove(f.Name()))
	}
	return nil
}

// Files are the files c names, beside the database and the keys, as they are
// named.
func (c Config) Files() []string {
	return slices.DeleteFunc([]string{c.TLSCert, c.TLSKey, c.Mail.PasswordFile}, func(name string) bool { return name == "" })
}

// KeysApart reports whether the keys are in a variable, and no file is to be
// written.
func (c Config) KeysApart() bool { return c.keys != "" }

// Password reads the password that goes with User.
func (m Mail) Password(c Config) (string, error) {
	if m.PasswordFile == "" {
		return "", nil
	}
	text, err := os.ReadFile(c.Path(m.PasswordFile))
	if err != nil {
		return "", fmt.Errorf("mail: %w", err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSuffix(first, "\r"), nil
}
