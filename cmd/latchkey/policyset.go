package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/latchkey-id/latchkey/internal/admin"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
)

// policySet has a command for each kind of document.
type policySet struct {
	Access           policySetAccess           `cmd:"" help:"Who may log in to what, and what they have to prove."`
	SelfProvisioning policySetSelfProvisioning `cmd:"" help:"Who may set up an authenticator alone."`
	Platforms        policySetPlatforms        `cmd:"" help:"On which platforms the authenticator may be, and with push."`
	Push             policySetPush             `cmd:"" help:"How logins are approved by push."`
	Template         policySetTemplate         `cmd:"" help:"The standard token template."`
	Templates        policySetTemplates        `cmd:"" help:"The other token templates, and where each is in force."`
	Lockout          policySetLockout          `cmd:"" help:"What failed logins and wrong passcodes lock."`
	Limits           policySetLimits           `cmd:"" help:"How often, and for how long."`
	Devices          policySetDevices          `cmd:"" help:"For how long a device is remembered."`
	Contexts         policySetContexts         `cmd:"" help:"What an application's authentication contexts ask for."`
	Credentials      policySetCredentials      `cmd:"" help:"Which authenticators people may have, and how many."`
	Passwords        policySetPasswords        `cmd:"" help:"What a password must be like."`
	PIN              policySetPIN              `cmd:"" name:"pin" help:"The PIN that is typed with a passcode."`
}

// documentArg is what all kinds have.
type documentArg struct {
	File string `arg:"" optional:"" help:"JSON document that replaces the whole policy. Default: standard input, unless a flag is given."`
	Yes  bool   `help:"Set it even if it leaves users without a way in, or makes authenticators inactive."`
}

// byDocument and byFlags begin the help of the commands below "policy set".
const (
	byDocument = "The document replaces the whole policy; groups and applications may stand in it by name. What is wrong is said at once, each with its line and field, and then nothing was changed."
	byFlags    = "The flags change parts of the present policy; a document replaces the whole."
)

type policySetAccess struct{ documentArg }

func (policySetAccess) Help() string {
	return byDocument + "\n\nExample:\n\n    latchkey policy set access access.json"
}

// Run replaces the access policy.
func (c *policySetAccess) Run(ctx context.Context, s *shell) error {
	return s.setPolicy(ctx, policySetting{kind: policy.KindAccess, file: c.File, yes: c.Yes})
}

type policySetTemplate struct{ documentArg }

func (policySetTemplate) Help() string {
	return "\"template set\" changes parts of it. " + byDocument + "\n\nExample:\n\n    latchkey policy set template standard.json"
}

// Run replaces the standard token template.
func (c *policySetTemplate) Run(ctx context.Context, s *shell) error {
	return s.setPolicy(ctx, policySetting{kind: policy.KindTemplate, file: c.File, yes: c.Yes})
}

type policySetTemplates struct{ documentArg }

func (policySetTemplates) Help() string {
	return "\"template add\", \"template set\" and \"template use\" change parts of it. " + byDocument +
		"\n\nExample:\n\n    latchkey policy set templates templates.json"
}

// Run replaces the other token templates.
func (c *policySetTemplates) Run(ctx context.Context, s *shell) error {
	return s.setPolicy(ctx, policySetting{kind: policy.KindTemplates, file: c.File, yes: c.Yes})
}

type policySetContexts struct{ documentArg }

func (policySetContexts) Help() string {
	return byDocument + `

Example:

    echo '{"names": {"https://example.org/loa/2": ["password", "otp"]}}' | latchkey policy set contexts`
}

// Run replaces the authentication contexts.
func (c *policySetContexts) Run(ctx context.Context, s *shell) error {
	return s.setPolicy(ctx, policySetting{kind: policy.KindContexts, file: c.File, yes: c.Yes})
}

// A policySetting is what a command below "policy set" was given.
type policySetting struct {
	kind   policy.Kind
	file   string
	flags  bool                                           // one that changes the policy was given, or addresses for alerts
	change func(policy.Document) (policy.Document, error) // what the flags make of the present policy; nil leaves it
	alerts []string                                       // see admin.PolicyChanges
	yes    bool                                           // what it would do to people is known
}

