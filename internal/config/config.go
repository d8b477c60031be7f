package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/webpush"
)

// File is the name of the configuration file in its folder.
const File = "latchkey.toml"

// A Config is the content of latchkey.toml. Paths are relative to its folder.
type Config struct {
	// BaseURL is the address under which users reach Latchkey: scheme and host,
	// without a path. It is part of links, issuers and entityIDs, so changing it
	// later breaks applications and web authenticators. It must be https; plain http
	// is allowed on this machine only. Empty means http://localhost:8080.
	BaseURL string `toml:"base_url"`

	// AuthenticatorURL is a separate address for the web authenticator: scheme and
	// host, like BaseURL, with another host name that also leads to this server.
	// Nothing else is served there, so that no vulnerability of a login page or an
	// operator's page can reach the keys that browsers store for it. A proxy must
	// pass on the Host header. Browsers store those keys for one address, so changing
	// it ends all web authenticators. Empty puts the web authenticator below BaseURL.
	AuthenticatorURL string `toml:"authenticator_url"`

	// Listen is the address to listen on, such as ":8443" or "127.0.0.1:8080".
	// Empty means the port of BaseURL: on this machine only for plain http, and on
	// all addresses for https.
	Listen string `toml:"listen"`

	// MetricsListen is a second address, for monitoring: /healthz and /readyz. Empty
	// puts these two on the first address.
	MetricsListen string `toml:"metrics_listen"`

	// StopDelay is how long a server that is told to stop goes on serving while /readyz
	// says no, so that a load balancer sends new requests elsewhere before it stops
	// listening. It is longer than the balancer needs to notice. Empty means "5s"; "0s"
	// stops at once.
	StopDelay string `toml:"stop_delay"`

	// TLSCert and TLSKey are PEM files with the server's certificate and its chain,
	// and with its key. They are read again when they change. Both are empty if a
	// proxy terminates TLS.
	TLSCert string `toml:"tls_cert"`
	TLSKey  string `toml:"tls_key"`

	// TrustedProxies are the addresses or networks of proxies in front of Latchkey.
	// ForwardedHeader is accepted only from them.
	TrustedProxies []string `toml:"trusted_proxies"`

	// ForwardedHeader is the header in which those proxies say where a request came from:
	// "X-Forwarded-For" (also if empty) or "Forwarded" (RFC 7239). The other one is not
	// read: a proxy that knows nothing of it passes on what anybody sends.
	ForwardedHeader string `toml:"forwarded_header"`

	// SAMLClockSkew is by how much the clock of a SAML application may differ from this
	// server's, either way: at most "3m", which is also meant if it is empty.
	SAMLClockSkew string `toml:"saml_clock_skew"`

	// OutgoingAllow are addresses or networks that Latchkey may call although they are
	// not on the internet, also by plain http: those of applications in your own
	// network whose metadata it fetches, such as "10.20.0.0/16". Whoever operates such
	// an application can make Latchkey call any address in them, so name no more than
	// necessary.
	OutgoingAllow []string `toml:"outgoing_allow"`

	// BreachedPasswords is a file of passwords from breaches, which nobody may choose:
	// sorted lines of SHA-1 in upper-case hexadecimal, as published by Have I Been
	// Pwned, optionally followed by a colon and a count. It is searched without being
	// read completely. Empty means none.
	BreachedPasswords string `toml:"breached_passwords"`

	// LocationDatabase is a file in the MaxMind DB format with cities or countries, such
	// as GeoLite2-City.mmdb, by which people are told where the address of a sign-in is
	// estimated to be: on the phone that is asked, on the page that waits for it, and in
	// mails. Nothing is decided by it. It is read into memory, and again when it has
	// changed; where it cannot be used, the last one is used on, and "latchkey doctor"
	// says so. Empty means that the address alone is shown.
	LocationDatabase string `toml:"location_database"`

	// Database is a PostgreSQL URL (postgres://…) or the path of an SQLite file. Empty
	// means latchkey.db. A password is best put into the file named by the variable
	// PGPASSFILE instead of the URL.
	Database string `toml:"database"`

	// DatabaseWait is how long "latchkey serve" waits at its start for a PostgreSQL server
	// that does not answer, such as "30s" or "5m". After that it exits with code 1. "0s"
	// does not wait. Empty means one minute.
	DatabaseWait string `toml:"database_wait"`

	// DatabaseTimeout is how many seconds a request waits for the database, 1 to 60:
	// each transaction and each read ends after it, and the request is answered with
	// 503. Commands and jobs in the background may take longer. 0 means 5.
	DatabaseTimeout int64 `toml:"database_timeout"`

	// KeysFile contains the root keys. Without it, nothing sealed in the database can
	// be read, so keep a copy separate from the database's. Empty means latchkey.keys.
	// Its content may be in the variable LATCHKEY_KEYS instead.
	KeysFile string `toml:"keys_file"`

	// Mail is how mails are sent. Without it they wait in the outbox.
	Mail Mail `toml:"mail"`

	// Push is how browsers are notified of a push request.
	Push Push `toml:"push"`

	dir       string
	keys      string         // content of LATCHKEY_KEYS
	lines     map[string]int // lines of the keys in the file
	variables []string       // variables that were used
}

