package admin

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
)

// A Finding is one setting that holds, and what made it so.
type Finding struct {
	Policy  policy.Kind `json:"policy"`
	Setting string      `json:"setting"`
	Value   string      `json:"value"`
	Because string      `json:"because"`
}

// Findings returns an explanation setting by setting.
func (e Explanation) Findings() []Finding {
	var all []Finding
	add := func(kind policy.Kind, setting, value, because string) {
		all = append(all, Finding{kind, setting, value, because})
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
			names = append(names, e.GroupNames[id])
		}
		slices.Sort(names)
		return "group " + strings.Join(names, ", ")
	}

	decidedBy := fmt.Sprintf("rule %s, %s", e.Decision.Rule, origin(policy.KindAccess))
	if e.Decision.Rule == "" {
		decidedBy = fmt.Sprintf("%s, %s", e.Decision.Reason, origin(policy.KindAccess))
	}
	if e.Disabled {
		add(policy.KindAccess, "user", "disabled", "an operator disabled the user, who logs in to nothing")
	}
	if !e.LockedUntil.IsZero() {
		add(policy.KindLockout, "user", "locked", "failed logins, or an operator, locked the user until "+e.LockedUntil.UTC().Format(time.RFC3339))
	}
	var proofs []string
	for _, proof := range e.Decision.Require {
		proofs = append(proofs, string(proof))
	}
	if e.Decision.Deny {
		add(policy.KindAccess, "login", "denied", decidedBy)
	} else {
		add(policy.KindAccess, "login", "after "+strings.Join(proofs, ", "), decidedBy)
		if e.Decision.MaxAge > 0 {
			add(policy.KindAccess, "at most so old", fmt.Sprintf("%d s", e.Decision.MaxAge), decidedBy)
		}
		add(policy.KindAccess, "devices may be remembered", yesNo(e.Decision.Remember), decidedBy)
	}
	for _, t := range e.Trace {
		fits := yesNo(t.Reason == policy.Matches)
		if t.Reason == policy.AddressUnknown {
			fits = "perhaps" // what it asks counts as well
		}
		add(policy.KindAccess, "rule "+t.Rule, fits, string(t.Reason))
	}
	add(policy.KindSelfProvisioning, "may enrol alone", yesNo(e.Ways.MayEnroll), fmt.Sprintf("%s; %s", e.Ways.WhyNotEnroll, origin(policy.KindSelfProvisioning)))
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
	all = append(all, e.pushFindings(ofGroups(e.Push.PresenceBy))...)
	for _, way := range []struct {
		setting string
		offered bool
		because string
	}{
		{"challenges", e.Ways.Challenge, "an authenticator that answers them, where passcodes count"},
		{"passkeys", e.Ways.Passkey, "an active passkey, and what the policy lets it be used for"},
		{"recovery codes", e.Ways.RecoveryCode, "unused ones, where the policy and the rule's steps let them count"},
	} {
		add(policy.KindCredentials, way.setting, map[bool]string{true: "offered", false: "not offered"}[way.offered], "it takes "+way.because)
	}
	why := e.barred()
	if why == "" {
		add(policy.KindAccess, "can confirm", "yes", "as said above")
	} else {
		add(policy.KindAccess, "can confirm", "no", "the user "+string(why))
	}
	return all
}

// barred is why the login cannot be confirmed, or "".
func (e Explanation) barred() policy.Reason {
	if e.Decision.Deny {
		return policy.AccessDenied
	}
	return e.Ways.Barred(e.Decision.Require)
}

// pushFindings are what would become of a push. presenceBy is what made the presence
// check of the policy what it is.
func (e Explanation) pushFindings(presenceBy string) []Finding {
	var all []Finding
	now := e.PushNow
	add := func(setting, value, because string) {
		all = append(all, Finding{policy.KindPush, setting, value, because})
	}
	if e.Ways.Push {
		add("check now", string(e.Ways.Presence), cmp.Or(now.WhyCheck, presenceBy))
	} else {
		add("check now", "no push", now.WhyNot)
	}
	for _, a := range now.Reaches {
		value, because := "reached", cmp.Or(a.AppVersion, "its app tells no version")
		if a.Unreachable != "" {
			value, because = "not reached", a.Unreachable
		}
		add("authenticator "+a.Serial, value, because)
	}
	codes := "passcodes are not offered"
	if e.Ways.Codes {
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
