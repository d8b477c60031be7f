package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/latchkey-id/latchkey/internal/admin"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
)

// A templateRow is a token template, and where it is in force.
type templateRow struct {
	policy.Template
	Standard  bool                `json:"standard"` // in force wherever no other is
	Platforms []identity.Platform `json:"platforms"`
}

// templates reads a tenant's token templates: the standard one, and the others.
func (h house) templates(ctx context.Context) (policy.Template, policy.Templates, error) {
	standard, err := h.db.Policies().Get(ctx, h.tenant.ID, policy.KindTemplate)
	if err != nil {
		return policy.Template{}, policy.Templates{}, err
	}
	others, err := h.db.Policies().Get(ctx, h.tenant.ID, policy.KindTemplates)
	if err != nil {
		return policy.Template{}, policy.Templates{}, err
	}
	t, err := policy.Read[policy.Template](standard.Document)
	if err != nil {
		return policy.Template{}, policy.Templates{}, err
	}
	all, err := policy.Read[policy.Templates](others.Document)
	return t, all, err
}

// templateRows lists them, the standard one first.
func (h house) templateRows(ctx context.Context) ([]templateRow, error) {
	standard, others, err := h.templates(ctx)
	if err != nil {
		return nil, err
	}
	rows := []templateRow{{Template: standard, Standard: true, Platforms: []identity.Platform{}}}
	for _, t := range others.Templates {
		rows = append(rows, templateRow{Template: t, Platforms: []identity.Platform{}})
	}
	for _, platform := range identity.Platforms {
		name := others.ForPlatform(platform, standard).Name
		i := slices.IndexFunc(rows, func(r templateRow) bool { return r.Name == name })
		rows[i].Platforms = append(rows[i].Platforms, platform)
	}
	return rows, nil
}

// template finds one by its name, or says which name is near.
func (h house) template(ctx context.Context, name string) (templateRow, error) {
	rows, err := h.templateRows(ctx)
	if err != nil {
		return templateRow{}, err
	}
	names := make([]string, len(rows))
	for i, r := range rows {
		names[i] = r.Name
		if identity.FoldName(r.Name) == identity.FoldName(name) {
			return r, nil
		}
	}
	return templateRow{}, unknown(identity.NotFound, "template", name, slices.Values(names))
}

// changeTemplates sets the templates besides the standard one.
func (h house) changeTemplates(ctx context.Context, change func(t policy.Templates) (policy.Templates, error)) error {
	_, err := admin.SetPolicy(ctx, h.db, h.who, h.tenant.ID, policy.KindTemplates, func(present policy.Document) (policy.Document, error) {
		return change(present.(policy.Templates))
	})
	return err
}

// sayTemplate shows a template as it is kept now.
func (s *shell) sayTemplate(ctx context.Context, h house, name string) error {
	t, err := h.template(ctx, name)
	if err != nil {
		return err
	}
	if s.flags.JSON {
		return s.encode(t)
	}
	pin := t.PIN
	if t.PIN == policy.UserPIN {
		pin = fmt.Sprintf("%s, %d characters or more, %s, %d wrong ones lock", t.PIN, t.PINLength, t.Complexity, t.PINAttempts)
		for _, more := range []struct {
			set  bool
			word string
		}{{t.TrivialPINs, "trivial ones too"}, {t.Stricter, "no run of three"}, {t.Biometric, "or a finger or face"}} {
			if more.set {
				pin += ", " + more.word
			}
		}
	}
	return table(s.stdout, [][]string{{"Template", t.Name}, {"Mode", t.Mode}, {"Digits", strconv.FormatInt(t.Length, 10)}, {"Passcodes", made(t.Template)},
		{"PIN", pin}, {"In force on", force(t)}})
}

// made says how a template's passcodes come to be.
func made(t policy.Template) string {
	switch {
	case t.Mode == policy.ChallengeResponse:
		return "responses to challenges"
	case t.Step == 0:
		return "by a counter"
	}
	return fmt.Sprintf("every %d s", t.Step)
}

// force says where a template is in force.
func force(t templateRow) string {
	if len(t.Platforms) == 0 {
		return "-"
	}
	names := make([]string, len(t.Platforms))
	for i, platform := range t.Platforms {
		names[i] = string(platform)
	}
	return strings.Join(names, " ")
}

type templateList struct{}

func (templateList) Help() string { return "Example:\n\n    latchkey template list" }

// Run lists the templates.
func (templateList) Run(ctx context.Context, s *shell) error {
	return s.inTenant(ctx, func(h house) error {
		rows, err := h.templateRows(ctx)
		if err != nil {
			return err
		}
		return list(s, rows, []string{"NAME", "MODE", "DIGITS", "PASSCODES", "PIN", "IN FORCE ON"}, func(t templateRow) []string {
			return []string{t.Name, t.Mode, strconv.FormatInt(t.Length, 10), made(t.Template), t.PIN, force(t)}
		})
	})
}

type templateShow struct {
	Name string `arg:"" help:"The template's name."`
}

func (templateShow) Help() string { return "Example:\n\n    latchkey template show Standard" }

// Run shows a template.
func (c *templateShow) Run(ctx context.Context, s *shell) error {
	return s.inTenant(ctx, func(h house) error { return s.sayTemplate(ctx, h, c.Name) })
}

