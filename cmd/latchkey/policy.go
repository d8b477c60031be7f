package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
)

type policyRow struct {
	Kind     policy.Kind     `json:"kind"`
	Version  int64           `json:"version"` // 0 for the default
	Document json.RawMessage `json:"document"`
}

// rowOfPolicy shows what is in force: what was set, or the default.
func rowOfPolicy(p store.Policy) (policyRow, error) {
	document, err := policy.Decode(p.Kind, p.Document)
	if err != nil {
		return policyRow{}, fmt.Errorf("policy %s: %w", p.Kind, err)
	}
	text, err := policy.Encode(document)
	return policyRow{p.Kind, p.Version, text}, err
}

type policyShow struct {
	Kind policy.Kind `arg:"" optional:"" help:"Which policy; policy show lists them."`
}

func (policyShow) Help() string {
	return `What is shown can be changed and given to "policy set". Groups and applications stand in it by id.

Example:

    latchkey policy show access > access.json`
}

// Run shows one document, or lists the kinds.
func (c *policyShow) Run(ctx context.Context, s *shell) error {
	return s.inTenant(ctx, func(h house) error {
		kinds := policy.Kinds()
		if c.Kind != "" {
			if err := known(c.Kind); err != nil {
				return err
			}
			kinds = []policy.Kind{c.Kind}
		}
		var rows []policyRow
		for _, kind := range kinds {
			set, err := h.db.Policies().Get(ctx, h.tenant.ID, kind)
			if err != nil {
				return err
			}
			row, err := rowOfPolicy(set)
			if err != nil {
				return err
			}
			rows = append(rows, row)
		}
		switch {
		case c.Kind == "":
			return list(s, rows, []string{"KIND", "VERSION"}, func(p policyRow) []string {
				version := "the default"
				if p.Version > 0 {
					version = strconv.FormatInt(p.Version, 10)
				}
				return []string{string(p.Kind), version}
			})
		case s.flags.JSON:
			return s.encode(rows[0])
		}
		return s.document(rows[0])
	})
}

// document writes a policy as "policy set" takes it.
func (s *shell) document(p policyRow) error {
	var b bytes.Buffer
	if err := json.Indent(&b, p.Document, "", "  "); err != nil {
		return err
	}
	b.WriteByte('\n')
	_, err := b.WriteTo(s.stdout)
	return err
}

// known refuses a kind there is not, naming the nearest.
func known(kind policy.Kind) error {
	var all []string
	for _, k := range policy.Kinds() {
		all = append(all, string(k))
	}
	if slices.Contains(all, string(kind)) {
		return nil
	}
	return unknown(identity.NotFound, "policy", string(kind), slices.Values(all))
}

type policySet struct {
	Kind policy.Kind `arg:"" help:"Which policy; policy show lists them."`
	File string      `arg:"" optional:"" help:"JSON document. Default: standard input."`

	Target       policy.Target       `placeholder:"WHO" help:"Of self-provisioning: all, only, except or none."`
	Groups       []string            `name:"group" placeholder:"GROUP" sep:"none" help:"Of self-provisioning: a group for only and except; may be repeated. Of push: the group whose own policy is meant."`
	RequireLeave *bool               `negatable:"" help:"Of self-provisioning: who ever had an authenticator needs leave to enrol."`
	ThirdParty   *bool               `negatable:"" help:"Of self-provisioning: another vendor's authenticator app may be enrolled too."`
	Allow        []identity.Platform `placeholder:"PLATFORM" help:"Of platforms: enrol there; may be repeated."`
	Refuse       []identity.Platform `placeholder:"PLATFORM" help:"Of platforms: do not; may be repeated."`
	Push         []identity.Platform `placeholder:"PLATFORM" help:"Of platforms: push there; may be repeated."`
	NoPush       []identity.Platform `placeholder:"PLATFORM" help:"Of platforms: no push there; may be repeated."`

	pushFlags       `embed:""`
	lockoutFlags    `embed:""`
	credentialFlags `embed:""`
	passwordFlags   `embed:""`
	serverPINFlags  `embed:""`
	Yes             bool `help:"Set it even if it leaves users without a way in."`
}

func (policySet) Help() string {
	return `A document replaces the whole policy; groups and applications may stand in it by name. The flags change parts of the present one instead. What is wrong is said at once, each with its line and field, and then nothing was changed.

A group's push policy stands instead of the tenant's for its members, all three settings of it; what is not said is as the tenant's when it is first made. A policy of push or platforms that would leave users without a way in says how many, and whom, and wants a yes.

Examples:

    latchkey policy set access access.json

    latchkey policy set self-provisioning --target only --group Nurses --group Doctors

    latchkey policy set platforms --allow android --refuse windows-mobile --no-push linux

    latchkey policy set push --presence pick --limit 3 --lock 2h --alert-operators --alert-address desk@example.org

    latchkey policy set push --group Nurses --no-codes --presence six-digits

    latchkey policy set push --group Nurses --none

    latchkey policy set lockout --threshold 5 --period 30m --count user`
}

