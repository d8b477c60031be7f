package admin

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
)

// A TemplateInForce is a token template, and where it is in force.
type TemplateInForce struct {
	policy.Template
	Standard  bool                `json:"standard"` // in force wherever no other is
	Platforms []identity.Platform `json:"platforms"`
}

// Templates returns a tenant's token templates, the standard one first.
func Templates(ctx context.Context, r store.Reader, tenant string) ([]TemplateInForce, error) {
	documents := &documents{r: r, tenant: tenant, versions: make(Versions)}
	standard, err := inForce[policy.Template](ctx, documents)
	if err != nil {
		return nil, err
	}
	others, err := inForce[policy.Templates](ctx, documents)
	if err != nil {
		return nil, err
	}
	all := []TemplateInForce{{Template: standard, Standard: true, Platforms: []identity.Platform{}}}
	for _, t := range others.Templates {
		all = append(all, TemplateInForce{Template: t, Platforms: []identity.Platform{}})
	}
	for _, platform := range identity.Platforms {
		name := others.ForPlatform(platform, standard).Name
		i := slices.IndexFunc(all, func(t TemplateInForce) bool { return t.Name == name })
		all[i].Platforms = append(all[i].Platforms, platform)
	}
	return all, nil
}

// lockTemplate returns the template of a name, which nobody else changes until the
// end of the transaction.
func lockTemplate(ctx context.Context, tx *store.Tx, tenant, name string) (TemplateInForce, error) {
	if err := tx.Policies().Lock(ctx, tenant); err != nil {
		return TemplateInForce{}, err
	}
	all, err := Templates(ctx, tx.Reader, tenant)
	if err != nil {
		return TemplateInForce{}, err
	}
	for _, t := range all {
		if identity.FoldName(t.Name) == identity.FoldName(name) {
			return t, nil
		}
	}
	return TemplateInForce{}, &identity.Error{Kind: identity.NotFound, Key: "error.notfound", Err: fmt.Errorf("there is no template %q", name)}
}

// AddTemplate adds a token template. It is in force nowhere yet.
func AddTemplate(ctx context.Context, tx *store.Tx, tenant string, t policy.Template) error {
	return changeTemplates(ctx, tx, tenant, func(all policy.Templates) policy.Templates {
		all.Templates = append(slices.Clone(all.Templates), t)
		return all
	})
}

// ChangeTemplate changes the template of a name. Authenticators that exist stay as
// they were made.
func ChangeTemplate(ctx context.Context, tx *store.Tx, tenant, name string, change func(policy.Template) policy.Template) error {
	found, err := lockTemplate(ctx, tx, tenant, name)
	if err != nil {
		return err
	}
	if found.Standard {
		_, err = setPolicy(ctx, tx, tenant, policy.KindTemplate, func(present policy.Document) (policy.Document, error) {
			return change(present.(policy.Template)), nil
		})
		return err
	}
	return changeTemplates(ctx, tx, tenant, func(all policy.Templates) policy.Templates {
		all.Templates = slices.Clone(all.Templates)
		for i := range all.Templates {
			if all.Templates[i].Name == found.Name {
				all.Templates[i] = change(all.Templates[i])
			}
		}
		return all
	})
}

// RemoveTemplate removes the template of a name. The standard one, and one that is
// in force somewhere, is a Conflict. Authenticators that were made by it stay.
func RemoveTemplate(ctx context.Context, tx *store.Tx, tenant, name string) error {
	found, err := lockTemplate(ctx, tx, tenant, name)
	conflict := func(format string, args ...any) error {
		return &identity.Error{Kind: identity.Conflict, Key: "error.conflict", Err: fmt.Errorf(format, args...)}
	}
	switch {
	case err != nil:
		return err
	case found.Standard:
		return conflict("%s is the standard template, which there always is", found.Name)
	case len(found.Platforms) > 0:
		return conflict("%s is in force on %s; have another used there first", found.Name, found.Where())
	}
	return changeTemplates(ctx, tx, tenant, func(all policy.Templates) policy.Templates {
		all.Templates = slices.DeleteFunc(slices.Clone(all.Templates), func(t policy.Template) bool { return t.Name == found.Name })
		return all
	})
}

// Where names the platforms on which the template is in force.
func (t TemplateInForce) Where() string {
	var names []string
	for _, platform := range t.Platforms {
		names = append(names, string(platform))
	}
	return strings.Join(names, " ")
}

// UseTemplate has the template of a name in force on a platform, for authenticators
// whose enrolment begins from now on.
func UseTemplate(ctx context.Context, tx *store.Tx, tenant string, platform identity.Platform, name string) error {
	found, err := lockTemplate(ctx, tx, tenant, name)
	if err != nil {
		return err
	}
	return changeTemplates(ctx, tx, tenant, func(all policy.Templates) policy.Templates {
		platforms := map[identity.Platform]string{platform: found.Name}
		for other, name := range all.Platforms {
			if other != platform {
				platforms[other] = name
			}
		}
		if found.Standard {
			delete(platforms, platform)
		}
		all.Platforms = platforms
		return all
	})
}

// changeTemplates changes the templates besides the standard one.
func changeTemplates(ctx context.Context, tx *store.Tx, tenant string, change func(policy.Templates) policy.Templates) error {
	_, err := setPolicy(ctx, tx, tenant, policy.KindTemplates, func(present policy.Document) (policy.Document, error) {
		return change(present.(policy.Templates)), nil
	})
	return err
}