// setPolicy changes a policy by flags, or else by a document, and shows it.
func (s *shell) setPolicy(ctx context.Context, set policySetting) error {
	data, err := set.document(s)
	if err != nil {
		return err
	}
	return s.inTenant(ctx, func(ts tenantScope) error { return s.setPolicyIn(ctx, ts, set, data) })
}

// document reads the document that stands in for flags; nil where flags were given.
func (set *policySetting) document(s *shell) ([]byte, error) {
	switch {
	case set.flags && set.file != "":
		return nil, usageErrorf("give either a document or what to change")
	case set.flags:
		return nil, nil
	}
	// A byte more than may be, so that what is too long is refused and not cut.
	data, err := s.readFile(set.file, policy.MaxDocument+1)
	if err != nil {
		return nil, err
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, usageErrorf("there is no document; \"latchkey policy show %s\" shows the present one", set.kind)
	}
	set.change = func(policy.Document) (policy.Document, error) { return policy.Decode(set.kind, data) }
	return data, nil
}

// setPolicyIn is setPolicy in a tenant, with the document that was read.
func (s *shell) setPolicyIn(ctx context.Context, ts tenantScope, set policySetting, data []byte) error {
	if set.change == nil {
		set.change = func(present policy.Document) (policy.Document, error) { return present, nil }
	}
	changes := admin.PolicyChanges{Documents: []admin.PolicyChange{{Kind: set.kind, Next: set.change}}, Alerts: set.alerts}
	all, err := s.changePolicies(ctx, ts, changes, set.yes)
	if err != nil {
		return located(err, data)
	}
	row, err := rowOfPolicy(all[0])
	if err != nil {
		return err
	}
	if s.flags.JSON {
		return s.encode(row)
	}
	return s.document(row)
}

// located notes in what is wrong with policies the lines of the document it is in.
func located(err error, document []byte) error {
	if problems, ok := errors.AsType[policy.Problems](err); ok {
		problems.Locate(document)
	}
	return err
}

// changePolicies says what changes would do to people and, if that is agreed to,
// makes them.
func (s *shell) changePolicies(ctx context.Context, ts tenantScope, changes admin.PolicyChanges, yes bool) (set []store.Policy, err error) {
	var preview admin.PolicyPreview
	err = ts.db.InSnapshot(ctx, func(r store.Reader) (err error) {
		preview, err = admin.PreviewPolicies(ctx, r, ts.tenant.ID, changes)
		return err
	})
	if err != nil {
		return nil, err
	}
	if would := consequences(preview); len(would) > 0 && !yes {
		if err := s.confirmWarnings(ctx, would); err != nil {
			return nil, err
		}
	}
	err = ts.db.InTx(ctx, ts.who, func(tx *store.Tx) (err error) {
		set, err = admin.SetPolicies(ctx, tx, ts.tenant.ID, changes, preview.Versions)
		return err
	})
	return set, err
}

// consequences says a preview for people (PUSH-5).
func consequences(p admin.PolicyPreview) warnings {
	var lines warnings
	if n := p.LockedOut; n.Users > 0 {
		users := "1 user"
		if n.Users > 1 {
			users = fmt.Sprintf("%d users", n.Users)
		}
		lines = append(lines, fmt.Sprintf("this would leave %s without a way in, %d of them without any authenticator.", users, n.Unenrolled))
		for _, one := range p.Named {
			line := fmt.Sprintf("%s: %s", one.User, one.Reason)
			if one.Application != "" {
				line += fmt.Sprintf(" (at %s)", one.Application)
			}
			lines = append(lines, line)
		}
		if more := n.Users - int64(len(p.Named)); more > 0 {
			lines = append(lines, fmt.Sprintf("and %d more", more))
		}
	}
	if u := p.Unused; u != nil {
		lines = append(lines, fmt.Sprintf("%d authenticators were not used for %d days, and %d for a week less. The users of all of these are told by mail within a day; "+
			"7 days after that, those that are still not used by then become inactive.", u.Overdue, u.Days, u.Due))
	}
	return lines
}

// overwrite sets to to given, if it was given.
func overwrite[T any](to, given *T) {
	if given != nil {
		*to = *given
	}
}
