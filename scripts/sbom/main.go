// Sbom writes the list of what a Go program was built from as a CycloneDX 1.5
// document (ECMA-424): sbom PROGRAM > sbom.cdx.json.
//
// It reads what the Go tool noted in the program itself, so it lists what is in
// there and nothing else; a go.mod also names what only tests use. What was
// copied in from npm and is compiled in as a file, it finds by the package.json
// beside it. The document
// has neither a serial number nor a time: the same program always gives the
// same bytes.
package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"runtime/debug"
	"strings"

	"github.com/latchkey-id/latchkey/static/authenticator"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: sbom PROGRAM > sbom.cdx.json")
		os.Exit(2)
	}
	info, err := buildinfo.ReadFile(os.Args[1])
	if err == nil {
		err = write(os.Stdout, info)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

// A document is as much of CycloneDX as a Go program needs.
type document struct {
	Schema       string       `json:"$schema"`
	Format       string       `json:"bomFormat"`
	Spec         string       `json:"specVersion"`
	Version      int          `json:"version"`
	Metadata     metadata     `json:"metadata"`
	Components   []component  `json:"components"`
	Dependencies []dependency `json:"dependencies"`
}

type metadata struct {
	Component component `json:"component"`
}

type component struct {
	Ref        string     `json:"bom-ref"`
	Type       string     `json:"type"`
	Name       string     `json:"name"`
	Version    string     `json:"version"`
	Hashes     []hash     `json:"hashes,omitempty"`
	Licenses   []license  `json:"licenses,omitempty"`
	PURL       string     `json:"purl"`
	Properties []property `json:"properties,omitempty"`
}

type hash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

// A license is named by its SPDX expression.
type license struct {
	Expression string `json:"expression"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type dependency struct {
	Ref string   `json:"ref"`
	On  []string `json:"dependsOn"`
}

// write lists what is in a program: the standard library and, in the order of
// the note, the modules.
func write(w io.Writer, info *debug.BuildInfo) error {
	program := module("application", &info.Main)
	for _, s := range info.Settings {
		program.Properties = append(program.Properties, property{"build:" + s.Key, s.Value})
	}
	library := strings.TrimPrefix(info.GoVersion, "go")
	all := []component{{Ref: "pkg:golang/std@" + library, Type: "library", Name: "std", Version: library, PURL: "pkg:golang/std@" + library}}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		all = append(all, module("library", m))
	}
	copied, err := packages(authenticator.Files)
	if err != nil {
		return err
	}
	all = append(all, copied...)
	on := dependency{Ref: program.Ref}
	for i := range all {
		on.On = append(on.On, all[i].Ref)
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(document{Schema: "http://cyclonedx.org/schema/bom-1.5.schema.json", Format: "CycloneDX", Spec: "1.5", Version: 1,
		Metadata: metadata{program}, Components: all, Dependencies: []dependency{on}})
}

// module is a component for a Go module. Its hash is that of go.sum, which is
// one over the hashes of its files (golang.org/x/mod/sumdb/dirhash); of the
// program itself the Go tool knows none.
func module(kind string, m *debug.Module) component {
	purl := "pkg:golang/" + m.Path + "@" + m.Version
	c := component{Ref: purl, Type: kind, Name: m.Path, Version: m.Version, PURL: purl}
	if sum, ok := strings.CutPrefix(m.Sum, "h1:"); ok {
		if raw, err := base64.StdEncoding.DecodeString(sum); err == nil {
			c.Hashes = []hash{{"SHA-256", hex.EncodeToString(raw)}}
		}
	}
	return c
}

// packages are the npm packages of which files is made, each found by its
// package.json. The hash is that of the file it names as its main one, which
// lies beside it.
func packages(files fs.FS) ([]component, error) {
	var all []component
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() != "package.json" {
			return err
		}
		data, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		var p struct{ Name, Version, License, Main string }
		if err := json.Unmarshal(data, &p); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		main, err := fs.ReadFile(files, path.Join(path.Dir(name), path.Base(p.Main)))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		sum := sha256.Sum256(main)
		purl := "pkg:npm/" + p.Name + "@" + p.Version
		all = append(all, component{Ref: purl, Type: "library", Name: p.Name, Version: p.Version, PURL: purl,
			Hashes: []hash{{"SHA-256", hex.EncodeToString(sum[:])}}, Licenses: []license{{p.License}}})
		return nil
	})
	return all, err
}
