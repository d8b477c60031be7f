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
	ids     map[string]string // by id, by folded name, by identifier
	twice   map[string]bool   // folded names that several have
	shown   []string          // names, for the nearest
	unknown unknownKeys
	found   *foundNames
}

// foundNames are what was found of both, and what was not.
type foundNames struct {
	document map[string]string // what the document calls them, by id
	names    map[string]string // what they are called, by id
	wrongs   policy.Problems
}

// unknownKeys are the texts about a name that nobody has, or several have.
type unknownKeys struct{ none, nearest, several string }

var (
	unknownGroup = unknownKeys{none: "policy.problem.no-group", nearest: "policy.problem.no-group-nearest"}
	unknownApp   = unknownKeys{none: "policy.problem.no-application", nearest: "policy.problem.no-application-nearest",
		several: "policy.problem.several-applications"}
)

func newNames(unknown unknownKeys, found *foundNames) *names {
	return &names{ids: make(map[string]string), twice: make(map[string]bool), unknown: unknown, found: found}
}

func (n *names) add(id, name string) {
	folded := identity.FoldName(name)
	if other, ok := n.ids[folded]; ok && other != id {
		n.twice[folded] = true
	}
	n.ids[id], n.ids[folded] = id, id
	n.shown = append(n.shown, name)
	if _, ok := n.found.names[id]; !ok { // an application is added by its identifier too
		n.found.names[id] = name
	}
}

// resolve returns the id of what a document calls name at a field.
func (n *names) resolve(field, name string) string {
	folded := identity.FoldName(name)
	id, ok := n.ids[name]
	if !ok {
		id, ok = n.ids[folded]
	}
	near := identity.Nearest(name, n.shown)
	wrong := policy.Problem{Field: field, Key: n.unknown.none, Args: []any{"name", name}}
	switch {
	case ok && !n.twice[folded]:
		n.found.document[id] = name
		return id
	case name == "": // said by the document's own Validate
		return name
	case ok:
		wrong.Key = n.unknown.several
	case near != "":
		wrong.Key, wrong.Args = n.unknown.nearest, append(wrong.Args, "nearest", near)
	}
	n.found.wrongs = append(n.found.wrongs, wrong)
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
// is wrong with the document itself comes in the same list as names nobody has, and says
// what the document calls them.
func byID(ctx context.Context, r store.Reader, tenant string, d policy.Document) (policy.Document, error) {
	found := &foundNames{document: make(map[string]string), names: make(map[string]string)}
	groups, applications := newNames(unknownGroup, found), newNames(unknownApp, found)
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
	err, wrongs := d.Validate(), found.wrongs
	if own, ok := errors.AsType[policy.Problems](err); ok {
		own.Name(found.document, found.names)
		wrongs = append(own, wrongs...)
	} else if err != nil {
		return nil, err
	}
	if len(wrongs) > 0 {
		return nil, &identity.Error{Kind: identity.Invalid, Key: "error.policy.invalid", Err: wrongs}
	}
	return d, nil
}
