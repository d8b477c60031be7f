// Package localestest has the catalogues for tests, among them one with an
// incomplete language, for tests of the fallback to English (ENR-13). The languages
// of the program itself are complete.
package localestest

import (
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/latchkey-id/latchkey/locales"
)

var catalog = sync.OnceValues(locales.Load)

// Catalog returns the program's catalogues, which are read once for all tests of a
// package: under the race detector that takes longer than most tests.
func Catalog(t testing.TB) *locales.Catalog {
	t.Helper()
	c, err := catalog()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Partial returns the program's catalogues with a few texts in Dutch beside
// them.
func Partial(t testing.TB) *locales.Catalog {
	t.Helper()
	files := fstest.MapFS{"nl/some.json": {Data: []byte(`{
		"language.name": "Nederlands",
		"identify.heading": "Inloggen",
		"app.title": "Authenticator",
		"app.accounts": "Uw accounts"
	}`)}}
	_, self, _, _ := runtime.Caller(0)
	own := os.DirFS(filepath.Join(filepath.Dir(self), ".."))
	names, err := fs.Glob(own, "*/*.json")
	if err != nil || len(names) == 0 {
		t.Fatalf("%d catalogues, %v", len(names), err)
	}
	for _, name := range names {
		data, err := fs.ReadFile(own, name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = &fstest.MapFile{Data: data}
	}
	catalog, err := locales.LoadFrom(files)
	if err != nil {
		t.Fatal(err)
	}
	return catalog
}
