package templates

import (
	"fmt"
	"html/template"
	"io"
	"maps"
	"slices"
	"testing"
	texttemplate "text/template"
	"text/template/parse"

	"github.com/latchkey-id/latchkey/locales"
)

// The samples are what is looked at, by people and by axe-core. A page that can
// look otherwise than any of them was looked at by nobody: so every condition
// in every page and mail must hold in one sample and fail in another, and every
// list have something in it here and nothing there.
func TestEveryBranchHasASample(t *testing.T) {
	set, catalog := mustNew(t), mustLoad(t)
	c := &coverage{t: t, ways: make(map[string]bool)}
	pages := make(map[string]*texttemplate.Template)
	for name, page := range set.pages {
		pages[name] = c.instrument(page)
	}
	mail := c.instrument(set.mail)
	l := catalog.Negotiate("en", "", "", "")
	for _, s := range samples() {
		if err := pages[s.page.Body.template()].ExecuteTemplate(io.Discard, "layout", s.filled(l, catalog.Languages())); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range mailSamples() {
		for _, help := range []string{"help@example.org", ""} {
			written := s.mail.letter(l)
			written.L, written.Tenant = l, Brand{"Example Hospital", help}
			if err := mail.ExecuteTemplate(io.Discard, "mail", written); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, way := range slices.Sorted(maps.Keys(c.ways)) {
		if !c.ways[way] {
			t.Errorf("no sample goes %s", way)
		}
	}
}

// coverage notes which ways through templates were gone.
type coverage struct {
	t    *testing.T
	ways map[string]bool
}

// instrument copies a page's templates into ones that tell which way they go.
// They are not html/template's, whose escaping would stumble over that.
func (c *coverage) instrument(page *template.Template) *texttemplate.Template {
	copied := texttemplate.New("page").Funcs(texttemplate.FuncMap{
		"asset": func(string) string { return "" },
		"t":     func(locales.Printer, string, ...any) string { return "" },
		"say":   func(locales.Printer, Text) string { return "" },
		"when":  When,
		"day":   Day,
		"steps": func() int { return wizard },
		"gone":  func(way string) string { c.ways[way] = true; return "" },
	})
	for _, one := range page.Templates() {
		if one.Tree == nil {
			continue
		}
		tree := one.Tree.Copy()
		c.mark(tree, tree.Root)
		if _, err := copied.AddParseTree(one.Name(), tree); err != nil {
			c.t.Fatal(err)
		}
	}
	return copied
}

// mark puts a note into both ways of each branch.
func (c *coverage) mark(tree *parse.Tree, list *parse.ListNode) {
	if list == nil {
		return
	}
	for _, node := range list.Nodes {
		switch n := node.(type) {
		case *parse.IfNode:
			c.branch(tree, &n.BranchNode, true)
		case *parse.WithNode:
			// The body is always there, and where a form goes is not seen.
			looks := !slices.Contains([]string{".Body", ".Action", "$.Action"}, n.Pipe.String())
			c.branch(tree, &n.BranchNode, looks)
		case *parse.RangeNode:
			c.branch(tree, &n.BranchNode, n.ElseList != nil)
		}
	}
}

func (c *coverage) branch(tree *parse.Tree, b *parse.BranchNode, both bool) {
	c.mark(tree, b.List)
	c.mark(tree, b.ElseList)
	at, _ := tree.ErrorContext(b)
	where := fmt.Sprintf("{{%s}} at %s", b.Pipe, at)
	b.List.Nodes = slices.Insert(b.List.Nodes, 0, c.note("into "+where))
	if !both {
		return
	}
	if b.ElseList == nil {
		b.ElseList = &parse.ListNode{NodeType: parse.NodeList}
	}
	b.ElseList.Nodes = slices.Insert(b.ElseList.Nodes, 0, c.note("past "+where))
}

// note is the node of {{gone way}}, a way that is known now and not gone yet.
func (c *coverage) note(way string) parse.Node {
	if _, known := c.ways[way]; !known {
		c.ways[way] = false
	}
	trees, err := parse.Parse("note", fmt.Sprintf("{{gone %q}}", way), "", "", map[string]any{"gone": fmt.Sprint})
	if err != nil {
		c.t.Fatal(err)
	}
	return trees["note"].Root.Nodes[0]
}
