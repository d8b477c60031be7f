// Reference writes docs/configuration.md from the comments on the fields of
// package config, so that what a key does is told once, where it is read.
package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"regexp"
	"strings"

	"github.com/latchkey-id/latchkey/internal/config"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "use: reference config.go configuration.md")
		os.Exit(2)
	}
	page, err := render(os.Args[1])
	if err == nil {
		err = os.WriteFile(os.Args[2], page, 0o644) // #nosec G306 -- documentation
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "reference:", err)
		os.Exit(1)
	}
}

const head = "# Configuration\n" + `
<!-- Made by "make docs" from the comments in internal/config/config.go. Change them there. -->

All of it is one TOML file, ` + "`latchkey.toml`" + `, in the server’s folder; every key may be missing. Paths
are relative to that folder. ` + "`latchkey config validate`" + ` says all that is wrong with it at once, each
problem with its line; a key that is not known is one, and nothing starts until it is mended.

Every key has an environment variable, which wins over the file: ` + "`LATCHKEY_`" + ` and the key in capitals,
with ` + "`_`" + ` for the dot. A list is parted by commas or spaces; a variable set to nothing is not set. With
` + "`_FILE`" + ` behind its name a variable is the path of a file that holds the value: so a database’s address
with a password in it, or the keys themselves, come from a mounted secret. A variable that begins
with ` + "`LATCHKEY_`" + ` and is none of these is refused, so that no slip of the hand goes unnoticed; those
that Kubernetes adds beside a service called latchkey are passed over.

Three more are read by commands: ` + "`LATCHKEY_DIR`" + ` stands for ` + "`--dir`" + `, ` + "`LATCHKEY_TENANT`" + ` for ` + "`--tenant`" + `,
` + "`LATCHKEY_PHONE_DIR`" + ` for ` + "`--dir`" + ` of ` + "`latchkey phone`" + `. What tenants decide while the server runs (policies,
applications, people) is in the database: see ` + "`latchkey policy`" + ` and [operating.md](operating.md).
`

// render is the page about the struct Config of a Go file.
func render(source string) ([]byte, error) {
	file, err := parser.ParseFile(token.NewFileSet(), source, nil, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	structs := make(map[string]*ast.StructType)
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.TypeSpec); ok {
			if s, ok := spec.Type.(*ast.StructType); ok {
				structs[spec.Name.Name] = s
			}
		}
		return true
	})
	if structs["Config"] == nil {
		return nil, fmt.Errorf("%s has no struct Config", source)
	}
	b := bytes.NewBufferString(head)
	p := page{b, structs, make(map[string]string)}
	p.name("Config", "")
	if err := p.keys("Config", ""); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// A page is being written.
type page struct {
	*bytes.Buffer
	structs map[string]*ast.StructType
	named   map[string]string // keys by their fields' names, where those are no words of their own
}

// setting is a field that sets a key.
type setting struct {
	field *ast.Field
	name  string // of the field
	key   string
	inner string // name of the struct it is, if it is one
}

// settings lists the fields of a struct that set keys.
func (p page) settings(of string) (all []setting) {
	for _, field := range p.structs[of].Fields.List {
		if field.Tag == nil || len(field.Names) != 1 {
			continue
		}
		key := reflect.StructTag(strings.Trim(field.Tag.Value, "`")).Get("toml")
		if key == "" {
			continue
		}
		s := setting{field: field, name: field.Names[0].Name, key: key}
		if t, ok := field.Type.(*ast.Ident); ok && p.structs[t.Name] != nil {
			s.inner = t.Name
		}
		all = append(all, s)
	}
	return all
}

// humps are the names in comments that can only be a field's: BaseURL is, TLS
// is not.
var humps = regexp.MustCompile(`\b[A-Z]+[a-z]+[A-Z][A-Za-z]*\b|\b[A-Z]{2,}[a-z]+\b`)

func (p page) name(of, table string) {
	for _, s := range p.settings(of) {
		p.named[s.name] = table + s.key
		if s.inner != "" {
			p.name(s.inner, table+s.key+".")
		}
	}
}

// told is a field's comment, with keys in place of names of Go.
func (p page) told(s setting, table, doc string) string {
	doc = humps.ReplaceAllStringFunc(doc, func(name string) string {
		if key, ok := p.named[name]; ok {
			return "`" + key + "`"
		}
		return name
	})
	if rest, ok := strings.CutPrefix(doc, s.name+" "); ok {
		return "`" + table + s.key + "` " + rest
	}
	return doc
}

// keys writes the keys of a struct, those of the structs in it below a header.
// A comment above two fields is about both.
func (p page) keys(of, table string) error {
	var doc string
	for _, s := range p.settings(of) {
		if text := strings.TrimSpace(s.field.Doc.Text()); text != "" {
			doc = text
		}
		if doc == "" {
			return fmt.Errorf("%s.%s has no comment", of, s.name)
		}
		if s.inner != "" {
			fmt.Fprintf(p, "\n## [%s]\n\n%s\n", s.key, p.told(s, table, doc))
			doc = ""
			if err := p.keys(s.inner, s.key+"."); err != nil {
				return err
			}
			continue
		}
		kind, err := kindOf(s.field.Type)
		if err != nil {
			return fmt.Errorf("%s.%s: %w", of, s.name, err)
		}
		fmt.Fprintf(p, "\n### `%s`\n\n%s; `%s`.\n\n%s\n", table+s.key, kind, config.Variable(table+s.key), p.told(s, table, doc))
	}
	return nil
}

// kindOf is a field's type in the words of TOML.
func kindOf(t ast.Expr) (string, error) {
	switch t := t.(type) {
	case *ast.Ident:
		switch t.Name {
		case "string":
			return "Text", nil
		case "int64":
			return "Whole number", nil
		}
	case *ast.ArrayType:
		return "List of texts", nil
	}
	return "", fmt.Errorf("a type of no key: %T", t)
}
