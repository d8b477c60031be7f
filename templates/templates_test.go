package templates

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/latchkey-id/latchkey/locales"
	"github.com/latchkey-id/latchkey/locales/localestest"
	"github.com/latchkey-id/latchkey/static"
)

func newSet(t testing.TB) *Set {
	t.Helper()
	set, err := New(static.Asset)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func loadCatalog(t testing.TB) *locales.Catalog {
	t.Helper()
	catalog, err := locales.Load()
	if err != nil {
		t.Fatal(err)
	}
	return catalog
}

// TestEveryPageInEveryLanguage renders each sample in each language and checks
// it by checkPage. With LATCHKEY_PAGES set to a folder it writes the pages
// there, for people and browsers.
func TestEveryPageInEveryLanguage(t *testing.T) {
	set, catalog := newSet(t), loadCatalog(t)
	folder := os.Getenv("LATCHKEY_PAGES")
	for _, s := range samples() {
		for _, language := range catalog.Languages() {
			name := fmt.Sprintf("%s.%s", s.name, language.Tag)
			t.Run(name, func(t *testing.T) {
				var b bytes.Buffer
				p := s.filled(catalog.Negotiate(language.Tag, "", "", ""), catalog.Languages())
				if err := set.Render(&b, p); err != nil {
					t.Fatal(err)
				}
				if folder != "" {
					if err := os.WriteFile(filepath.Join(folder, name+".html"), b.Bytes(), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				checkPage(t, b.String())
			})
		}
	}
}

// TestEachTemplateHasOneType also executes the template of each type for the
// zero value; the samples are executed by TestEveryPageInEveryLanguage.
func TestEachTemplateHasOneType(t *testing.T) {
	set, l := newSet(t), loadCatalog(t).Negotiate("en", "", "", "")
	sampled := make(map[string]Body) // by the name of the type
	for _, s := range samples() {
		sampled[reflect.TypeOf(s.page.Body).Name()] = s.page.Body
	}
	typeOf := make(map[string]string) // by the name of the file
	for _, name := range typesWith(t, "template") {
		body := sampled[name]
		if body == nil {
			t.Errorf("no sample of %s", name)
			continue
		}
		file := body.template()
		if typeOf[file] != "" {
			t.Errorf("%s and %s both are pages/%s", typeOf[file], name, file)
		}
		typeOf[file] = name
		if set.pages[file] == nil {
			t.Errorf("%s has no pages/%s", name, file)
			continue
		}
		zero := reflect.Zero(reflect.TypeOf(body)).Interface().(Body)
		if err := set.Render(io.Discard, Page{L: l, Body: zero}); err != nil {
			t.Errorf("the zero %s: %v", name, err)
		}
	}
	for file := range set.pages {
		if typeOf[file] == "" {
			t.Errorf("pages/%s has no type", file)
		}
	}
}

// typesWith reads from the source of this package the names of all types that
// have the method.
func typesWith(t *testing.T, method string) []string {
	t.Helper()
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, source := range sources {
		parsed, err := parser.ParseFile(token.NewFileSet(), source, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range parsed.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv != nil && f.Name.Name == method {
				names = append(names, types.ExprString(f.Recv.List[0].Type))
			}
		}
	}
	return names
}

func TestRenderRefusesAPageWithoutABody(t *testing.T) {
	if err := newSet(t).Render(io.Discard, Page{}); err == nil {
		t.Error("rendered a page without a body")
	}
}

// checkPage reports what no page may have.
func checkPage(t *testing.T, page string) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	ids := make(map[string]bool)
	labelled := make(map[string]bool)
	var inputs []*html.Node
	headings := 0
	for n := range root.Descendants() {
		if n.Type == html.TextNode {
			if strings.Contains(n.Data, "{") && n.Parent.DataAtom != atom.Style {
				t.Errorf("text with an argument not given: %q", n.Data)
			}
			if words := strings.TrimSpace(n.Data); isRawKey(words) {
				t.Errorf("raw key %q", words)
			}
			continue
		}
		if n.Type != html.ElementNode {
			continue
		}
		for _, a := range n.Attr {
			switch {
			case a.Key == "style" || strings.HasPrefix(a.Key, "on"):
				t.Errorf("<%s %s=%q>: the policy forbids it", n.Data, a.Key, a.Val)
			case a.Key == "id" && ids[a.Val]:
				t.Errorf("two elements have the id %q", a.Val)
			case a.Key == "id":
				ids[a.Val] = true
			case a.Key == "for":
				labelled[a.Val] = true
			case (a.Key == "aria-label" || a.Key == "alt" || a.Key == "title") && (isRawKey(a.Val) || strings.Contains(a.Val, "{")):
				t.Errorf("<%s %s=%q> is no text", n.Data, a.Key, a.Val)
			case a.Key == "href" && strings.Contains(a.Val, "ZgotmplZ"), a.Key == "action" && strings.Contains(a.Val, "ZgotmplZ"):
				t.Errorf("<%s %s>: unsafe address", n.Data, a.Key)
			}
		}
		switch n.DataAtom {
		case atom.H1:
			headings++
		case atom.Script:
			if attr(n, "src") == "" || n.FirstChild != nil {
				t.Error("inline script")
			}
		case atom.Input:
			if attr(n, "type") != "hidden" {
				inputs = append(inputs, n)
			}
		}
	}
	if headings != 1 {
		t.Errorf("%d headings of the first order, want 1", headings)
	}
	for _, n := range inputs {
		wrapped := false
		for p := n.Parent; p != nil; p = p.Parent {
			wrapped = wrapped || p.DataAtom == atom.Label
		}
		if !wrapped && !labelled[attr(n, "id")] {
			t.Errorf("input %q has no label", attr(n, "name"))
		}
	}
	for n := range root.Descendants() {
		for _, key := range []string{"aria-describedby", "aria-labelledby", "form", "for"} {
			if id := attr(n, key); id != "" && !ids[id] {
				t.Errorf("<%s %s=%q> refers to nothing", n.Data, key, id)
			}
		}
	}
}

// isRawKey reports whether words look like a locale key without a text.
func isRawKey(words string) bool {
	area, rest, found := strings.Cut(words, ".")
	return found && area != "" && rest != "" && !strings.ContainsAny(words, " @/0123456789") &&
		strings.ToLower(words) == words && area != "anna" && !strings.HasSuffix(words, ".")
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func TestENR13_FallbackIsMarked(t *testing.T) {
	set, catalog := newSet(t), localestest.Partial(t)
	dutch := catalog.Negotiate("nl", "", "", "")
	var b bytes.Buffer
	if err := set.Render(&b, Page{L: dutch, Body: Ended{}}); err != nil {
		t.Fatal(err)
	}
	if want := `<p><span lang="en" dir="ltr">`; !strings.Contains(b.String(), want) {
		t.Errorf("no %s in\n%s", want, b.String())
	}
	if want := `<html lang="nl" dir="ltr">`; !strings.Contains(b.String(), want) {
		t.Errorf("no %s", want)
	}
}

// All fields of a page belong to the form that the buttons of the language menu
// submit.
func TestENR13_PickingALanguageLosesNothingTyped(t *testing.T) {
	set, catalog := newSet(t), loadCatalog(t)
	for _, s := range samples() {
		if _, sends := s.page.Body.(AutoPost); sends {
			continue // it is submitted at once and need not be read in another language
		}
		p := s.page
		p.L, p.Languages = catalog.Negotiate("en", "", "", ""), catalog.Languages()
		var b bytes.Buffer
		if err := set.Render(&b, p); err != nil {
			t.Fatal(err)
		}
		root, err := html.Parse(&b)
		if err != nil {
			t.Fatal(err)
		}
		languages := 0
		for n := range root.Descendants() {
			switch {
			case n.DataAtom == atom.Button && attr(n, "name") == "language":
				languages++
				if attr(n, "form") != "step" || !has(n, "formnovalidate") {
					t.Errorf("%s: the button for %s sends another form, or stops at an empty field", s.name, attr(n, "value"))
				}
			case n.DataAtom == atom.Input && formOf(n) != "step":
				t.Errorf("%s: the field %s is not in the form", s.name, attr(n, "name"))
			}
		}
		if got, want := languages, len(p.Languages); got != want {
			t.Errorf("%s: %d languages, want %d", s.name, got, want)
		}
	}
}

// formOf is the id of the form that contains a field.
func formOf(n *html.Node) string {
	for ; n != nil; n = n.Parent {
		if n.DataAtom == atom.Form {
			return attr(n, "id")
		}
	}
	return ""
}

func has(n *html.Node, key string) bool {
	for _, a := range n.Attr {
		if a.Key == key {
			return true
		}
	}
	return false
}

func TestENR4_WithoutAProvedPasswordThePageTellsNothing(t *testing.T) {
	set, l := newSet(t), loadCatalog(t).Negotiate("en", "", "", "")
	for _, body := range []Body{
		EnrollOffer{Application: payroll, Name: anna},
		EnrollCode{Application: payroll, Name: anna, Minutes: 10},
	} {
		var b bytes.Buffer
		if err := set.Render(&b, Page{L: l, Body: body}); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(b.String(), "We sent") || strings.Contains(b.String(), "•") {
			t.Errorf("%T says that a code was sent, or where to", body)
		}
	}
}

func TestJRN14_OneFieldThatTakesWhatIsPasted(t *testing.T) {
	set, l := newSet(t), loadCatalog(t).Negotiate("en", "", "", "")
	for _, body := range []Body{Passcode{}, EnrollCode{}} {
		var b bytes.Buffer
		if err := set.Render(&b, Page{L: l, Body: body}); err != nil {
			t.Fatal(err)
		}
		root, err := html.Parse(&b)
		if err != nil {
			t.Fatal(err)
		}
		var fields []*html.Node
		for n := range root.Descendants() {
			if n.DataAtom == atom.Input && attr(n, "type") != "hidden" {
				fields = append(fields, n)
			}
		}
		if len(fields) != 1 {
			t.Fatalf("%T: %d fields, want 1", body, len(fields))
		}
		for key, want := range map[string]string{"type": "text", "autocomplete": "one-time-code", "inputmode": "numeric", "pattern": ""} {
			if got := attr(fields[0], key); got != want {
				t.Errorf("%T: %s is %q, want %q", body, key, got, want)
			}
		}
		if room, err := strconv.Atoi(attr(fields[0], "maxlength")); err != nil || room < 16 {
			t.Errorf("%T: room for %d characters, want 16 at least", body, room)
		}
	}
}

// Names that people type and names of applications are shown on the pages; none
// of them may become markup.
func TestHostileNamesStayText(t *testing.T) {
	set, catalog := newSet(t), loadCatalog(t)
	const evil = `"><script src=//evil.example></script><img onerror=x>'`
	for _, body := range []Body{
		Password{Application: evil, Name: evil},
		Push{Application: evil, Name: evil, Number: "47", IP: evil, Place: evil, Browser: evil},
		Me{Name: evil, Applications: []Link{{evil, "javascript:alert(1)"}}},
		MeAuthenticators{Name: evil, Authenticators: []Authenticator{{Name: evil, Serial: evil}}},
		Problem{Application: evil, Home: "javascript:alert(1)"},
		AutoPost{Application: evil, To: "javascript:alert(1)", Fields: []Field{{evil, evil}}},
	} {
		var b bytes.Buffer
		p := Page{L: catalog.Negotiate("ar", "", "", ""), Tenant: Brand{evil, evil}, Problem: evil, ErrorID: evil, Body: body}
		if err := set.Render(&b, p); err != nil {
			t.Fatal(err)
		}
		for _, bad := range []string{"<script src=//evil", "<img", "javascript:"} {
			if strings.Contains(b.String(), bad) {
				t.Errorf("%T: %s got through", body, bad)
			}
		}
	}
}

func TestUnknownProblemSaysSomethingSensible(t *testing.T) {
	p := Page{L: loadCatalog(t).Negotiate("en", "", "", ""), Problem: "error.nobody.wrote.this"}
	if got, want := p.ProblemText().Key, "error.internal"; got != want {
		t.Errorf("ProblemText = %q, want %q", got, want)
	}
}

func TestMailsInEveryLanguage(t *testing.T) {
	set, catalog := newSet(t), loadCatalog(t)
	for _, s := range mailSamples() {
		name := s.name()
		mail := stored(t, s.mail)
		for _, language := range catalog.Languages() {
			m, err := set.RenderMail(mail, catalog.Negotiate(language.Tag, "", "", ""), Brand{"Example Hospital", "help@example.org"})
			if err != nil {
				t.Fatalf("%s, %s: %v", name, language.Tag, err)
			}
			for _, part := range []string{m.Subject, m.Text, m.HTML} {
				if strings.Contains(part, "mail.") || strings.Contains(part, "page.") || part == "" {
					t.Errorf("%s, %s: raw key or nothing in %q", name, language.Tag, part)
				}
			}
			if strings.ContainsAny(m.Subject, "\r\n{") || strings.Contains(m.Text, "{") {
				t.Errorf("%s, %s: subject %q, text %q", name, language.Tag, m.Subject, m.Text)
			}
			if folder := os.Getenv("LATCHKEY_PAGES"); folder != "" {
				if err := os.WriteFile(filepath.Join(folder, "mail-"+name+"."+language.Tag+".html"), []byte(m.HTML), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// Whom a mail speaks to is who reads it. Each alert is rendered for the user and for
// operators, who are never called by the user's name, never told that something is theirs,
// and never sent for help to themselves; all other mails are for the user. Without the case
// for operators in UserLocked or PasscodesLocked this fails.
func TestADM8_MailsSpeakToTheirReader(t *testing.T) {
	set, catalog := newSet(t), loadCatalog(t)
	english := catalog.Negotiate("en", "", "", "")
	yours := regexp.MustCompile(`(?i)\b(you|your|yours|yourself)\b`)
	alerts := 0
	for _, s := range mailSamples() {
		alert, both := s.mail.(Alert)
		if !both {
			if d := s.mail.draft(english); d.Operators || d.Greeting.Key != "mail.greeting" {
				t.Errorf("%s is for users alone and greets %q", s.name(), d.Greeting.Key)
			}
			continue
		}
		if locked, ok := alert.(AuthenticatorLocked); ok && locked.By == LockedByOperator {
			continue // they did it, and get no mail
		}
		alerts++
		for _, language := range catalog.Languages() {
			l := catalog.Negotiate(language.Tag, "", "", "")
			d := alert.ForOperators().draft(l)
			if !d.Operators || d.Greeting.Key != "mail.greeting.operators" {
				t.Errorf("%s greets operators by %q", s.name(), d.Greeting.Key)
			}
			// What says *you* in English is about the user in every language.
			for _, text := range append([]Text{d.Subject, d.Preview, d.Warning}, d.Sentences...) {
				if said := english.T(text.Key, text.Args...); yours.MatchString(said) {
					t.Errorf("%s says to operators: %s", s.name(), said)
				}
			}
			m, err := set.RenderMail(alert.ForOperators(), l, Brand{"Example Hospital", "help@example.org"})
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(m.Text, anna) || !strings.Contains(m.HTML, anna) || strings.Contains(m.Text+m.HTML, "help@example.org") {
				t.Errorf("%s, %s: does not name the user, or names the help desk to itself:\n%s", s.name(), language.Tag, m.Text)
			}
			if strings.Contains(m.Subject, anna) {
				t.Errorf("the subject %q names the user: mail servers log subjects", m.Subject)
			}
		}
	}
	if alerts < 10 {
		t.Errorf("%d samples of alerts", alerts)
	}
}

func TestMailWithACode(t *testing.T) {
	set, catalog := newSet(t), loadCatalog(t)
	code := VerificationCode{Name: anna, Application: payroll, Code: "482913", Minutes: 10, Origin: Origin{IP: "192.0.2.17", At: at}}
	m, err := set.RenderMail(code, catalog.Negotiate("en", "", "", ""), Brand{})
	if err != nil {
		t.Fatal(err)
	}
	if first, _, _ := strings.Cut(m.Text, "\n"); !strings.Contains(first, code.Code) {
		t.Errorf("the first line is %q, want the code in it", first)
	}
	for _, want := range []string{code.Origin.IP, code.Application, code.Name} {
		if !strings.Contains(m.Text, want) || !strings.Contains(m.HTML, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if strings.Contains(m.Subject, code.Code) {
		t.Errorf("the subject %q tells the code: mail servers log subjects", m.Subject)
	}
}

// stored is a mail as it comes out of the outbox.
func stored(t *testing.T, m Mail) Mail {
	t.Helper()
	args, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	read, err := ParseMail(m.Kind(), args)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(read, m) {
		t.Errorf("%+v comes out of the outbox as %+v", m, read)
	}
	return read
}

func TestEachMailCanBeStored(t *testing.T) {
	sampled := make(map[string]string) // the kind, by the name of the type
	for _, s := range mailSamples() {
		sampled[reflect.TypeOf(s.mail).Name()] = s.mail.Kind()
	}
	kinds := make(map[string]bool)
	for _, name := range typesWith(t, "draft") {
		kind := sampled[name]
		if kind == "" {
			t.Errorf("no sample of %s", name)
		}
		if kinds[kind] {
			t.Errorf("two types of mail have the kind %q", kind)
		}
		kinds[kind] = true
	}
	if got, want := len(mailTypes), len(kinds); got != want {
		t.Errorf("%d mailTypes, want %d", got, want)
	}
}

func TestParseMailRefuses(t *testing.T) {
	if _, err := ParseMail("chain letter", []byte(`{}`)); err == nil {
		t.Error("read a mail of unknown kind")
	}
	if _, err := ParseMail("verification-code", []byte(`[`)); err == nil {
		t.Error("read a mail from garbage")
	}
}
