package policy

import (
	"maps"
	"slices"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// A Presence is a kind of presence check: proof that the person who holds the
// phone sees the browser (PUSH-18).
type Presence string

const (
	NoPresence Presence = "none"
	Pick       Presence = "pick"
	Enter      Presence = "enter"
	SixDigits  Presence = "six-digits"
)

// presences lists the presence checks, from the weakest to the strictest.
var presences = []Presence{NoPresence, Pick, Enter, SixDigits}

// Capability is the capability an authenticator app must declare to do a presence check.
func (p Presence) Capability() string { return "presence:" + string(p) }

// Stricter returns the stricter of two presence checks (PUSH-20).
func Stricter(a, b Presence) Presence {
	if slices.Index(presences, a) > slices.Index(presences, b) {
		return a
	}
	return b
}

// PushSettings are the settings of a push policy that a tenant has, and that a
// group can have instead (PUSH-1).
type PushSettings struct {
	Enabled      bool     `json:"enabled"`
	CodesAllowed bool     `json:"codes_allowed"`
	Presence     Presence `json:"presence"`
}

// Normalize returns the settings as they take effect. With push off, passcodes
// are allowed and there is no presence check, whatever values remain from when
// push was on.
func (s PushSettings) Normalize() PushSettings {
	if !s.Enabled {
		return PushSettings{CodesAllowed: true, Presence: NoPresence}
	}
	return s
}

// Push is a tenant's push policy, including its groups' settings.
type Push struct {
	PushSettings

	BeforePassword bool  `json:"before_password"` // push is possible without a proved password (PUSH-7)
	Lifetime       int64 `json:"lifetime"`        // seconds for which a request is open (PUSH-15)
	Spacing        int64 `json:"spacing"`         // minimum seconds between two requests of a user (PUSH-9)
	PerJourney     int64 `json:"per_journey"`     // maximum number of requests in a journey (PUSH-9)
	Limit          int64 `json:"limit"`           // maximum number of requests of a user within an hour and since the last approved one; one more locks push (PUSH-9)
	Lock           int64 `json:"lock"`            // seconds for which push is then locked
	PickDigits     int64 `json:"pick_digits"`     // digits of the numbers to pick from (PUSH-18)

	Alerts Alerts `json:"alerts"`

	Groups map[string]PushSettings `json:"groups,omitempty"` // by group id; replace the tenant's settings (PUSH-2)
}

// Alerts say who gets a mail when a push was rejected with *it wasn't me*
// (PUSH-14). Operators get it at the addresses the tenant has configured for
// alerts. They are also told when push is locked for a user (PUSH-9).
type Alerts struct {
	User      bool `json:"user"`
	Operators bool `json:"operators"`
}

// DefaultPush enables push, allows passcodes and requires a number to be entered.
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

// Validate reports everything that is wrong.
func (p Push) Validate() error {
	var ps Problems
	oneOf(&ps, "presence", p.Presence, presences...)
	ps.inRange("lifetime", p.Lifetime, 30, 300)
	ps.inRange("spacing", p.Spacing, 15, 300)
	ps.inRange("per_journey", p.PerJourney, 1, 3)
	ps.inRange("limit", p.Limit, 1, 20)
	ps.inRange("lock", p.Lock, 300, 24*3600)
	oneOf(&ps, "pick_digits", p.PickDigits, 2, 3)
	for _, id := range slices.Sorted(maps.Keys(p.Groups)) {
		if id == "" {
			ps.add("groups", "missing")
		}
		oneOf(&ps, "groups."+id+".presence", p.Groups[id].Presence, presences...)
	}
	return ps.err()
}

// SwitchesOn lists the fields in which p enables push and before did not.
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

// An EffectivePush is the push policy that applies to one user. For each setting
// it has the ids of the groups that determined it, or none where the tenant's
// setting applies (PUSH-4).
type EffectivePush struct {
	PushSettings

	EnabledBy  []string
	CodesBy    []string
	PresenceBy []string
}

// Effective merges the settings of a user's groups (PUSH-2, PUSH-3). Push is on
// if any group has it on. Of the groups that do, one that refuses passcodes is
// enough to refuse them, and the strictest presence check applies. The tenant's
// own settings apply only to users in no group with settings, even where they
// are stricter.
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
		return EffectivePush{PushSettings: p.PushSettings.Normalize()}
	case len(on) == 0:
		return EffectivePush{PushSettings: PushSettings{}.Normalize(), EnabledBy: off, CodesBy: off, PresenceBy: off}
	}
	// Groups with push off do not count below. Otherwise a setting that remains
	// from when it was on would refuse passcodes to everybody.
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

// A PushContext is what matters about a login for how push may be used in it.
type PushContext struct {
	Proved     bool                  // a password or a passkey was proved
	Rejected   bool                  // the user rejected a push with *it wasn't me* within the last day
	Steps      []identity.FactorStep // the steps of the journey definition; empty means all
	CannotShow bool                  // the application cannot show a number
	AllowPlain bool                  // with CannotShow: its operator allows a push without a presence check
}

// Check reports whether a push may be sent under settings s, and with which
// presence check: the strictest that anything requires (PUSH-20).
//
// Without a proved password or passkey, push requires the setting
// before_password and always a presence check. Otherwise anybody who knows a name
// could ask its owner to approve (PUSH-7). For a day after a user answered *it
// wasn't me*, a presence check is required too (PUSH-14). If the application
// cannot show a number, a push that needs one is refused (PUSH-21). AllowPlain
// then overrides only the check that the policy requires. It overrides neither
// these two cases nor a journey definition that requires a presence check.
func (p Push) Check(s PushSettings, at PushContext) (Presence, bool) {
	s = s.Normalize()
	presence := s.Presence
	if at.CannotShow && at.AllowPlain {
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

// ForAnyUser reports what may be chosen before anything was proved, while the
// user's groups are unknown: whether a push, whether a passcode, and with which
// presence check, the strictest that applies to anybody. The result is the same
// for every name, so that it reveals nothing about a name (ENR-4).
func (p Push) ForAnyUser() (presence Presence, push, codes bool) {
	presence = Enter
	for _, s := range append(slices.Collect(maps.Values(p.Groups)), p.PushSettings) {
		s = s.Normalize()
		presence = Stricter(presence, s.Presence)
		push = push || s.Enabled && p.BeforePassword
		codes = codes || s.CodesAllowed
	}
	return presence, push, codes
}
