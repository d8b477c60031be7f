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

// The samples are what people and axe-core check. So that they show every state
// of every page and mail, every condition must be true in one sample and false
// in another, and every list must be empty in one sample and not in another.
func TestEveryBranchHasASample(t *testing.T) {
	set, catalog := newSet(t), loadCatalog(t)
	c := &coverage{t: t, ways: make(map[string]bool)}
	pages := make(map[string]*texttemplate.Template)
	for name, page := range set.pages {
		pages[name] = c.instrument(page)
	}
	mail := c.instrument(set.mail)
	l := catalog.Negotiate("en", "", "", "")
	for _, s := range samples() {
		page := s.filled(l, catalog.Languages())
		page.typed = set.typed[page.Body.template()]
		if err := pages[page.Body.template()].ExecuteTemplate(io.Discard, "layout", page); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range mailSamples() {
		for _, help := range []string{"help@example.org", ""} {
			written := s.mail.draft(l)
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

// coverage records which branches of templates were executed.
type coverage struct {
	t    *testing.T
	ways map[string]bool
}

// instrument copies a page's templates into ones that record their branches.
// They are of text/template: the escaping of html/template would fail on the
// copies.
func (c *coverage) instrument(page *template.Template) *texttemplate.Template {
	copied := texttemplate.New("page").Funcs(texttemplate.FuncMap{
		"asset": func(string) string { return "" },
		"t":     func(locales.Printer, string, ...any) string { return "" },
		"say":   func(locales.Printer, Text) string { return "" },
		"when":  TimeHTML,
		"day":   DayHTML,
		"steps": func() int { return wizardSteps },
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

// mark puts a call of "gone" into both sides of each branch.
func (c *coverage) mark(tree *parse.Tree, list *parse.ListNode) {
	if list == nil {
		return
	}
	for _, node := range list.Nodes {
		switch n := node.(type) {
		case *parse.IfNode:
			c.branch(tree, &n.BranchNode, true)
		case *parse.WithNode:
			// There is always a body, and the address of a form is not visible.
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
	b.List.Nodes = slices.Insert(b.List.Nodes, 0, c.noteNode("into "+where))
	if !both {
		return
	}
	if b.ElseList == nil {
		b.ElseList = &parse.ListNode{NodeType: parse.NodeList}
	}
	b.ElseList.Nodes = slices.Insert(b.ElseList.Nodes, 0, c.noteNode("past "+where))
}

// noteNode is the node {{gone branch}}. It records the branch as known and not
// executed yet.
func (c *coverage) noteNode(way string) parse.Node {
	if _, known := c.ways[way]; !known {
		c.ways[way] = false
	}
	trees, err := parse.Parse("note", fmt.Sprintf("{{gone %q}}", way), "", "", map[string]any{"gone": fmt.Sprint})
	if err != nil {
		c.t.Fatal(err)
	}
	return trees["note"].Root.Nodes[0]
}