// Mail is how mails are sent: by an SMTP server or, for development, into a folder.
type Mail struct {
	// Host is the SMTP server. Empty means none.
	Host string `toml:"host"`
	// Port is its port. 0 means 465 with TLS from the start, otherwise 587.
	Port int64 `toml:"port"`
	// TLS is "starttls" (also if empty), which sends nothing if the server does not
	// offer it; "tls", from the start; or "none", for a server on this machine only.
	TLS string `toml:"tls"`
	// User is the name for logging in to the SMTP server; empty means no login.
	User string `toml:"user"`
	// PasswordFile contains the password of User in its first line.
	PasswordFile string `toml:"password_file"`
	// From is the sender's address. The tenant's name is shown with it.
	From string `toml:"from"`
	// Folder receives mails as files instead of sending them.
	Folder string `toml:"folder"`
}

// Push is how browsers are notified: by the push service that each of them uses.
type Push struct {
	// Contact is whom a push service may contact if notifications cause trouble: a
	// mail address or an https address. Every notification contains it; Apple refuses
	// one at localhost. Empty means BaseURL.
	Contact string `toml:"contact"`
	// Services are hosts of push services that may be called, in addition to those of
	// Chromium, Firefox, Safari and Edge: "push.example.org", "*.example.org", or
	// "push.example.org:8443". One in your own network must be in OutgoingAllow too.
	// "none", alone, disables notifications: no push service is called, and users see
	// requests when they open the app.
	Services []string `toml:"services"`
}

// Values of Mail.TLS.
const (
	StartTLS = "starttls"
	TLS      = "tls"
	NoTLS    = "none"
)

// Values of ForwardedHeader.
const (
	XForwardedFor = "X-Forwarded-For"
	Forwarded     = "Forwarded"
)

// Default returns the configuration of a folder without a file.
func Default(dir string) Config { return Config{dir: dir}.withDefaults() }

// withDefaults returns c with defaults in place of empty values.
func (c Config) withDefaults() Config {
	set := func(to *string, value string) {
		if *to == "" {
			*to = value
		}
	}
	set(&c.BaseURL, "http://localhost:8080")
	set(&c.Database, "latchkey.db")
	set(&c.DatabaseWait, "1m")
	set(&c.StopDelay, "5s")
	set(&c.ForwardedHeader, XForwardedFor)
	set(&c.SAMLClockSkew, "3m")
	set(&c.KeysFile, "latchkey.keys")
	if c.DatabaseTimeout == 0 {
		c.DatabaseTimeout = int64(store.DefaultTimeout / time.Second)
	}
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

// listenFor returns the default address to listen on for a base address.
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

// WithBase returns c with another base address. The address to listen on changes too,
// unless it was set explicitly.
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
	return c.withDefaults(), nil
}

// Dir returns the folder of the configuration.
func (c Config) Dir() string { return c.dir }

// Path returns the path of a file named in the configuration, or "" if the name is empty.
func (c Config) Path(name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(c.dir, name)
}

// Source returns the database to open: a PostgreSQL URL or the path of a file.
func (c Config) Source() string {
	if c.Postgres() {
		return c.Database
	}
	return c.Path(c.Database)
}

