package server

import (
	"crypto/tls"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/latchkey-id/latchkey/internal/config"
)

// A certificate is the server's, read again when its file changes, so that a
// renewed one needs no restart.
type certificate struct {
	config config.Config
	log    *slog.Logger

	mu      sync.Mutex
	looked  time.Time
	changed time.Time
	pair    *tls.Certificate
}

const certificateLook = 10 * time.Second

func (c *certificate) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pair != nil && time.Since(c.looked) < certificateLook {
		return c.pair, nil
	}
	c.looked = time.Now()
	err := c.read()
	switch {
	case err != nil && c.pair == nil:
		return nil, err
	case err != nil: // half of a renewal, perhaps; the old one still serves
		c.log.WarnContext(hello.Context(), "the certificate cannot be read again", "err", err)
	}
	return c.pair, nil
}

func (c *certificate) read() error {
	file := c.config.Path(c.config.TLSCert)
	info, err := os.Stat(file)
	if err != nil || c.pair != nil && info.ModTime().Equal(c.changed) {
		return err
	}
	pair, err := tls.LoadX509KeyPair(file, c.config.Path(c.config.TLSKey))
	if err != nil {
		return err
	}
	c.pair, c.changed = &pair, info.ModTime()
	return nil
}
