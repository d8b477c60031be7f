package demo

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/otp"
)

// stateFile identifies a folder as a demo's.
const stateFile = "demo.json"

// A state is what a demo keeps for its next run beside the server's database.
type state struct {
	Base         string            `json:"base"`
	Seeded       bool              `json:"seeded"`        // whether the seed is complete; if not, the demo begins anew
	Key          []byte            `json:"key"`           // of the service provider, PKCS #8
	Certificate  []byte            `json:"certificate"`   // of that key, DER
	CookieHash   []byte            `json:"cookie_hash"`   // key with which the relying party signs its cookies
	CookieBlock  []byte            `json:"cookie_block"`  // key with which it encrypts them
	ClientID     string            `json:"client_id"`     // of the relying party
	ClientSecret string            `json:"client_secret"` // made when it was registered
	Seeds        map[string][]byte `json:"seeds"`         // of authenticators that the demo added, by user name
}

// readState returns the state of a folder, nil if it holds no demo.
func readState(dir string) (*state, error) {
	text, err := os.ReadFile(filepath.Join(dir, stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	s := new(state)
	if err := json.Unmarshal(text, s); err != nil {
		return nil, fmt.Errorf("demo: %s is damaged; --fresh begins anew: %w", filepath.Join(dir, stateFile), err)
	}
	return s, nil
}

func (s *state) write(dir string) error {
	text, err := json.MarshalIndent(s, "", "\t")
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	if err := writeFile(filepath.Join(dir, stateFile), append(text, '\n')); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	return nil
}

// newState is the state of a new demo at an address.
func newState(base *url.URL) (*state, error) {
	s := &state{Base: base.String(), ClientID: "wiki", CookieHash: make([]byte, 32), CookieBlock: make([]byte, 32), Seeds: make(map[string][]byte)}
	rand.Read(s.CookieHash)
	rand.Read(s.CookieBlock)
	for _, p := range people {
		if p.authenticator {
			s.Seeds[p.name] = otp.NewSecret(otp.SHA1)
		}
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("demo: service provider's key: %w", err)
	}
	if s.Key, err = x509.MarshalPKCS8PrivateKey(key); err != nil {
		return nil, fmt.Errorf("demo: service provider's key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, fmt.Errorf("demo: service provider's certificate: %w", err)
	}
	now := time.Now()
	template := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: base.Host},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(10, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature}
	if s.Certificate, err = x509.CreateCertificate(rand.Reader, template, template, key.Public(), key); err != nil {
		return nil, fmt.Errorf("demo: service provider's certificate: %w", err)
	}
	return s, nil
}

// files are the files of a demo in its folder, which --fresh removes. It
// removes no others.
var files = []string{"latchkey.db", "latchkey.db-wal", "latchkey.db-shm", "latchkey.keys", "latchkey.toml", "mails", logFile, stateFile}

// clear removes a demo from its folder. The state file is removed last, so that
// a folder in which the removal failed is still recognised.
func clear(dir string) error {
	for _, name := range files {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("demo: --fresh: %w", err)
		}
	}
	return nil
}

// locate returns the base of a demo: that of its folder, or the requested one.
// It fails if something already listens there.
func locate(o Options) (*url.URL, error) {
	old, err := readState(o.Dir)
	if err != nil && !o.Fresh {
		return nil, err
	}
	address := o.Addr
	if address == "" {
		address = defaultAddress
		if old != nil {
			address = strings.TrimPrefix(old.Base, "http://")
		}
	}
	base, err := Base(address)
	if err != nil {
		return nil, err
	}
	if old != nil && old.Base != base.String() {
		if !o.Fresh {
			return nil, fmt.Errorf("demo: the one in %s lives at %s, and what was set up in it is bound to that address: "+
				"leave out --addr, take another --dir, or begin anew with --fresh", o.Dir, old.Base)
		}
		// The files of a running demo must not be removed.
		if err := checkFree(strings.TrimPrefix(old.Base, "http://")); err != nil {
			return nil, err
		}
	}
	return base, checkFree(address)
}

// checkFree fails if something listens at an address.
func checkFree(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("demo: %s cannot be had, perhaps because a demo is running there already; --addr names another: %w", address, err)
	}
	return l.Close()
}

// listenAddress is where a demo listens: the requested address or, without one,
// that of its base.
func listenAddress(asked string, base *url.URL) string {
	if asked != "" {
		return asked
	}
	return base.Host
}

// prepare returns the state of the demo in a folder. It makes the folder and a
// new state if there is none, if it is incomplete, or if the demo is to begin
// anew.
func prepare(dir string, base *url.URL, fresh bool) (*state, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	old, err := readState(dir)
	switch {
	case err != nil && !fresh:
		return nil, err
	case err == nil && old == nil:
		if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
			return nil, errors.Join(fmt.Errorf("demo: %s holds something else, and a demo wants a folder of its own", dir), err)
		}
	case err == nil && old.Seeded && !fresh:
		return old, nil
	}
	if err := clear(dir); err != nil {
		return nil, err
	}
	s, err := newState(base)
	if err != nil {
		return nil, err
	}
	return s, s.write(dir)
}

// DefaultPort is the default port of a demo.
const DefaultPort = "8080"

// defaultAddress is the default address of a demo.
const defaultAddress = "localhost:" + DefaultPort

// Base returns the base of a demo that listens at an address, which must be a
// loopback address. It is always localhost: WebAuthn accepts no IP address.
func Base(address string) (*url.URL, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("demo: --addr %q must be a host and a port, such as %s", address, defaultAddress)
	}
	if n, err := net.LookupPort("tcp", port); err != nil || n == 0 {
		return nil, fmt.Errorf("demo: --addr %q must have a port from 1 to 65535", address)
	}
	if host != "localhost" && !net.ParseIP(host).IsLoopback() {
		return nil, fmt.Errorf("demo: it gives away every password, so it listens on this machine alone: --addr localhost:%s; "+
			"to be reached from elsewhere, with a real phone say, use latchkey serve", port)
	}
	return &url.URL{Scheme: "http", Host: net.JoinHostPort("localhost", port)}, nil
}
