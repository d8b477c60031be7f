// Package webtest makes the sites that tests of handlers serve.
package webtest

import (
	"log/slog"
	"net/url"
	"sync"
	"testing"

	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/web"
	"github.com/latchkey-id/latchkey/locales/localestest"
	"github.com/latchkey-id/latchkey/static"
	"github.com/latchkey-id/latchkey/templates"
)

// pages are parsed once for all tests of a package.
var pages = sync.OnceValues(func() (*templates.Set, error) { return templates.New(static.Asset) })

// Site returns one at an address, with all that the program compiles in. Its log is
// discarded; a test that reads it sets another.
func Site(t testing.TB, db *store.DB, base string) *web.Site {
	t.Helper()
	set, err := pages()
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	return &web.Site{DB: db, Catalog: localestest.Catalog(t), Pages: set, Log: slog.New(slog.DiscardHandler), Base: u,
		Sessions: web.NewSessions(db.CookieKeys(), u.Scheme == "https")}
}
