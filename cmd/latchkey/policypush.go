package main

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/latchkey-id/latchkey/internal/admin"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
)

// pushFlags are what can be changed of the push policy. A flag that was not
// given changes nothing.
type pushFlags struct {
	MobilePush *bool           `negatable:"" help:"Of push: it may be used at all."`
	Codes      *bool           `negatable:"" help:"Of push: passcodes may be typed instead."`
	Presence   policy.Presence `placeholder:"CHECK" help:"Of push: the presence check: none, pick, enter or six-digits."`
	None       bool            `help:"Of push, with --group: the group has no push policy of its own any more."`

	Limit          *int64         `placeholder:"N" help:"Of push: requests since the last approved one, within an hour, after which one more locks; 1 to 20."`
	Lock           *time.Duration `placeholder:"TIME" help:"Of push: for how long that locks; 5m to 24h."`
	Lifetime       *time.Duration `placeholder:"TIME" help:"Of push: how long a request waits for an answer; 30s to 5m."`
	PickDigits     *int64         `placeholder:"N" help:"Of push: digits of the numbers to pick from; 2 or 3."`
	BeforePassword *bool          `negatable:"" help:"Of push: it may be sent before a password was proved, then always with a presence check."`
	AlertUser      *bool          `negatable:"" help:"Of push: users are mailed when a push is rejected with \"it wasn't me\"."`
	AlertOperators *bool          `negatable:"" help:"Of push: operators are, and when push is locked for a user."`
	AlertAddress   []string       `placeholder:"MAIL" sep:"none" help:"Of push: where the tenant's operators are alerted, and nowhere else; may be repeated."`
	NoAlertAddress bool           `help:"Of push: operators are alerted nowhere."`
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
		return refuse("name one --group; each has a push policy of its own")
	case len(groups) == 1 && (f.ofTenant() || f.addresses() != nil):
		return refuse("a group has --mobile-push, --codes and --presence of its own; all else is the tenant's: leave --group out")
	case len(groups) == 1 && f.None && f.settings():
		return refuse("--none goes with no other setting: it takes the group's policy away")
	case len(groups) == 1 && !f.None && !f.settings():
		return refuse("say what the group's policy is to be: --mobile-push, --codes, --presence, or --none")
	case len(groups) == 0 && f.None:
		return refuse("--none is for a group: name it by --group. For nobody to have push, say --no-mobile-push")
	case f.NoAlertAddress && f.AlertAddress != nil:
		return refuse("--no-alert-address and --alert-address exclude each other")
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
	over(&s.Enabled, f.MobilePush)
	over(&s.CodesAllowed, f.Codes)
	if f.Presence != "" {
		s.Presence = f.Presence
	}
}

func (f pushFlags) putTenant(p *policy.Push) {
	over(&p.BeforePassword, f.BeforePassword)
	over(&p.Alerts.User, f.AlertUser)
	over(&p.Alerts.Operators, f.AlertOperators)
	over(&p.Limit, f.Limit)
	over(&p.PickDigits, f.PickDigits)
	over(&p.Lock, seconds(f.Lock))
	over(&p.Lifetime, seconds(f.Lifetime))
}

// seconds are whole ones of a duration, if one was given.
func seconds(d *time.Duration) *int64 {
	if d == nil {
		return nil
	}
	n := int64(*d / time.Second)
	return &n
}

// over puts what was given over what is there.
func over[T any](to, given *T) {
	if given != nil {
		*to = *given
	}
}

// mostNamed is how many users without a way in are named.
const mostNamed = 20

// confirmStranded says whom a policy would leave without a way in (PUSH-5), and
// asks whether it is to be set all the same.
func (c *policySet) confirmStranded(ctx context.Context, s *shell, h house, change func(policy.Document) (policy.Document, error)) error {
	if change == nil || c.Kind != policy.KindPush && c.Kind != policy.KindPlatforms {
		return nil
	}
	row, err := h.db.Policies().Get(ctx, h.tenant.ID, c.Kind)
	if err != nil {
		return err
	}
	document, err := policy.Decode(c.Kind, row.Document)
	if err != nil {
		return err
	}
	if document, err = change(document); err != nil {
		return err
	}
	n, err := admin.Strands(ctx, h.db, h.tenant.ID, document)
	if err != nil || n.Users == 0 || c.Yes {
		return err
	}
	some, err := admin.WhoIsStranded(ctx, h.db, h.tenant.ID, document, mostNamed)
	if err != nil {
		return err
	}
	users := "1 user"
	if n.Users > 1 {
		users = fmt.Sprintf("%d users", n.Users)
	}
	lines := warned{fmt.Sprintf("this would leave %s without a way in, %d of them without any authenticator: passcodes are refused, and no push can be answered.", users, n.Unenrolled)}
	for _, one := range some {
		lines = append(lines, fmt.Sprintf("%s: %s", one.User, one.Obstacle))
	}
	if more := n.Users - int64(len(some)); more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	return s.agree(ctx, lines)
}

// set sets the policy, and with push where its operators are alerted.
func (c *policySet) set(ctx context.Context, s *shell, h house, change func(policy.Document) (policy.Document, error)) (store.Policy, error) {
	if c.Kind != policy.KindPush {
		return admin.SetPolicy(ctx, h.db, h.who, h.tenant.ID, c.Kind, change)
	}
	set, err := admin.SetPush(ctx, h.db, h.who, h.tenant.ID, change, c.addresses())
	if err != nil || c.AlertOperators == nil || !*c.AlertOperators {
		return set, err
	}
	t, err := h.db.Tenants().Get(ctx, h.tenant.ID)
	if err == nil && len(t.Alerts) == 0 {
		fmt.Fprintln(s.stderr, "latchkey: nobody is alerted yet: name an operator's address by --alert-address")
	}
	return set, err
}
