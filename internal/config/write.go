package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// initialFile is what init writes: what was decided, and what else could be.
const initialFile = `# Latchkey's configuration. Every key can also be set by an environment
# variable: LATCHKEY_ and the key in capitals, LATCHKEY_MAIL_HOST for host below
# [mail]. Paths are relative to this file. "latchkey config validate" checks it.

# The address people reach Latchkey by. It goes into links, issuers and
# entityIDs: changing it later breaks applications and web authenticators.
base_url = %q

# An address of its own for the web authenticator, which leads to this server
# too. Changing it ends all web authenticators.
#authenticator_url = "https://auth.example.org"

# The address to listen on.
listen = %q

# A second address, for /healthz, /readyz and profiles (/debug/pprof/). Not for
# everybody: a profile shows what is in memory.
#metrics_listen = "localhost:9090"

# How long it serves on after it was told to stop, so that load balancers notice.
#stop_delay = "5s"

# The server's certificate with its chain, and its key; or the proxy that ends
# TLS, which is believed about where a request came from. https needs one of the two.
%s
#trusted_proxies = ["10.0.0.0/8"]

# The header in which it says where a request came from: this one, or Forwarded.
#forwarded_header = "X-Forwarded-For"

# By how much the clock of a SAML application may be wrong.
#saml_clock_skew = "3m"

# Networks it may call although they are not on the internet: those of
# applications of your own whose metadata it fetches.
#outgoing_allow = ["10.20.0.0/16"]

# A list of passwords that were in breaches, which nobody may choose.
#breached_passwords = "pwned-passwords-sha1-ordered-by-hash.txt"

# Where addresses are, as people are shown it: a file such as GeoLite2-City.mmdb.
#location_database = "GeoLite2-City.mmdb"

# An SQLite file, or postgres://user@host/database.
database = %q

# How long a start waits for a PostgreSQL server that does not answer.
#database_wait = "1m"

# How many seconds a request waits for the database before it is answered 503.
#database_timeout = 5

# Without this file nothing sealed in the database can be read. Keep a copy of
# it apart from the database's.
keys_file = %q

# How mails leave. Until this is set they wait in the outbox.
#[mail]
#host = "smtp.example.org"
#port = 587
#tls = "starttls" # or "tls", or "none" on this machine
#user = "latchkey"
#password_file = "mail.password"
#from = "login@example.org"
#folder = "mails" # instead of host, for development: mails become files

# Whom a push service may write to (base_url, unless another is named), and
# services beside those of the usual browsers, or "none" at all.
#[push]
#contact = "helpdesk@example.org"
#services = ["push.example.org"]
`

// Write writes latchkey.toml. If the file exists, it returns an error that wraps fs.ErrExist.
func (c Config) Write() error {
	f, err := os.OpenFile(filepath.Join(c.dir, File), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("config: %w", err)
	}
	certificate := "#tls_cert = \"cert.pem\"\n#tls_key = \"key.pem\""
	if c.TLSCert != "" {
		certificate = fmt.Sprintf("tls_cert = %q\ntls_key = %q", c.TLSCert, c.TLSKey)
	}
	_, err = fmt.Fprintf(f, initialFile, c.BaseURL, c.Listen, certificate, c.Database, c.KeysFile)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(fmt.Errorf("config: %w", err), os.Remove(f.Name()))
	}
	return nil
}

// WithDatabase returns the text of a configuration with another database. Everything else is
// unchanged.
func WithDatabase(text, source string) string {
	line := fmt.Sprintf("database = %q", source)
	if n := lineOf(text, "database"); n > 0 {
		lines := strings.Split(text, "\n")
		lines[n-1] = line
		return strings.Join(lines, "\n")
	}
	return line + "\n" + text // at the beginning, before any table
}
