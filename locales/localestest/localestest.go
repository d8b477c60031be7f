// Package localestest has a language that is not complete, for the tests of
// what is done then: each text that is missing is said in English and marked as
// such (ENR-13). The languages of the program itself lack nothing.
package localestest

import (
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/latchkey-id/latchkey/locales"
)

// Partial returns the program's catalogues and, beside them, a little Dutch.
func Partial(t testing.TB) *locales.Catalog {
	t.Helper()
	files := fstest.MapFS{"nl/some.json": {Data: []byte(`{
		"language.name": "Nederlands",
		"identify.heading": "Inloggen",
		"app.title": "Authenticator",
		"app.accounts": "Uw accounts"
	}`)}}
	names, err := fs.Glob(locales.Files(), "*/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		data, err := fs.ReadFile(locales.Files(), name)
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
