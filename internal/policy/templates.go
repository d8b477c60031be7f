package policy

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// Templates are a tenant's token templates besides the standard one, and which
// of them is in force on which platform (CRED-3). A platform that is not in the
// table has the standard one, the document [Template].
type Templates struct {
	Templates NamedTemplates               `json:"templates,omitempty"`
	Platforms map[identity.Platform]string `json:"platforms,omitempty"` // names of Templates
}

// NamedTemplates is a list of templates. What one of them does not say is as in
// [DefaultTemplate], but its name, which each must have.
type NamedTemplates []Template

// UnmarshalJSON reads the list.
func (n *NamedTemplates) UnmarshalJSON(data []byte) error {
	var raw []json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	*n = make(NamedTemplates, len(raw))
	for i := range raw {
		t := &(*n)[i]
		*t = DefaultTemplate()
		t.Name = ""
		if err := json.Unmarshal(raw[i], t); err != nil {
			return err
		}
	}
	return nil
}

// maxTemplates is how many a tenant can have besides the standard one.
const maxTemplates = 50

// DefaultTemplates are none.
func DefaultTemplates() Templates { return Templates{} }

// Kind returns KindTemplates.
func (Templates) Kind() Kind { return KindTemplates }

// Validate reports all that is wrong. That none has the name of the standard
// template is seen to where both are at hand; see [Templates.Taken].
func (t Templates) Validate() error {
	var ps Problems
	if len(t.Templates) > maxTemplates {
		ps.add("templates", "length", "most", maxTemplates)
	}
	for i, template := range t.Templates {
		at := fmt.Sprintf("templates[%d]", i)
		template.check(&ps, at+".")
		if first := t.index(template.Name); template.Name != "" && first != i {
			ps.add(at+".name", "twice")
		}
	}
	for _, platform := range slices.Sorted(maps.Keys(t.Platforms)) {
		at, name := "platforms."+string(platform), t.Platforms[platform]
		oneOf(&ps, at, platform, identity.Platforms...)
		switch near := identity.Nearest(name, t.names()); {
		case name == "":
			ps.add(at, "missing")
		case t.index(name) >= 0:
		case near != "":
			ps.add(at, "nearest", "nearest", near)
		default:
			ps.add(at, "unknown")
		}
	}
	return ps.err()
}

func (t Templates) normal() Document {
	t.Templates = slices.Clone(t.Templates)
	for i := range t.Templates {
		t.Templates[i] = t.Templates[i].Normal()
	}
	return t
}

// index is where the template of a name stands, or -1. Names that a person would
// take for the same are.
func (t Templates) index(name string) int {
	return slices.IndexFunc(t.Templates, func(other Template) bool {
		return identity.FoldName(other.Name) == identity.FoldName(name)
	})
}

func (t Templates) names() []string {
	names := make([]string, len(t.Templates))
	for i := range t.Templates {
		names[i] = t.Templates[i].Name
	}
	return names
}

// Named returns the template of a name.
func (t Templates) Named(name string) (Template, bool) {
	if i := t.index(name); i >= 0 {
		return t.Templates[i], true
	}
	return Template{}, false
}

// Taken is an Invalid if one of the templates has the name of the standard one,
// whichever of the two documents is being set.
func (t Templates) Taken(standard Template) error {
	var ps Problems
	if i := t.index(standard.Name); i >= 0 {
		ps.add(fmt.Sprintf("templates[%d].name", i), "standard")
	}
	return ps.err()
}

// On returns the template that is in force on a platform, given the standard one.
func (t Templates) On(platform identity.Platform, standard Template) Template {
	if name, ok := t.Platforms[platform]; ok {
		if named, ok := t.Named(name); ok {
			return named
		}
	}
	return standard
}
