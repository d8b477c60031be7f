package main

import (
	"context"
	"strconv"
	"time"

	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
)

// countersRow are the counters of an authenticator.
type countersRow struct {
	Serial    string    `json:"serial"`
	Name      string    `json:"name"`
	State     string    `json:"state"`
	Wrong     int64     `json:"wrong_passcodes"` // in a row
	LockedAt  time.Time `json:"locked_at,omitzero"`
	UnlocksAt time.Time `json:"unlocks_at,omitzero"`   // by itself
	LastStep  int64     `json:"last_step"`             // the time step, or counter, of the passcode used last; -1 for none
	LastTime  time.Time `json:"last_step_at,omitzero"` // when that step began, by the clock of what made it
	Drift     int64     `json:"drift"`                 // steps that clock was found to be ahead
}

func rowOfCounters(a identity.Authenticator) countersRow {
	row := countersRow{Serial: a.Serial, Name: a.Name, State: string(a.State()), Wrong: a.Invalid, LockedAt: a.LockedAt,
		LastStep: a.LastStep, Drift: a.Drift}
	if !a.LockedAt.IsZero() {
		row.UnlocksAt = a.UnlocksAt
	}
	if a.Step > 0 && a.LastStep >= 0 {
		row.LastTime = time.Unix(a.LastStep*a.Step, 0).UTC()
	}
	return row
}

// last is the passcode used last, for people: when it was made, or its number.
func (c countersRow) last() string {
	switch {
	case c.LastStep < 0:
		return ""
	case c.LastTime.IsZero():
		return "counter " + strconv.FormatInt(c.LastStep, 10)
	}
	return formatTime(c.LastTime)
}

// userCounters are a user's own counters, and those of the user's authenticators.
type userCounters struct {
	Name            string        `json:"name"`
	Failures        int64         `json:"failures"` // failed logins in a row, in browsers not known before
	LockedUntil     time.Time     `json:"locked_until,omitzero"`
	LockedAt        time.Time     `json:"locked_at,omitzero"` // by an operator
	Wrong           int64         `json:"wrong_passcodes"`    // in a row, where they are counted per user
	PasscodesLocked time.Time     `json:"passcodes_locked_until,omitzero"`
	PushLocked      time.Time     `json:"push_locked_until,omitzero"`
	Authenticators  []countersRow `json:"authenticators"`
}

// futureOrZero is t if it is in the future, and else the zero time.
func futureOrZero(t, now time.Time) time.Time {
	if t.After(now) {
		return t
	}
	return time.Time{}
}

type authenticatorCounters struct {
	Serial string `arg:"" optional:"" xor:"of" help:"Its serial."`
	User   string `placeholder:"USER" xor:"of" help:"Those of all that a user has, and the user's own."`
}

func (authenticatorCounters) Help() string {
	return `Wrong passcodes in a row and what they locked, how far a clock was found to be off, and the passcode that was used last.

Examples:

    latchkey authenticator counters LK-7Q2M-04VX

    latchkey authenticator counters --user anna`
}

// Run shows counters.
func (c *authenticatorCounters) Run(ctx context.Context, s *shell) error {
	if (c.Serial == "") == (c.User == "") {
		return usageErrorf("name an authenticator by its serial, or a user by --user")
	}
	return s.inTenant(ctx, func(ts tenantScope) error {
		if c.Serial != "" {
			a, err := ts.authenticator(ctx, c.Serial)
			if err != nil {
				return err
			}
			row := rowOfCounters(a)
			if s.flags.JSON {
				return s.encode(row)
			}
			return table(s.stdout, [][]string{{"Serial", row.Serial}, {"Name", row.Name}, {"State", row.State},
				{"Wrong in a row", strconv.FormatInt(row.Wrong, 10)}, {"Locked", formatTime(row.LockedAt)}, {"Unlocks by itself", formatTime(row.UnlocksAt)},
				{"Last passcode", row.last()}, {"Drift in steps", strconv.FormatInt(row.Drift, 10)}})
		}
		u, err := ts.user(ctx, c.User)
		if err != nil {
			return err
		}
		now := ts.db.Now()
		all := userCounters{Name: u.Name, Failures: u.Failures, LockedUntil: futureOrZero(u.LockedUntil, now), LockedAt: u.LockedAt,
			Wrong: u.PasscodeFailures, PasscodesLocked: futureOrZero(u.PasscodesLocked, now), PushLocked: futureOrZero(u.PushLockedUntil, now),
			Authenticators: []countersRow{}}
		for a, err := range ts.db.Authenticators().OfUser(ctx, ts.tenant.ID, u.ID) {
			if err != nil {
				return err
			}
			all.Authenticators = append(all.Authenticators, rowOfCounters(a))
		}
		if s.flags.JSON {
			return s.encode(all)
		}
		return all.print(s)
	})
}

// print writes a user's counters for people.
func (c userCounters) print(s *shell) error {
	err := table(s.stdout, [][]string{{"User", c.Name}, {"Failed logins in a row", strconv.FormatInt(c.Failures, 10)},
		{"Logins locked until", formatTime(c.LockedUntil)}, {"Locked by an operator", formatTime(c.LockedAt)},
		{"Wrong passcodes in a row", strconv.FormatInt(c.Wrong, 10)}, {"Passcodes locked until", formatTime(c.PasscodesLocked)},
		{"Push locked until", formatTime(c.PushLocked)}, {}})
	if err != nil {
		return err
	}
	return list(s, c.Authenticators, []string{"SERIAL", "NAME", "STATE", "WRONG", "UNLOCKS", "LAST PASSCODE", "DRIFT"}, func(a countersRow) []string {
		return []string{a.Serial, a.Name, a.State, strconv.FormatInt(a.Wrong, 10), formatTime(a.UnlocksAt), a.last(), strconv.FormatInt(a.Drift, 10)}
	})
}

type authenticatorResync struct {
	Serial   string   `arg:"" help:"Its serial."`
	Passcode []string `required:"" placeholder:"CODE" help:"What it shows, and then what it shows next; given twice."`
}

func (authenticatorResync) Help() string {
	return `It sets the clock or counter of an authenticator that has lost it: up to ten time steps either way, or a hundred presses ahead. Its owner reads two passcodes out that follow one another; neither works afterwards. A lock by wrong passcodes ends with it; one by wrong PINs does not.

Example:

    latchkey authenticator resync LK-7Q2M-04VX --passcode 287082 --passcode 359152`
}

// Run resynchronises an authenticator.
func (c *authenticatorResync) Run(ctx context.Context, s *shell) error {
	if len(c.Passcode) != 2 {
		return usageErrorf("give two passcodes that follow one another: --passcode twice")
	}
	return s.changeAuthenticator(ctx, c.Serial, "resynchronised", func(ctx context.Context, tx *store.Tx, a identity.Authenticator) error {
		return authenticator.Resynchronise(ctx, tx, a, c.Passcode[0], c.Passcode[1])
	})
}
