package demo

import (
	"io"
	"slices"
	"testing"

	"github.com/latchkey-id/latchkey/locales/localestest"
)

func TestEachTemplateHasOneType(t *testing.T) {
	pages, err := parsePages()
	if err != nil {
		t.Fatal(err)
	}
	catalog := localestest.Catalog(t)
	files := []string{"layout.html"}
	for _, b := range []body{startPage{}, applicationPage{}, refusalPage{}, signedOutPage{}, mailListPage{}, mailPage{}, passcodesPage{}} {
		file := b.template()
		if slices.Contains(files, file) {
			t.Errorf("%T has the file of another type, %s", b, file)
		}
		files = append(files, file)
		if pages[file] == nil {
			t.Errorf("%T has no file %s", b, file)
			continue
		}
		if err := pages[file].ExecuteTemplate(io.Discard, "layout", page{L: catalog.Negotiate("en", "", "", ""), Body: b}); err != nil {
			t.Errorf("%T: %v", b, err)
		}
	}
	if got, want := len(files), len(pages); got != want {
		t.Errorf("%d files have types, want all %d", got, want)
	}
}
