package main

import (
	"context"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
)

type policySetSelfProvisioning struct {
	documentArg
	Target       policy.Target `placeholder:"WHO" help:"all, only, except or none."`
	Groups       []string      `name:"group" placeholder:"GROUP" sep:"none" help:"A group for only and except; may be repeated."`
	RequireLeave *bool         `negatable:"" help:"Who ever had an authenticator needs leave to enrol."`
	ThirdParty   *bool         `negatable:"" help:"Another vendor's authenticator app may be enrolled too."`
}

func (policySetSelfProvisioning) Help() string {
	return byFlags + `

Examples:

    latchkey policy set self-provisioning --target only --group Nurses --group Doctors

    latchkey policy set self-provisioning --third-party`
}

// Run changes who may enrol alone.
func (c *policySetSelfProvisioning) Run(ctx context.Context, s *shell) error {
	return s.setPolicy(ctx, policySetting{kind: policy.KindSelfProvisioning, file: c.File, yes: c.Yes, change: c.change,
		flags: c.Target != "" || c.Groups != nil || c.RequireLeave != nil || c.ThirdParty != nil})
}

func (c *policySetSelfProvisioning) change(present policy.Document) (policy.Document, error) {
	p := present.(policy.SelfProvisioning)
	if c.Target != "" {
		p.Target = c.Target
	}
	if c.Groups != nil {
		p.Groups = c.Groups
	}
	overwrite(&p.RequirePermit, c.RequireLeave)
	overwrite(&p.ThirdParty, c.ThirdParty)
	return p, nil
}

type policySetPlatforms struct {
	documentArg
	Allow  []identity.Platform `placeholder:"PLATFORM" help:"Enrol there; may be repeated."`
	Refuse []identity.Platform `placeholder:"PLATFORM" help:"Do not; may be repeated."`
	Push   []identity.Platform `placeholder:"PLATFORM" help:"Push there; may be repeated."`
	NoPush []identity.Platform `placeholder:"PLATFORM" help:"No push there; may be repeated."`
}

func (policySetPlatforms) Help() string {
	return byFlags + ` What would leave users without a way in says how many, and whom, and wants a yes.

Example:

    latchkey policy set platforms --allow android --refuse windows-mobile --no-push linux`
}

// Run changes on which platforms an authenticator may be.
func (c *policySetPlatforms) Run(ctx context.Context, s *shell) error {
	return s.setPolicy(ctx, policySetting{kind: policy.KindPlatforms, file: c.File, change: c.change, yes: c.Yes,
		flags: c.Allow != nil || c.Refuse != nil || c.Push != nil || c.NoPush != nil})
}

func (c *policySetPlatforms) change(present policy.Document) (policy.Document, error) {
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