// Run replaces or changes a policy and shows it.
func (c *policySet) Run(ctx context.Context, s *shell) error {
	if err := known(c.Kind); err != nil {
		return err
	}
	return s.inTenant(ctx, func(h house) error {
		data, change, err := c.change(ctx, s, h)
		if err == nil {
			err = c.confirmStranded(ctx, s, h, change)
		}
		if err == nil {
			err = c.confirmUnused(ctx, s, h, change)
		}
		var set store.Policy
		if err == nil {
			set, err = c.set(ctx, s, h, change)
		}
		if err != nil {
			if problems, ok := errors.AsType[policy.Problems](err); ok {
				problems.Locate(data)
			}
			return err
		}
		row, err := rowOfPolicy(set)
		if err != nil {
			return err
		}
		if s.flags.JSON {
			return s.encode(row)
		}
		return s.document(row)
	})
}

// change is what the flags, or else a document, make of the present policy; nil
// is nothing. It returns the document too.
func (c *policySet) change(ctx context.Context, s *shell, h house) (data []byte, change func(policy.Document) (policy.Document, error), err error) {
	ofEnrollment := c.Target != "" || c.RequireLeave != nil || c.ThirdParty != nil || c.Groups != nil && c.Kind != policy.KindPush
	ofPlatforms := c.Allow != nil || c.Refuse != nil || c.Push != nil || c.NoPush != nil
	ofPush := c.pushFlags.any() || c.Groups != nil && c.Kind == policy.KindPush
	switch {
	case ofEnrollment && c.Kind != policy.KindSelfProvisioning:
		return nil, nil, refuse("--target, --group, --require-leave and --third-party are for self-provisioning")
	case ofPlatforms && c.Kind != policy.KindPlatforms:
		return nil, nil, refuse("--allow, --refuse, --push and --no-push are for platforms")
	case ofPush && c.Kind != policy.KindPush:
		return nil, nil, refuse("--mobile-push, --codes, --presence and what else is of push are for push")
	case c.lockoutFlags.any() && c.Kind != policy.KindLockout:
		return nil, nil, refuse("--threshold, --passcodes, --count and what else is of lockout are for lockout")
	case c.passwordFlags.any() && c.Kind != policy.KindPasswords:
		return nil, nil, refuse("--least, --expire-days and --reset are for passwords")
	case c.credentialFlags.any() && c.Kind != policy.KindCredentials:
		return nil, nil, refuse("--kinds, --passkeys, --most, --unused-days, --shared and --recovery-codes are for credentials")
	case c.serverPINFlags.any() && c.Kind != policy.KindPIN:
		return nil, nil, refuse("--pin-least and the others of that beginning are for pin")
	case (ofEnrollment || c.serverPINFlags.any() || c.credentialFlags.any() || c.passwordFlags.any() || ofPlatforms || ofPush || c.lockoutFlags.any()) && c.File != "":
		return nil, nil, refuse("give either a document or what to change")
	case ofEnrollment:
		return nil, c.changeEnrollment, nil
	case ofPlatforms:
		return nil, c.changePlatforms, nil
	case ofPush:
		change, err := c.changePush(ctx, h)
		return nil, change, err
	case c.lockoutFlags.any():
		return nil, c.lockoutFlags.change, nil
	case c.serverPINFlags.any():
		return nil, c.serverPINFlags.change, nil
	case c.passwordFlags.any():
		return nil, c.passwordFlags.change, nil
	case c.credentialFlags.any():
		return nil, c.credentialFlags.change, nil
	}
	// A byte more than may be, so that what is too long is refused and not cut.
	if data, err = s.file(c.File, policy.MaxDocument+1); err != nil {
		return nil, nil, err
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, nil, refuse("there is no document; \"latchkey policy show %s\" shows the present one", c.Kind)
	}
	return data, func(policy.Document) (policy.Document, error) { return policy.Decode(c.Kind, data) }, nil
}

func (c *policySet) changePush(ctx context.Context, h house) (func(policy.Document) (policy.Document, error), error) {
	if err := c.pushFlags.check(c.Groups); err != nil || len(c.Groups) == 0 {
		return c.pushFlags.change(""), err
	}
	g, err := h.group(ctx, c.Groups[0])
	return c.pushFlags.change(g.ID), err
}

func (c *policySet) changeEnrollment(present policy.Document) (policy.Document, error) {
	p := present.(policy.SelfProvisioning)
	if c.Target != "" {
		p.Target = c.Target
	}
	if c.Groups != nil {
		p.Groups = c.Groups
	}
	if c.RequireLeave != nil {
		p.RequirePermit = *c.RequireLeave
	}
	if c.ThirdParty != nil {
		p.ThirdParty = *c.ThirdParty
	}
	return p, nil
}

func (c *policySet) changePlatforms(present policy.Document) (policy.Document, error) {
	p := present.(policy.Platforms)
	for _, change := range []struct {
		of []identity.Platform
		do func(*policy.PlatformRule)
	}{
		{c.Allow, func(r *policy.PlatformRule) { r.Allowed = true }},
		{c.Refuse, func(r *policy.PlatformRule) { r.Allowed = false }},
		{c.Push, func(r *policy.PlatformRule) { r.Push = true }},
		{c.NoPush, func(r *policy.PlatformRule) { r.Push = false }},
	} {
		for _, platform := range change.of {
			rule := p[platform]
			change.do(&rule)
			p[platform] = rule
		}
	}
	return p, nil
}