// templateFlags are what can be said of a template. A flag that was not given
// changes nothing.
type templateFlags struct {
	Mode        *string `placeholder:"MODE" help:"quick-log, in which the app shows passcodes, or challenge-response."`
	Length      *int64  `placeholder:"N" help:"Digits of a passcode or response: 6 or 8."`
	Step        *int64  `placeholder:"N" help:"Seconds of a passcode, 30 or 60; 0 counts passcodes instead of time."`
	PIN         *string `name:"pin" placeholder:"TYPE" help:"none; user: chosen by the user and asked for by the app; or server: typed with the passcode."`
	PINLength   *int64  `name:"pin-length" placeholder:"N" help:"Least characters of a PIN: 4 to 8."`
	Complexity  *string `placeholder:"HOW" help:"Of a PIN: decimal, or strong."`
	TrivialPINs *bool   `name:"trivial-pins" negatable:"" help:"PINs such as 1234 are allowed."`
	Stricter    *bool   `negatable:"" help:"PINs with a run of three are refused."`
	PINAttempts *int64  `name:"pin-attempts" placeholder:"N" help:"Wrong PINs in a row that lock: 1 to 20."`
	Biometric   *bool   `negatable:"" help:"A finger or a face may stand in for the PIN."`
}

func (f templateFlags) change(t policy.Template) policy.Template {
	over(&t.Mode, f.Mode)
	over(&t.Length, f.Length)
	over(&t.Step, f.Step)
	over(&t.PIN, f.PIN)
	over(&t.PINLength, f.PINLength)
	over(&t.Complexity, f.Complexity)
	over(&t.TrivialPINs, f.TrivialPINs)
	over(&t.Stricter, f.Stricter)
	over(&t.PINAttempts, f.PINAttempts)
	over(&t.Biometric, f.Biometric)
	return t
}

type templateAdd struct {
	Name          string `arg:"" help:"What it is called."`
	templateFlags `embed:""`
}

func (templateAdd) Help() string {
	return `What is not said is as in a template that nobody changed: six digits every thirty seconds, without a PIN. It is in force nowhere until "template use" says so.

Example:

    latchkey template add Long --length 8 --step 60 --pin user`
}

// Run adds a template.
func (c *templateAdd) Run(ctx context.Context, s *shell) error {
	return s.inTenant(ctx, func(h house) error {
		err := h.changeTemplates(ctx, func(t policy.Templates) (policy.Templates, error) {
			added := c.change(policy.DefaultTemplate())
			added.Name = c.Name
			t.Templates = append(slices.Clone(t.Templates), added)
			return t, nil
		})
		if err != nil {
			return err
		}
		return s.sayTemplate(ctx, h, c.Name)
	})
}

type templateSet struct {
	Name          string `arg:"" help:"The template's name."`
	templateFlags `embed:""`
}

func (templateSet) Help() string {
	return `Authenticators that exist stay as they were made.

Example:

    latchkey template set Standard --pin user --pin-length 6`
}

// Run changes a template.
func (c *templateSet) Run(ctx context.Context, s *shell) error {
	return s.inTenant(ctx, func(h house) error {
		found, err := h.template(ctx, c.Name)
		if err != nil {
			return err
		}
		if found.Standard {
			_, err = admin.SetPolicy(ctx, h.db, h.who, h.tenant.ID, policy.KindTemplate, func(present policy.Document) (policy.Document, error) {
				return c.change(present.(policy.Template)), nil
			})
		} else {
			err = h.changeTemplates(ctx, func(t policy.Templates) (policy.Templates, error) {
				t.Templates = slices.Clone(t.Templates)
				for i := range t.Templates {
					if t.Templates[i].Name == found.Name {
						t.Templates[i] = c.change(t.Templates[i])
					}
				}
				return t, nil
			})
		}
		if err != nil {
			return err
		}
		return s.sayTemplate(ctx, h, found.Name)
	})
}

type templateRemove struct {
	Name string `arg:"" help:"The template's name."`
}

func (templateRemove) Help() string {
	return `Authenticators that were made by it stay. One that is in force somewhere is not removed: have another used there first.

Example:

    latchkey template remove Long`
}

// Run removes a template.
func (c *templateRemove) Run(ctx context.Context, s *shell) error {
	return s.inTenant(ctx, func(h house) error {
		found, err := h.template(ctx, c.Name)
		switch {
		case err != nil:
			return err
		case found.Standard:
			return refuse("%s is the standard template, which there always is", found.Name)
		case len(found.Platforms) > 0:
			return refuse("%s is in force on %s; have another used there first: latchkey template use %s …", found.Name, force(found), found.Platforms[0])
		}
		err = h.changeTemplates(ctx, func(t policy.Templates) (policy.Templates, error) {
			t.Templates = slices.DeleteFunc(slices.Clone(t.Templates), func(other policy.Template) bool { return other.Name == found.Name })
			return t, nil
		})
		if err != nil {
			return err
		}
		return s.say(found, "Removed template %s.", found.Name)
	})
}

type templateUse struct {
	Platform identity.Platform `arg:"" help:"On which platform."`
	Name     string            `arg:"" help:"The template that is to be in force there."`
}

func (templateUse) Help() string {
	return "It holds for authenticators whose enrolment begins from now on.\n\nExample:\n\n    latchkey template use ios Long"
}

// Run has a template in force on a platform.
func (c *templateUse) Run(ctx context.Context, s *shell) error {
	return s.inTenant(ctx, func(h house) error {
		found, err := h.template(ctx, c.Name)
		if err != nil {
			return err
		}
		err = h.changeTemplates(ctx, func(t policy.Templates) (policy.Templates, error) {
			platforms := map[identity.Platform]string{c.Platform: found.Name}
			for platform, name := range t.Platforms {
				if platform != c.Platform {
					platforms[platform] = name
				}
			}
			if found.Standard {
				delete(platforms, c.Platform)
			}
			t.Platforms = platforms
			return t, nil
		})
		if err != nil {
			return err
		}
		return s.sayTemplate(ctx, h, found.Name)
	})
}
