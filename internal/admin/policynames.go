package admin

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
)

// names finds groups or applications by what a document calls them.
type names struct {
	ids    map[string]string // by id, by folded name, by identifier
	twice  map[string]bool   // folded names that several have
	shown  []string          // names, for the nearest
	wrongs *policy.Problems
}

func newNames(wrongs *policy.Problems) *names {
	return &names{ids: make(map[string]string), twice: make(map[string]bool), wrongs: wrongs}
}

func (n *names) add(id, name string) {
	folded := identity.FoldName(name)
	if other, ok := n.ids[folded]; ok && other != id {
		n.twice[folded] = true
	}
	n.ids[id], n.ids[folded] = id, id
	n.shown = append(n.shown, name)
}

// resolve returns the id of what a document calls name at a field.
func (n *names) resolve(field, name string) string {
	folded := identity.FoldName(name)
	id, ok := n.ids[name]
	if !ok {
		id, ok = n.ids[folded]
	}
	near := identity.Nearest(name, n.shown)
	switch {
	case ok && !n.twice[folded]:
		return id
	case name == "": // said by the document's own Validate
	case !ok && near != "":
		*n.wrongs = append(*n.wrongs, policy.Problem{Field: field, Key: "policy.problem.nearest", Args: []any{"nearest", near}})
	default:
		*n.wrongs = append(*n.wrongs, policy.Problem{Field: field, Key: "policy.problem.unknown"})
	}
	return name
}

// list returns a new list with the ids of those a document calls by these names.
func (n *names) list(field string, all []string) []string {
	var ids []string
	for i, name := range all {
		ids = append(ids, n.resolve(fmt.Sprintf("%s[%d]", field, i), name))
	}
	return ids
}

// byID returns a document with ids where it names groups and applications. All that
// is wrong with the document itself comes in the same list as names nobody has.
func byID(ctx context.Context, r store.Reader, tenant string, d policy.Document) (policy.Document, error) {
	var wrongs policy.Problems
	groups, applications := newNames(&wrongs), newNames(&wrongs)
	for g, err := range r.Groups().All(ctx, tenant) {
		if err != nil {
			return nil, err
		}
		groups.add(g.ID, g.Name)
	}
	for a, err := range r.Applications().All(ctx, tenant) {
		if err != nil {
			return nil, err
		}
		applications.add(a.ID, a.Name)
		applications.add(a.ID, a.Identifier)
	}
	switch doc := d.(type) {
	case policy.Access:
		doc.Rules = slices.Clone(doc.Rules)
		for i := range doc.Rules {
			rule := &doc.Rules[i]
			rule.Groups = groups.list(fmt.Sprintf("rules[%d].groups", i), rule.Groups)
			rule.Applications = applications.list(fmt.Sprintf("rules[%d].applications", i), rule.Applications)
		}
		d = doc
	case policy.SelfProvisioning:
		doc.Groups = groups.list("groups", doc.Groups)
		d = doc
	case policy.Push:
		settings := make(map[string]policy.PushSettings)
		for _, name := range slices.Sorted(maps.Keys(doc.Groups)) {
			settings[groups.resolve("groups."+name, name)] = doc.Groups[name]
		}
		if doc.Groups != nil {
			doc.Groups = settings
		}
		d = doc
	}
	err := d.Validate()
	if own, ok := errors.AsType[policy.Problems](err); ok {
		wrongs = append(own, wrongs...)
	} else if err != nil {
		return nil, err
	}
	if len(wrongs) > 0 {
		return nil, &identity.Error{Kind: identity.Invalid, Key: "error.policy.invalid", Err: wrongs}
	}
	return d, nil
}
