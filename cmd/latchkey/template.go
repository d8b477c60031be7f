package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/latchkey-id/latchkey/internal/admin"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
)

// template finds a token template by name. Its error names the nearest.
func (ts tenantScope) template(ctx context.Context, name string) (admin.TemplateInForce, error) {
	all, err := admin.Templates(ctx, ts.db.Reader, ts.tenant.ID)
	if err != nil {
		return admin.TemplateInForce{}, err
	}
	names := make([]string, len(all))
	for i, t := range all {
		names[i] = t.Name
		if identity.FoldName(t.Name) == identity.FoldName(name) {
			return t, nil
		}
	}
	return admin.TemplateInForce{}, withNearest(identity.NotFound, "template", name, slices.Values(names))
}

// printTemplate prints a template as it is in the database.
func (s *shell) printTemplate(ctx context.Context, ts tenantScope, name string) error {
	t, err := ts.template(ctx, name)
	if err != nil {
		return err
	}
	if s.flags.JSON {
		return s.encode(t)
	}
	return table(s.stdout, [][]string{{"Template", t.Name}, {"Mode", t.Mode}, {"Digits", strconv.FormatInt(t.Length, 10)}, {"Passcodes", passcodesOf(t.Template)},
		{"PIN", pinOf(t.Template)}, {"In force on", cmp.Or(t.Where(), "-")}})
}

// pinOf says of what type a template's PIN is, and what its rules are.
func pinOf(t policy.Template) string {
	if t.PIN != policy.UserPIN {
		return t.PIN
	}
	pin := fmt.Sprintf("%s, %d characters or more, %s, %d wrong ones lock", t.PIN, t.PINLength, t.Complexity, t.PINAttempts)
	for _, more := range []struct {
		set  bool
		word string
	}{{t.TrivialPINs, "trivial ones too"}, {t.Stricter, "no run of three"}, {t.Biometric, "or a finger or face"}} {
		if more.set {
			pin += ", " + more.word
		}
	}
	return pin
}

// passcodesOf says how a template's passcodes are made.
func passcodesOf(t policy.Template) string {
	switch {
	case t.Mode == policy.ChallengeResponse:
		return "responses to challenges"
	case t.Step == 0:
		return "by a counter"
	}
	return fmt.Sprintf("every %d s", t.Step)
}

type templateList struct{}

func (templateList) Help() string { return "Example:\n\n    latchkey template list" }

// Run lists the templates.
func (templateList) Run(ctx context.Context, s *shell) error {
	return s.inTenant(ctx, func(ts tenantScope) error {
		rows, err := admin.Templates(ctx, ts.db.Reader, ts.tenant.ID)
		if err != nil {
			return err
		}
		return list(s, rows, []string{"NAME", "MODE", "DIGITS", "PASSCODES", "PIN", "IN FORCE ON"}, func(t admin.TemplateInForce) []string {
			return []string{t.Name, t.Mode, strconv.FormatInt(t.Length, 10), passcodesOf(t.Template), t.PIN, cmp.Or(t.Where(), "-")}
		})
	})
}

type templateShow struct {
	Name string `arg:"" help:"The template's name."`
}

func (templateShow) Help() string { return "Example:\n\n    latchkey template show Standard" }

// Run shows a template.
func (c *templateShow) Run(ctx context.Context, s *shell) error {
	return s.inTenant(ctx, func(ts tenantScope) error { return s.printTemplate(ctx, ts, c.Name) })
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
	overwrite(&t.Mode, f.Mode)
	overwrite(&t.Length, f.Length)
	overwrite(&t.Step, f.Step)
	overwrite(&t.PIN, f.PIN)
	overwrite(&t.PINLength, f.PINLength)
	overwrite(&t.Complexity, f.Complexity)
	overwrite(&t.TrivialPINs, f.TrivialPINs)
	overwrite(&t.Stricter, f.Stricter)
	overwrite(&t.PINAttempts, f.PINAttempts)
	overwrite(&t.Biometric, f.Biometric)
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
	return s.inTenant(ctx, func(ts tenantScope) error {
		added := c.change(policy.DefaultTemplate())
		added.Name = c.Name
		err := ts.db.InTx(ctx, ts.who, func(tx *store.Tx) error { return admin.AddTemplate(ctx, tx, ts.tenant.ID, added) })
		if err != nil {
			return err
		}
		return s.printTemplate(ctx, ts, c.Name)
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
	return s.inTenant(ctx, func(ts tenantScope) error {
		found, err := ts.template(ctx, c.Name)
		if err != nil {
			return err
		}
		err = ts.db.InTx(ctx, ts.who, func(tx *store.Tx) error { return admin.ChangeTemplate(ctx, tx, ts.tenant.ID, found.Name, c.change) })
		if err != nil {
			return err
		}
		return s.printTemplate(ctx, ts, found.Name)
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
	return s.inTenant(ctx, func(ts tenantScope) error {
		found, err := ts.template(ctx, c.Name)
		if err == nil {
			err = ts.db.InTx(ctx, ts.who, func(tx *store.Tx) error { return admin.RemoveTemplate(ctx, tx, ts.tenant.ID, found.Name) })
		}
		switch {
		case errors.Is(err, identity.Conflict) && len(found.Platforms) > 0 && !found.Standard:
			return usageErrorf("%s: latchkey template use %s …", errorLines(err)[0], found.Platforms[0])
		case errors.Is(err, identity.Conflict):
			return usageErrorf("%s", errorLines(err)[0])
		case err != nil:
			return err
		}
		return s.print(found, "Removed template %s.", found.Name)
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
	return s.inTenant(ctx, func(ts tenantScope) error {
		found, err := ts.template(ctx, c.Name)
		if err != nil {
			return err
		}
		err = ts.db.InTx(ctx, ts.who, func(tx *store.Tx) error {
			return admin.UseTemplate(ctx, tx, ts.tenant.ID, c.Platform, found.Name)
		})
		if err != nil {
			return err
		}
		return s.printTemplate(ctx, ts, found.Name)
	})
}
