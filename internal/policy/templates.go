package policy

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// Templates are a tenant's further templates, and the platforms they apply to
// (CRED-3). A platform that is not in the map has the standard template, which is
// the document [Template].
type Templates struct {
	Templates NamedTemplates               `json:"templates,omitempty"`
	Platforms map[identity.Platform]string `json:"platforms,omitempty"` // names of templates in Templates
}

// NamedTemplates is a list of templates. Missing fields have the values of
// [DefaultTemplate], except for the name, which is required.
type NamedTemplates []Template

// UnmarshalJSON reads the list and fills in the defaults.
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

// maxTemplates is the maximum number of templates beside the standard one.
const maxTemplates = 50

// DefaultTemplates returns no further templates.
func DefaultTemplates() Templates { return Templates{} }

// Kind returns KindTemplates.
func (Templates) Kind() Kind { return KindTemplates }

// Validate reports everything that is wrong, except for a template with the name
// of the standard one, because that is another document. Callers that have both
// call [Templates.CheckStandardName].
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

func (t Templates) normalize() Document {
	t.Templates = slices.Clone(t.Templates)
	for i := range t.Templates {
		t.Templates[i] = t.Templates[i].Normalize()
	}
	return t
}

// index returns the index of the template with a name, or -1. Names that look the
// same to a person are equal.
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

// ByName returns the template with a name.
func (t Templates) ByName(name string) (Template, bool) {
	if i := t.index(name); i >= 0 {
		return t.Templates[i], true
	}
	return Template{}, false
}

// CheckStandardName returns an Invalid error if one of the templates has the name
// of the standard one. It is called when either document is set.
func (t Templates) CheckStandardName(standard Template) error {
	var ps Problems
	if i := t.index(standard.Name); i >= 0 {
		ps.add(fmt.Sprintf("templates[%d].name", i), "standard")
	}
	return ps.err()
}

// ForPlatform returns the template that applies on a platform, given the standard one.
func (t Templates) ForPlatform(platform identity.Platform, standard Template) Template {
	if name, ok := t.Platforms[platform]; ok {
		if named, ok := t.ByName(name); ok {
			return named
		}
	}
	return standard
}
