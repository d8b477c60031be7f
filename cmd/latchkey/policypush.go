package main

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/latchkey-id/latchkey/internal/policy"
)

type policySetPush struct {
	documentArg
	pushFlags `embed:""`
	Group     []string `placeholder:"GROUP" sep:"none" help:"The group whose own policy is meant."`
}

func (policySetPush) Help() string {
	return byFlags + ` A group's push policy stands instead of the tenant's for its members, all three settings of it; what is not said is as the tenant's when it is first made. What would leave users without a way in says how many, and whom, and wants a yes.

Examples:

    latchkey policy set push --presence pick --limit 3 --lock 2h --alert-operators --alert-address desk@example.org

    latchkey policy set push --no-codes --group Nurses

    latchkey policy set push --group Nurses --none`
}

// Run changes how logins are approved by push.
func (c *policySetPush) Run(ctx context.Context, s *shell) error {
	if err := c.check(c.Group); err != nil {
		return err
	}
	set := policySetting{kind: policy.KindPush, file: c.File, flags: c.any() || c.Group != nil, alerts: c.addresses(), yes: c.Yes}
	data, err := set.document(s)
	if err != nil {
		return err
	}
	return s.inTenant(ctx, func(ts tenantScope) error {
		if set.flags {
			if set.change, err = c.changeOf(ctx, ts); err != nil {
				return err
			}
		}
		err := s.setPolicyIn(ctx, ts, set, data)
		if err == nil {
			s.noteAddresses(set.alerts...)
		}
		if err != nil || c.AlertOperators == nil || !*c.AlertOperators {
			return err
		}
		t, err := ts.db.Tenants().Get(ctx, ts.tenant.ID)
		if err == nil && len(t.Alerts) == 0 {
			fmt.Fprintln(s.stderr, "latchkey: nobody is alerted yet: name an operator's address by --alert-address")
		}
		return err
	})
}

// changeOf is what the flags make of the tenant's policy, or of the group's.
func (c *policySetPush) changeOf(ctx context.Context, ts tenantScope) (func(policy.Document) (policy.Document, error), error) {
	if len(c.Group) == 0 {
		return c.change(""), nil
	}
	g, err := ts.group(ctx, c.Group[0])
	return c.change(g.ID), err
}

// pushFlags are what can be changed of the push policy. A flag that was not
// given changes nothing.
type pushFlags struct {
	MobilePush *bool           `negatable:"" help:"It may be used at all."`
	Codes      *bool           `negatable:"" help:"Passcodes may be typed instead."`
	Presence   policy.Presence `placeholder:"CHECK" help:"The presence check: none, pick, enter or six-digits."`
	None       bool            `help:"With --group: the group has no push policy of its own any more."`

	Limit          *int64         `placeholder:"N" help:"Requests since the last approved one, within an hour, after which one more locks; 1 to 20."`
	Lock           *time.Duration `placeholder:"TIME" help:"For how long that locks push; 5m to 24h."`
	Lifetime       *time.Duration `placeholder:"TIME" help:"How long a request waits for an answer; 30s to 5m."`
	PickDigits     *int64         `placeholder:"N" help:"Digits of the numbers to pick from; 2 or 3."`
	BeforePassword *bool          `negatable:"" help:"It may be sent before a password was proved, then always with a presence check."`
	AlertUser      *bool          `negatable:"" help:"Users are mailed when a push is rejected with \"it wasn't me\"."`
	AlertOperators *bool          `negatable:"" help:"Operators are mailed then, and when push is locked for a user."`
	AlertAddress   []string       `placeholder:"MAIL" sep:"none" help:"Where the tenant's operators are alerted, and nowhere else; may be repeated."`
	NoAlertAddress bool           `help:"Operators are alerted nowhere."`
}

// settings reports whether one of the three settings was given that a group can
// have too.
func (f pushFlags) settings() bool { return f.MobilePush != nil || f.Codes != nil || f.Presence != "" }

// ofTenant reports whether something was given that only the tenant has in its
// document.
func (f pushFlags) ofTenant() bool {
	return f.Limit != nil || f.Lock != nil || f.Lifetime != nil || f.PickDigits != nil || f.BeforePassword != nil || f.AlertUser != nil || f.AlertOperators != nil
}

// addresses are the new ones at which operators are alerted; nil are none.
func (f pushFlags) addresses() []string {
	if f.NoAlertAddress {
		return []string{}
	}
	return f.AlertAddress
}

func (f pushFlags) any() bool {
	return f.settings() || f.ofTenant() || f.None || f.addresses() != nil
}

// check refuses what does not go together; group reports whether --group was
// given.
func (f pushFlags) check(groups []string) error {
	switch {
	case len(groups) > 1:
		return usageErrorf("name one --group; each has a push policy of its own")
	case len(groups) == 1 && (f.ofTenant() || f.addresses() != nil):
		return usageErrorf("a group has --mobile-push, --codes and --presence of its own; all else is the tenant's: leave --group out")
	case len(groups) == 1 && f.None && f.settings():
		return usageErrorf("--none goes with no other setting: it takes the group's policy away")
	case len(groups) == 1 && !f.None && !f.settings():
		return usageErrorf("say what the group's policy is to be: --mobile-push, --codes, --presence, or --none")
	case len(groups) == 0 && f.None:
		return usageErrorf("--none is for a group: name it by --group. For nobody to have push, say --no-mobile-push")
	case f.NoAlertAddress && f.AlertAddress != nil:
		return usageErrorf("--no-alert-address and --alert-address exclude each other")
	}
	return nil
}

// change is what the flags make of the present policy, the tenant's or that of
// a group by id; nil where they change none of it.
func (f pushFlags) change(group string) func(policy.Document) (policy.Document, error) {
	if !f.settings() && !f.ofTenant() && !f.None {
		return nil
	}
	return func(present policy.Document) (policy.Document, error) {
		p := present.(policy.Push)
		if group == "" {
			f.put(&p.PushSettings)
			f.putTenant(&p)
			return p, nil
		}
		own, has := p.Groups[group]
		if !has {
			own = p.PushSettings // so that a group differs in what was said, and nothing else
		}
		f.put(&own)
		p.Groups = maps.Clone(p.Groups)
		if f.None {
			delete(p.Groups, group)
			return p, nil
		}
		if p.Groups == nil {
			p.Groups = make(map[string]policy.PushSettings)
		}
		p.Groups[group] = own
		return p, nil
	}
}

func (f pushFlags) put(s *policy.PushSettings) {
	overwrite(&s.Enabled, f.MobilePush)
	overwrite(&s.CodesAllowed, f.Codes)
	if f.Presence != "" {
		s.Presence = f.Presence
	}
}

func (f pushFlags) putTenant(p *policy.Push) {
	overwrite(&p.BeforePassword, f.BeforePassword)
	overwrite(&p.Alerts.User, f.AlertUser)
	overwrite(&p.Alerts.Operators, f.AlertOperators)
	overwrite(&p.Limit, f.Limit)
	overwrite(&p.PickDigits, f.PickDigits)
	overwrite(&p.Lock, seconds(f.Lock))
	overwrite(&p.Lifetime, seconds(f.Lifetime))
}

// seconds are the whole seconds of a duration, if one was given.
func seconds(d *time.Duration) *int64 {
	if d == nil {
		return nil
	}
	n := int64(*d / time.Second)
	return &n
}
