package latchkey_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// A finding is a banned word or name at a place.
type finding struct {
	path, word, instead string
	line                int
}

// No name, comment or document uses a word that was given up. An exception that is no
// longer needed fails too.
func TestWords(t *testing.T) {
	used := make(map[exception]bool)
	for _, f := range readSources(t) {
		found, err := findWords(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range found {
			if e, ok := excepted(w); ok {
				used[e] = true
			} else {
				t.Errorf("%s:%d: not %q but %s", w.path, w.line, w.word, w.instead)
			}
		}
	}
	for _, e := range exceptions {
		if !used[e] {
			t.Errorf("the exception of %q in %s is no longer needed", e.word, e.path)
		}
	}
}

func excepted(f finding) (exception, bool) {
	for _, e := range exceptions {
		if strings.HasPrefix(f.path, e.path) && (e.word == "*" || e.word == f.word) {
			return e, true
		}
	}
	return exception{}, false
}

// findWords returns the banned words and names in a file: in its name, in the
// names that it declares, and in its comments or, where the file is a document,
// template or script, in its text.
func findWords(f sourceFile) ([]finding, error) {
	s := search{file: f}
	stem := strings.TrimSuffix(strings.TrimSuffix(f.path, path.Ext(f.path)), "_test")
	s.qualified(stem, 1)
	for _, part := range strings.Split(stem, "/") {
		s.words(part, 1, names)
	}
	switch path.Ext(f.path) {
	case ".go":
		return s.found, s.goFile()
	case ".js", ".mjs":
		s.script()
	case ".md":
		s.prose(code.ReplaceAllStringFunc(f.text, blank))
	case ".txt", ".json", ".xml", ".svg": // data, and what commands say
	default:
		s.prose(f.text)
	}
	return s.found, nil
}

// code is what a document quotes: documented values and commands.
var code = regexp.MustCompile("(?s:```.*?```)|`[^`\\n]*`|(?m:^    .*$)|\\]\\([^)\\n]*\\)")

// blank replaces all but the ends of lines, so that line numbers stay.
func blank(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' {
			return r
		}
		return ' '
	}, s)
}

// A search collects what is found in one file.
type search struct {
	file  sourceFile
	found []finding
}

func (s *search) add(word, instead string, line int) {
	s.found = append(s.found, finding{s.file.path, word, instead, line})
}

// qualified looks a name up as a whole.
func (s *search) qualified(name string, line int) {
	if instead, ok := bannedNames[name]; ok {
		s.add(name, instead, line)
	}
}

// words looks up each word of a text that is at least as public as at.
func (s *search) words(text string, line int, at scope) {
	all := splitWords(text)
	for i, word := range all {
		s.word(word, line, at)
		if i > 0 && at == names { // wayIn is "wayin"
			s.word(all[i-1]+word, line, at)
		}
	}
}

func (s *search) word(word string, line int, at scope) {
	if w, ok := bannedForms[word]; ok && at <= w.where {
		first, _, _ := strings.Cut(w.forms, " ")
		s.add(first, w.instead, line)
	}
}

var bannedForms = func() map[string]bannedWord {
	all := make(map[string]bannedWord)
	for _, w := range bannedWords {
		for form := range strings.FieldsSeq(w.forms) {
			all[form] = w
		}
	}
	return all
}()

// prose looks at a text that people read, line by line.
func (s *search) prose(text string) {
	text = plainPhrases.ReplaceAllStringFunc(text, blank)
	n := 0
	for line := range strings.Lines(text) {
		n++
		s.words(line, n, everywhere)
	}
}

// splitWords returns the words of a text in lower case. A change from lower to
// upper case begins a word, and so does the last capital of several: StartHouse
// and URLHouse end in "house".
func splitWords(text string) []string {
	var all []string
	var word []rune
	end := func() {
		if len(word) > 0 {
			all = append(all, strings.ToLower(string(word)))
		}
		word = word[:0]
	}
	runes := []rune(text)
	for i, r := range runes {
		if !unicode.IsLetter(r) {
			end()
			continue
		}
		if unicode.IsUpper(r) && i > 0 && (unicode.IsLower(runes[i-1]) ||
			unicode.IsUpper(runes[i-1]) && i+1 < len(runes) && unicode.IsLower(runes[i+1])) {
			end()
		}
		word = append(word, r)
	}
	end()
	return all
}

