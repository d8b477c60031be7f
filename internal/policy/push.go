package policy

import (
	"maps"
	"slices"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// A Presence is a presence check: proof that the person with the phone sees
// the browser (PUSH-18).
type Presence string

const (
	NoPresence Presence = "none"
	Pick       Presence = "pick"
	Enter      Presence = "enter"
	SixDigits  Presence = "six-digits"
)

// presences lists the checks, the strictest last.
var presences = []Presence{NoPresence, Pick, Enter, SixDigits}

// Capability is what an authenticator app must declare to do a presence check.
func (p Presence) Capability() string { return "presence:" + string(p) }

// Stricter returns the stricter of two presence checks (PUSH-20).
func Stricter(a, b Presence) Presence {
	if slices.Index(presences, a) > slices.Index(presences, b) {
		return a
	}
	return b
}

// PushSettings are the three settings of a push policy, a tenant's or a
// group's (PUSH-1).
type PushSettings struct {
	Enabled      bool     `json:"enabled"`
	CodesAllowed bool     `json:"codes_allowed"`
	Presence     Presence `json:"presence"`
}

// Normal returns the settings as they take effect: with push off, passcodes
// are allowed and nothing is checked for presence, whatever stands there from
// the time when push was on.
func (s PushSettings) Normal() PushSettings {
	if !s.Enabled {
		return PushSettings{CodesAllowed: true, Presence: NoPresence}
	}
	return s
}

// Push is a tenant's push policy, with those of its groups.
type Push struct {
	PushSettings

	BeforePassword bool  `json:"before_password"` // a push without a proved password (PUSH-7)
	Lifetime       int64 `json:"lifetime"`        // seconds a request is open (PUSH-15)
	Spacing        int64 `json:"spacing"`         // least seconds between two requests of a user (PUSH-9)
	PerJourney     int64 `json:"per_journey"`     // most requests in a journey (PUSH-9)
	Limit          int64 `json:"limit"`           // most requests of a user since an approved one, within an hour; one more locks push (PUSH-9)
	Lock           int64 `json:"lock"`            // seconds for which that locks it
	PickDigits     int64 `json:"pick_digits"`     // of the numbers to pick from (PUSH-18)

	Alerts Alerts `json:"alerts"`

	Groups map[string]PushSettings `json:"groups,omitempty"` // by id; instead of the tenant's (PUSH-2)
}

// Alerts say who is told by mail that a push was rejected with *it wasn't me*
// (PUSH-14). Operators are read at the addresses the tenant gives for alerts;
// they are told too when push is locked for a user (PUSH-9).
type Alerts struct {
	User      bool `json:"user"`
	Operators bool `json:"operators"`
}

// DefaultPush is push with codes allowed and a number to enter.
func DefaultPush() Push {
	return Push{
		PushSettings: PushSettings{Enabled: true, CodesAllowed: true, Presence: Enter},
		Lifetime:     60,
		Spacing:      15,
		PerJourney:   3,
		Limit:        5,
		Lock:         3600,
		PickDigits:   3,
	}
}

// Kind returns KindPush.
func (Push) Kind() Kind { return KindPush }

// Validate reports all that is wrong.
func (p Push) Validate() error {
	var ps Problems
	oneOf(&ps, "presence", p.Presence, presences...)
	ps.within("lifetime", p.Lifetime, 30, 300)
	ps.within("spacing", p.Spacing, 15, 300)
	ps.within("per_journey", p.PerJourney, 1, 3)
	ps.within("limit", p.Limit, 1, 20)
	ps.within("lock", p.Lock, 300, 24*3600)
	oneOf(&ps, "pick_digits", p.PickDigits, 2, 3)
	for _, id := range slices.Sorted(maps.Keys(p.Groups)) {
		if id == "" {
			ps.add("groups", "missing")
		}
		oneOf(&ps, "groups."+id+".presence", p.Groups[id].Presence, presences...)
	}
	return ps.err()
}

// SwitchesOn lists the fields in which p has push on where before had it off.
func (p Push) SwitchesOn(before Push) (fields []string) {
	if p.Enabled && !before.Enabled {
		fields = append(fields, "enabled")
	}
	for _, id := range slices.Sorted(maps.Keys(p.Groups)) {
		if p.Groups[id].Enabled && !before.Groups[id].Enabled {
			fields = append(fields, "groups."+id+".enabled")
		}
	}
	return fields
}

// An EffectivePush is the push policy as it holds for one user, and for each
// setting the ids of the groups that made it so; none where the tenant's policy
// holds (PUSH-4).
type EffectivePush struct {
	PushSettings

	EnabledBy  []string
	CodesBy    []string
	PresenceBy []string
}

// Effective merges the policies of a user's groups (PUSH-2, PUSH-3): push is on
// if it is on in any; of those groups, one that refuses codes refuses them, and
// the strictest presence check holds. The tenant's own policy counts only for
// who is in no group with one, even where it is stricter.
func (p Push) Effective(groups []string) EffectivePush {
	var on, off []string
	for _, id := range slices.Compact(slices.Sorted(slices.Values(groups))) {
		switch s, has := p.Groups[id]; {
		case !has:
		case s.Enabled:
			on = append(on, id)
		default:
			off = append(off, id)
		}
	}
	switch {
	case len(on) == 0 && len(off) == 0:
		return EffectivePush{PushSettings: p.PushSettings.Normal()}
	case len(on) == 0:
		return EffectivePush{PushSettings: PushSettings{}.Normal(), EnabledBy: off, CodesBy: off, PresenceBy: off}
	}
	// Groups whose push is off have no say below, or a setting left from when
	// it was on would forbid everybody else their codes.
	e := EffectivePush{PushSettings: PushSettings{Enabled: true, CodesAllowed: true, Presence: NoPresence}, EnabledBy: on}
	for _, id := range on {
		e.CodesAllowed = e.CodesAllowed && p.Groups[id].CodesAllowed
		e.Presence = Stricter(e.Presence, p.Groups[id].Presence)
	}
	for _, id := range on {
		if p.Groups[id].CodesAllowed == e.CodesAllowed {
			e.CodesBy = append(e.CodesBy, id)
		}
		if p.Groups[id].Presence == e.Presence {
			e.PresenceBy = append(e.PresenceBy, id)
		}
	}
	return e
}

// An Occasion is what of a login decides how push may be used in it.
type Occasion struct {
	Proved     bool                  // a password or passkey was
	Rejected   bool                  // the user said *it wasn't me* to a push within a day
	Steps      []identity.FactorStep // that the journey definition names; none are all
	CannotShow bool                  // the application can show no number
	Plain      bool                  // and its operator allows a push without a presence check
}

// Check reports whether a push may be sent under settings s, and with which
// presence check: the strictest that anything asks for (PUSH-20).
//
// Without a proved password or passkey it takes the switch before_password, and
// then never a plain push: a stranger who knows a name could ask its owner to
// approve (PUSH-7). For a day after somebody said *it wasn't me* a plain push is
// not enough either (PUSH-14). Where no number can be shown, a push that needs
// one is not to be had (PUSH-21); the operator's leave for a plain one there
// stands against the policy alone, not against these two, nor against a journey
// definition that wants a presence check.
func (p Push) Check(s PushSettings, at Occasion) (Presence, bool) {
	s = s.Normal()
	presence := s.Presence
	if at.CannotShow && at.Plain {
		presence = NoPresence
	}
	switch {
	case slices.Contains(at.Steps, identity.PushWithPresenceStep):
		presence = Stricter(presence, Enter)
	case !Offers(at.Steps, identity.PushStep):
		return NoPresence, false
	}
	switch {
	case !s.Enabled, !at.Proved && !p.BeforePassword:
		return NoPresence, false
	case presence == NoPresence && (!at.Proved || at.Rejected):
		presence = Enter
	}
	if at.CannotShow && presence != NoPresence {
		return NoPresence, false
	}
	return presence, true
}

// Anybody reports whether a push, or a passcode, may be chosen before anything
// was proved, when nobody has looked yet whose groups hold what, and with which
// presence check such a push would be: the strictest that holds for anybody.
// Whoever types a name sees the same for every name (ENR-4).
func (p Push) Anybody() (presence Presence, push, codes bool) {
	presence = Enter
	for _, s := range append(slices.Collect(maps.Values(p.Groups)), p.PushSettings) {
		s = s.Normal()
		presence = Stricter(presence, s.Presence)
		push = push || s.Enabled && p.BeforePassword
		codes = codes || s.CodesAllowed
	}
	return presence, push, codes
}
