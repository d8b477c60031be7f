package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// A UserClass is a set of users with equal values of everything that decides about
// their ways to confirm a login. What does not last is left out of it: temporary
// passcodes, recovery codes, and locks that end by themselves.
type UserClass struct {
	Holder
	Users int64 // number of users in the class
}

// LockedOut counts the users whom a change would leave without a way in (PUSH-5).
type LockedOut struct {
	Users      int64 `json:"users"`
	Unenrolled int64 `json:"unenrolled"` // those of them who have no authenticator
}

// An ImpactApplication is an application that users log in to, with what of it decides
// about their ways to confirm the login.
type ImpactApplication struct {
	ID, Name   string
	CannotShow bool // it cannot show a number
	AllowPlain bool // with CannotShow: a push without a presence check is allowed
}

// An Impact says what a change of policies does to people: who has a way in before it,
// and none after it. Methods are not for concurrent use.
type Impact struct {
	// Total counts users who had no way in before either, where passcodes are refused:
	// who changes push or platforms is to see all whom refusing them leaves without
	// one (PUSH-5).
	Total bool

	before, after Documents
	applications  []ImpactApplication
	addresses     []netip.Addr
	now           time.Time
	logins        map[string][]impactLogin // by the ids of groups
}

// An impactLogin is a login of members of some groups to an application from an
// address, as it is decided on before and after the change.
type impactLogin struct {
	application   ImpactApplication
	before, after Decision
}

// NewImpact compares two states of the policies, for users of these applications, and
// of others like those that no rule names.
func NewImpact(before, after Documents, applications []ImpactApplication, now time.Time) *Impact {
	i := &Impact{before: before, after: after, now: now, logins: make(map[string][]impactLogin)}
	i.addresses = typicalAddresses(before.Access, after.Access)
	// Of applications that no rule names, one of a kind will do.
	type kind struct{ cannotShow, allowPlain bool }
	seen := make(map[kind]bool)
	for _, a := range append([]ImpactApplication{{}}, applications...) {
		k := kind{a.CannotShow, a.AllowPlain}
		if named := before.Access.names(a.ID) || after.Access.names(a.ID); !named && seen[k] {
			continue
		} else if !named {
			seen[k] = true
		}
		i.applications = append(i.applications, a)
	}
	return i
}

// names reports whether a rule names an application.
func (a Access) names(application string) bool {
	return slices.ContainsFunc(a.Rules, func(r Rule) bool { return slices.Contains(r.Applications, application) })
}

// typicalAddresses returns an address of every network that rules name, and one of none
// where there is one.
func typicalAddresses(all ...Access) (addresses []netip.Addr) {
	var networks []netip.Prefix
	for _, a := range all {
		for _, r := range a.Rules {
			networks = append(networks, r.Networks...)
		}
	}
	for _, n := range networks {
		if !slices.Contains(addresses, n.Addr()) {
			addresses = append(addresses, n.Addr())
		}
	}
	// Addresses for documentation, and some of the internet (RFC 5737, RFC 3849).
	for _, text := range []string{"203.0.113.7", "198.51.100.7", "192.0.2.7", "2001:db8::7", "8.8.8.8", "2620:fe::fe"} {
		outside := netip.MustParseAddr(text)
		if !slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Contains(outside) }) {
			return append(addresses, outside)
		}
	}
	return addresses
}

// LockedOut returns why a user has no way in any more after the change, or "" if there
// is one, or was none before either. application is the name of the application that
// it concerns; empty if it is any.
func (i *Impact) LockedOut(h Holder) (why Reason, application string) {
	for _, l := range i.loginsOf(h.Groups) {
		why := i.after.barred(h, l.application, l.after, i.now)
		if why == "" {
			continue
		}
		if i.before.barred(h, l.application, l.before, i.now) == "" || i.Total && !i.after.Push.Effective(h.Groups).CodesAllowed {
			return why, l.application.Name
		}
	}
	return "", ""
}

// Count counts the users whom the change leaves without a way in.
func (i *Impact) Count(classes []UserClass) (n LockedOut) {
	for _, c := range classes {
		why, _ := i.LockedOut(c.Holder)
		if why == "" {
			continue
		}
		n.Users += c.Users
		if why == NoAuthenticator {
			n.Unenrolled += c.Users
		}
	}
	return n
}

// barred returns why a login that was decided on cannot be confirmed, or "".
func (d Documents) barred(h Holder, application ImpactApplication, decided Decision, now time.Time) Reason {
	switch {
	case decided.Deny:
		return AccessDenied
	case d.Lockout.Threshold > 0 && h.Failures > d.Lockout.Threshold:
		return TooManyFailures
	}
	return d.Ways(h, Login{Required: decided.Require, PushContext: PushContext{Proved: slices.Contains(decided.Require, identity.Password),
		Steps: decided.Steps, CannotShow: application.CannotShow, AllowPlain: application.AllowPlain}}, now).Barred(decided.Require)
}

// loginsOf returns the different logins of members of groups.
func (i *Impact) loginsOf(groups []string) []impactLogin {
	key := strings.Join(groups, " ")
	if known, ok := i.logins[key]; ok {
		return known
	}
	var all []impactLogin
	seen := make(map[string]bool)
	for _, app := range i.applications {
		for _, address := range i.addresses {
			s := Subject{Groups: groups, Application: app.ID, Address: address}
			l := impactLogin{app, i.before.Access.Decide(s), i.after.Access.Decide(s)}
			if text := fmt.Sprint(app.CannotShow, app.AllowPlain, l.before.Deny, l.before.Require, l.before.Steps, l.after.Deny, l.after.Require, l.after.Steps); !seen[text] {
				seen[text] = true
				all = append(all, l)
			}
		}
	}
	i.logins[key] = all
	return all
}