// goFile looks at the names that a Go file declares, and at its comments.
func (s *search) goFile() error {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, s.file.path, s.file.text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	line := func(n ast.Node) int { return files.Position(n.Pos()).Line }
	s.words(file.Name.Name, line(file.Name), names)
	pkg := strings.TrimSuffix(file.Name.Name, "_test")
	for _, d := range file.Decls {
		for _, name := range qualifiedNames(pkg, d) {
			s.qualified(name, line(d))
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		for _, id := range declares(n) {
			s.words(id.Name, line(id), names)
		}
		return true
	})
	for _, group := range file.Comments {
		for _, c := range group.List {
			text := plainPhrases.ReplaceAllStringFunc(c.Text, blank)
			n := 0
			for part := range strings.Lines(text) {
				s.words(part, line(c)+n, everywhere)
				n++
			}
		}
	}
	return nil
}

// declares returns the names that a node declares.
func declares(n ast.Node) []*ast.Ident {
	switch n := n.(type) {
	case *ast.FuncDecl:
		return []*ast.Ident{n.Name}
	case *ast.TypeSpec:
		return []*ast.Ident{n.Name}
	case *ast.ValueSpec:
		return n.Names
	case *ast.Field: // of a struct or interface, a parameter, a result, a receiver
		return n.Names
	case *ast.LabeledStmt:
		return []*ast.Ident{n.Label}
	case *ast.ImportSpec:
		if n.Name != nil {
			return []*ast.Ident{n.Name}
		}
	case *ast.AssignStmt:
		if n.Tok == token.DEFINE {
			return idents(n.Lhs...)
		}
	case *ast.RangeStmt:
		if n.Tok == token.DEFINE {
			return idents(n.Key, n.Value)
		}
	}
	return nil
}

func idents(all ...ast.Expr) []*ast.Ident {
	var found []*ast.Ident
	for _, e := range all {
		if id, ok := e.(*ast.Ident); ok {
			found = append(found, id)
		}
	}
	return found
}

// qualifiedNames returns the names of a declaration at the top of a file, as
// bannedNames writes them.
func qualifiedNames(pkg string, d ast.Decl) []string {
	if f, ok := d.(*ast.FuncDecl); ok {
		if f.Recv != nil {
			return []string{pkg + ".*." + f.Name.Name}
		}
		return []string{pkg + "." + f.Name.Name}
	}
	var all []string
	for _, spec := range d.(*ast.GenDecl).Specs {
		switch spec := spec.(type) {
		case *ast.ValueSpec:
			for _, id := range spec.Names {
				all = append(all, pkg+"."+id.Name)
			}
		case *ast.TypeSpec:
			all = append(all, pkg+"."+spec.Name.Name)
			for _, id := range members(spec.Type) {
				all = append(all, pkg+".*."+id.Name)
			}
		}
	}
	return all
}

func members(e ast.Expr) []*ast.Ident {
	var list []*ast.Field
	switch e := e.(type) {
	case *ast.StructType:
		list = e.Fields.List
	case *ast.InterfaceType:
		list = e.Methods.List
	}
	var all []*ast.Ident
	for _, f := range list {
		all = append(all, f.Names...)
	}
	return all
}

// scriptToken is a comment, a string or a name in JavaScript. A template literal
// is taken for a string, with the names in it.
var scriptToken = regexp.MustCompile("(?s)/\\*.*?\\*/|//[^\\n]*|\"(?:\\\\.|[^\"\\\\\\n])*\"|'(?:\\\\.|[^'\\\\\\n])*'|`(?:\\\\.|[^`\\\\])*`|[A-Za-z_$][\\w$]*")

// script looks at the names and comments of JavaScript.
func (s *search) script() {
	text := plainPhrases.ReplaceAllStringFunc(s.file.text, blank)
	for _, at := range scriptToken.FindAllStringIndex(text, -1) {
		token, line := text[at[0]:at[1]], s.file.line(at[0])
		switch token[0] {
		case '"', '\'', '`':
		case '/':
			for part := range strings.Lines(token) {
				s.words(part, line, everywhere)
				line++
			}
		default:
			s.words(token, line, names)
		}
	}
}