// Store returns how to open the database, with its keys.
func (c Config) Store(keys *store.Keyring) store.Options {
	return store.Options{Source: c.Source(), Keys: keys, Timeout: time.Duration(c.DatabaseTimeout) * time.Second}
}

// Postgres reports whether the database is PostgreSQL.
func (c Config) Postgres() bool {
	return strings.HasPrefix(c.Database, "postgres://") || strings.HasPrefix(c.Database, "postgresql://")
}

// WaitForDatabase returns how long a start waits for the database.
func (c Config) WaitForDatabase() (time.Duration, error) { return parseTime(c.DatabaseWait) }

// DelayStop returns how long a stop goes on serving.
func (c Config) DelayStop() (time.Duration, error) { return parseTime(c.StopDelay) }

func parseTime(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, errors.New(`must be a time such as "30s" or "5m"`)
	}
	return d, nil
}

// maxClockSkew is the most that SAMLClockSkew may be: an answer is for five minutes.
const maxClockSkew = 3 * time.Minute

// ClockSkew returns by how much the clocks of SAML applications may differ.
func (c Config) ClockSkew() (time.Duration, error) {
	d, err := parseTime(c.SAMLClockSkew)
	if err == nil && d > maxClockSkew {
		err = errors.New("must be at most 3m: an answer is for five minutes")
	}
	return d, err
}

// Base returns the address under which users reach Latchkey.
func (c Config) Base() (*url.URL, error) { return origin(c.BaseURL) }

// Authenticator returns the address of the web authenticator and of the API of authenticator
// apps: a separate one, or the base.
func (c Config) Authenticator() (*url.URL, error) {
	if c.AuthenticatorURL == "" {
		return c.Base()
	}
	return origin(c.AuthenticatorURL)
}

// origin reads an address that consists of a scheme and a host.
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

// Proxies returns the networks from which ForwardedHeader is accepted.
func (c Config) Proxies() ([]netip.Prefix, error) { return networks(c.TrustedProxies) }

// Outgoing returns the networks that may be called although they are not on the internet.
func (c Config) Outgoing() ([]netip.Prefix, error) { return networks(c.OutgoingAllow) }

// networks reads addresses and networks. IPv4-mapped ones become IPv4.
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

// PushContact returns whom a push service may contact, as a mailto: or an https: address. A
// server for trying Latchkey out on this machine has no address that others can reach; it uses
// the project's address.
func (c Config) PushContact() (string, error) {
	contact := c.Push.Contact
	if contact == "" {
		base, err := c.Base()
		switch {
		case err != nil:
			return "", err
		case base.Scheme == "http":
			return projectURL, nil
		}
		return base.String(), nil
	}
	address := strings.TrimPrefix(contact, "mailto:")
	if a, err := identity.ParseMailAddress(address); err == nil {
		return "mailto:" + a.Sent(), nil
	}
	if u, err := url.Parse(contact); err == nil && u.Scheme == "https" && u.Hostname() != "" && u.User == nil {
		return contact, nil
	}
	return "", errors.New("must be a mail address, or an address that begins with https://")
}

const projectURL = "https://github.com/latchkey-id/latchkey"

// PushServices returns the push services that may be called, or nil if notifications are
// disabled.
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

// Keys reads the root keys.
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

// MakeKeys writes a file with a new root key and mode 0600, unless there are keys already, which
// the database may depend on.
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
	// Nothing may be sealed under a root key that a power failure could lose.
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(fmt.Errorf("keys: %w", err), os.Remove(f.Name()))
	}
	return nil
}

// KeysName says where the root keys are: the path of their file, or the variable.
func (c Config) KeysName() string {
	if c.KeysApart() {
		return Variable("keys")
	}
	return c.Path(c.KeysFile)
}

// Files returns the names of the files that c names, except for the database and the keys.
func (c Config) Files() []string {
	return slices.DeleteFunc([]string{c.TLSCert, c.TLSKey, c.Mail.PasswordFile}, func(name string) bool { return name == "" })
}

// KeysApart reports whether the keys are in an environment variable, so that no file must be
// written.
func (c Config) KeysApart() bool { return c.keys != "" }

// Password reads the password of User.
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
