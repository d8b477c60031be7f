// Package static holds the files the browser fetches beside a page: the style
// sheet, the scripts and the icons, compiled into the program.
//
// Each file is served under a name that contains the hash of its content, so that a
// browser may cache it for ever and still never shows a page of one release with
// the style of another. No file refers to another origin: the pages work in a
// network without access to the internet.
package static

import (
	"crypto/sha256"
	"embed"
	"encoding/base32"
	"fmt"
	"net/http"
	"path"
	"strings"
)

// Prefix is the path under which Handler expects to be mounted.
const Prefix = "/static/"

//go:embed *.css *.js *.svg
var embedded embed.FS

// mediaTypes are fixed here: the machine's own tables may be missing or wrong, and
// with nosniff a script of the wrong type does not run.
var mediaTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

// An asset is a file and the name it is served by.
type asset struct {
	File
	served string // latchkey.mzxw6ytboi5ggzdf.css
	media  string
}

// assets are all files, by name. They never change while the program runs.
var assets = index()

func index() map[string]asset {
	entries, err := embedded.ReadDir(".")
	if err != nil {
		panic(err) // the program was not built correctly
	}
	all := make(map[string]asset, len(entries))
	for _, entry := range entries {
		name := entry.Name()
		content, err := embedded.ReadFile(name)
		if err != nil {
			panic(err)
		}
		hash := sha256.Sum256(content)
		ext := path.Ext(name)
		served := strings.TrimSuffix(name, ext) + "." + strings.ToLower(base32.StdEncoding.EncodeToString(hash[:10])) + ext
		all[name] = asset{NewFile(content), served, mediaTypes[ext]}
	}
	return all
}

// Asset returns the address of a file, such as
// "/static/latchkey.mzxw6ytboi5ggzdf.css" for "latchkey.css". It panics if there is
// no such file: names stand in templates and code, never in input.
func Asset(name string) string {
	a, ok := assets[name]
	if !ok {
		panic(fmt.Sprintf("static: no file %q", name))
	}
	return Prefix + a.served
}

// Handler serves the files. They may be cached for ever: changed content has another
// name.
func Handler() http.Handler {
	served := make(map[string]asset, len(assets))
	for _, a := range assets {
		served[Prefix+a.served] = a
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, ok := served[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", a.media)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		a.File.Serve(w, r)
	})
}