// Words are found in names, comments and documents, and not in strings: those
// are stored, sent or documented.
func TestWordsAreFound(t *testing.T) {
	for _, test := range []struct{ name, path, text, want string }{
		{"a type", "a/b.go", "package a\ntype House struct{}", "house:2"},
		{"a field", "a/b.go", "package a\ntype S struct{ doorbell int }", "bell:2"},
		{"a method", "a/b.go", "package a\nfunc (s S) OpenDoor() {}", "door:2"},
		{"a parameter", "a/b.go", "package a\nfunc f(tally int) {}", "tally:2"},
		{"a receiver", "a/b.go", "package a\nfunc (house S) f() {}", "house:2"},
		{"a variable", "a/b.go", "package a\nfunc f() {\n\tstranger := 1\n\t_ = stranger\n}", "stranger:3"},
		{"a loop variable", "a/b.go", "package a\nfunc f() {\n\tfor _, visitor := range all {\n\t}\n}", "visit:3"},
		{"a constant", "a/b.go", "package a\nconst atThisDoor = 1", "door:2"},
		{"a test helper", "a/b_test.go", "package a_test\nfunc newWalk() {}", "walk:2"},
		{"a package", "a/b.go", "package tenancy", "tenancy:1"},
		{"an imported package's other name", "a/b.go", "package a\nimport house \"os\"", "house:2"},
		{"a comment", "a/b.go", "package a\n\n// F opens the\n// doors.\nfunc F() {}", "door:4"},
		{"a comment on a name", "a/b.go", "package a\n\n// F returns a StartHouse.\nfunc F() {}", "house:3"},
		{"a comment in a block", "a/b.go", "package a\n\n/* Many\nerrands. */", "errand:4"},
		{"two words that are one", "a/b.go", "package a\nvar wayIn = 1", "wayin:2"},
		{"a capital after capitals", "a/b.go", "package a\nvar URLHouse = 1", "house:2"},
		{"a file", "a/house_test.go", "package a", "house:1"},
		{"a folder", "strangers/a.txt", "", "stranger:1"},
		{"a picture's folder", "annexe/a.svg", "", "annexe:1"},
		{"JavaScript", "a/b.js", "const x = 1;\nexport const vault = () => x;", "vault:2"},
		{"a property in JavaScript", "a/b.js", "x.rung = true;", "bell:1"},
		{"a comment in JavaScript", "a/b.js", "const quote = \"'\"; // a stranger's", "stranger:1"},
		{"a module", "a/doorbell.js", "", "bell:1"},
		{"a document", "a/b.md", "# A\n\nTwo\nfloors.", "floor:4"},
		{"a template", "a/b.html", "{{/* the annexe */}}", "annexe:1"},
		{"a script", "scripts/a", "# walks", "walk:1"},
		{"a type that was renamed", "internal/web/a.go", "package web\ntype Kit struct{}", "kit:2 web.Kit:2"},
		{"a method that was renamed", "internal/web/a.go", "package web\nfunc (s *Site) From() {}", "web.*.From:2"},
		{"a field that was renamed", "a/b.go", "package journey\ntype Facts struct{ Others int }", "journey.*.Others:2"},
		{"a function that was renamed", "a/b.go", "package idp\nfunc alone() {}", "idp.alone:2"},
		{"a file that was renamed", "internal/journey/context_test.go", "package journey", "internal/journey/context:1"},

		{"a method of another package", "a/b.go", "package a\nfunc (s *Site) From() {}", ""},
		{"a string", "a/b.go", "package a\nconst scheme = \"pipush\"", ""},
		{"a field's stored name", "a/b.go", "package a\ntype S struct{ R int `json:\"rung\"` }", ""},
		{"what others declared", "a/b.go", "package a\nimport \"path/filepath\"\nvar f = filepath.WalkDir", ""},
		{"part of a word", "a/b.go", "package a\n// A walkway, indoors, a bellow.\nvar warehouse = 1", ""},
		{"a name word in a comment", "a/b.go", "package a\n// On a second visit.", ""},
		{"a random walk", "a/b.go", "package a\n// Random walks over it.", ""},
		{"JavaScript's floor", "a/b.js", "const n = Math.floor(m); const s = 'stranger';", ""},
		{"code in a document", "a/b.md", "A link `otpauth://pipush/` and\n\n    house\n\n```\nfloor\n```\n[it](a/house.md).", ""},
		{"data", "a/b.json", `{"house": 1}`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			found, err := findWords(sourceFile{test.path, test.text})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range found {
				got = append(got, fmt.Sprintf("%s:%d", f.word, f.line))
			}
			slices.Sort(got)
			if got := strings.Join(got, " "); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
