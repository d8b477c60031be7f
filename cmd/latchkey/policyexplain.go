package main

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/latchkey-id/latchkey/internal/admin"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
)

type policyExplain struct {
	User string `required:"" placeholder:"USER" help:"Who would log in."`
	App  string `required:"" placeholder:"APP" help:"To what: an application's name, entityID or client id, or id."`
	From string `placeholder:"ADDRESS" help:"From where. Default: an address nobody knows, for which the strictest of what may fit holds."`
}

func (policyExplain) Help() string {
	return `Of each setting it says what made it so: a rule, groups, the tenant's policy, or the default where nobody has set one. Of push it says too which presence check would be asked for now, with the password proved, which authenticators it would reach and why not the others, and what is offered first in a browser nobody knows. Nothing is changed, and the user is told nothing.

Example:

    latchkey policy explain --user anna --app Wiki --from 192.0.2.7`
}

// A finding is one thing the policies say, and what made them say it.
type finding struct {
	Policy  policy.Kind `json:"policy"`
	Setting string      `json:"setting"`
	Value   string      `json:"value"`
	Because string      `json:"because"`
}

// Run explains what holds for a user at an application.
func (c *policyExplain) Run(ctx context.Context, s *shell) error {
	var from netip.Addr
	if c.From != "" {
		var err error
		if from, err = netip.ParseAddr(c.From); err != nil {
			return refuse("--from %q is no address such as 192.0.2.7", c.From)
		}
	}
	return s.inTenant(ctx, func(h house) error {
		u, err := h.user(ctx, c.User)
		if err != nil {
			return err
		}
		app, err := h.application(ctx, c.App)
		if err != nil {
			return err
		}
		e, err := admin.Explain(ctx, h.db, u, app.ID, from)
		if err != nil {
			return err
		}
		called := make(map[string]string)
		for g, err := range h.db.Groups().OfUser(ctx, h.tenant.ID, u.ID) {
			if err != nil {
				return err
			}
			called[g.ID] = g.Name
		}
		return list(s, findings(e, called), []string{"POLICY", "SETTING", "VALUE", "BECAUSE"}, func(f finding) []string {
			return []string{string(f.Policy), f.Setting, f.Value, f.Because}
		})
	})
}

// findings are an explanation, line by line; called are the names of groups.
func findings(e admin.Explanation, called map[string]string) []finding {
	var all []finding
	add := func(kind policy.Kind, setting, value, because string) {
		all = append(all, finding{kind, setting, value, because})
	}
	origin := func(kind policy.Kind) string {
		if e.Versions[kind] == 0 {
			return "the default"
		}
		return fmt.Sprintf("the tenant's policy, version %d", e.Versions[kind])
	}
	ofGroups := func(ids []string) string {
		if len(ids) == 0 {
			return origin(policy.KindPush)
		}
		var names []string
		for _, id := range ids {
			names = append(names, called[id])
		}
		slices.Sort(names)
		return "group " + strings.Join(names, ", ")
	}

	why := fmt.Sprintf("rule %s, %s", e.Decision.Rule, origin(policy.KindAccess))
	if e.Decision.Rule == "" {
		why = fmt.Sprintf("%s, %s", e.Decision.Reason, origin(policy.KindAccess))
	}
	if e.Disabled {
		add(policy.KindAccess, "user", "disabled", "an operator disabled the user, who logs in to nothing")
	}
	if e.Decision.Deny {
		add(policy.KindAccess, "login", "denied", why)
	} else {
		add(policy.KindAccess, "login", "after "+strings.Join(stringsOf(e.Decision.Require), ", "), why)
		if e.Decision.MaxAge > 0 {
			add(policy.KindAccess, "at most so old", fmt.Sprintf("%d s", e.Decision.MaxAge), why)
		}
		add(policy.KindAccess, "devices may be remembered", yesNo(e.Decision.Remember), why)
	}
	for _, t := range e.Trace {
		fits := yesNo(t.Reason == policy.Matches)
		if t.Reason == policy.AddressUnknown {
			fits = "perhaps" // what it asks counts as well
		}
		add(policy.KindAccess, "rule "+t.Rule, fits, string(t.Reason))
	}
	add(policy.KindSelfProvisioning, "may enrol alone", yesNo(e.MayEnroll), fmt.Sprintf("%s; %s", e.WhyEnroll, origin(policy.KindSelfProvisioning)))
	for _, platform := range append(slices.Clone(identity.Platforms), identity.PrivacyIDEA) {
		value := "not allowed"
		switch {
		case e.Platforms.PushOn(platform):
			value = "allowed, with push"
		case e.Platforms[platform].Allowed:
			value = "allowed, without push"
		}
		add(policy.KindPlatforms, string(platform), value, origin(policy.KindPlatforms))
	}
	add(policy.KindPush, "push", yesNo(e.Push.Enabled), ofGroups(e.Push.EnabledBy))
	add(policy.KindPush, "passcodes", yesNo(e.Push.CodesAllowed), ofGroups(e.Push.CodesBy))
	add(policy.KindPush, "presence check", string(e.Push.Presence), ofGroups(e.Push.PresenceBy))
	return append(all, ofPushNow(e.PushNow, ofGroups(e.Push.PresenceBy))...)
}

// ofPushNow is what would become of a push; policy is what made the presence
// check of the policy what it is.
func ofPushNow(now admin.PushNow, policyOfCheck string) []finding {
	var all []finding
	add := func(setting, value, because string) {
		all = append(all, finding{policy.KindPush, setting, value, because})
	}
	if now.Asked {
		add("check now", string(now.Presence), cmp.Or(now.WhyCheck, policyOfCheck))
	} else {
		add("check now", "no push", now.WhyNot)
	}
	for _, a := range now.Reaches {
		value, because := "reached", cmp.Or(a.AppVersion, "its app tells no version")
		if a.Obstacle != "" {
			value, because = "not reached", a.Obstacle
		}
		add("authenticator "+a.Serial, value, because)
	}
	codes := "passcodes are not offered"
	if now.Codes {
		codes = "passcodes are offered"
	}
	add("offered first", now.First, codes)
	return all
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
