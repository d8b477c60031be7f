package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
)

type authenticatorRow struct {
	ID          string    `json:"id"`
	Serial      string    `json:"serial"`
	Kind        string    `json:"kind"`
	Protocol    string    `json:"protocol,omitempty"` // of an app
	Name        string    `json:"name"`
	Platform    string    `json:"platform,omitempty"`
	State       string    `json:"state"`
	Push        string    `json:"push"`
	Digits      int       `json:"digits"`
	Period      int64     `json:"period,omitempty"` // seconds; 0 for HOTP
	Invalid     int64     `json:"wrong_passcodes"`
	Users       []string  `json:"users,omitempty"`
	AppVersion  string    `json:"app_version,omitempty"`
	EnrolledAt  time.Time `json:"enrolled_at"`
	ActiveAt    time.Time `json:"activated_at,omitzero"`
	LastUsedAt  time.Time `json:"last_used_at,omitzero"`
	LockedAt    time.Time `json:"locked_at,omitzero"`
	SuspendedAt time.Time `json:"suspended_at,omitzero"`
	RevokedAt   time.Time `json:"revoked_at,omitzero"`
	PushLocked  time.Time `json:"push_locked_until,omitzero"`
	Maker       string    `json:"manufacturer,omitempty"` // of a hardware token
	ImportedAt  time.Time `json:"imported_at,omitzero"`
	ExpiresAt   time.Time `json:"expires_at,omitzero"`

	Capabilities []string `json:"capabilities,omitempty"` // as its app declared them at its last call

	// Of the template with which it was enrolled; empty where there was none.
	Template  string `json:"template,omitempty"`
	Mode      string `json:"mode,omitempty"`
	PIN       string `json:"pin,omitempty"`        // of which type; a server-side one without a template, too
	PINLength int64  `json:"pin_length,omitempty"` // at least, of a PIN that the app asks for

	pinRules string // in words
}

func rowOfAuthenticator(a identity.Authenticator, now time.Time) authenticatorRow {
	row := authenticatorRow{ID: a.ID, Serial: a.Serial, Kind: string(a.Kind), Name: a.Name, Platform: string(a.Platform),
		State: string(a.State()), Push: string(a.Push(now)), Digits: a.Digits, Period: a.Step, Invalid: a.Invalid,
		AppVersion: a.AppVersion, EnrolledAt: a.EnrolledAt, ActiveAt: a.ActivatedAt, LastUsedAt: a.LastUsedAt, LockedAt: a.LockedAt,
		SuspendedAt: a.SuspendedAt, RevokedAt: a.RevokedAt, Capabilities: a.Capabilities,
		Maker: a.Manufacturer, ImportedAt: a.ImportedAt, ExpiresAt: a.ExpiresAt}
	if a.Kind == identity.AppToken {
		row.Protocol = string(a.Protocol)
	}
	if a.Push(now) == identity.PushLocked {
		row.PushLocked = a.PushLocked
	}
	if a.ServerPIN {
		row.PIN, row.pinRules = policy.ServerSidePIN, policy.ServerSidePIN
	}
	if t, ok := templateOf(a); ok {
		row.Template, row.Mode, row.PIN, row.pinRules = t.Name, t.Mode, t.PIN, pinOf(t)
		if t.PIN == policy.UserPIN {
			row.PINLength = t.PINLength
		}
	}
	return row
}

// templateOf is the template with which an authenticator was enrolled, if there was one:
// hardware tokens, passkeys and what an operator handed out have none.
func templateOf(a identity.Authenticator) (policy.Template, bool) {
	if none := len(a.Template) == 0 || string(a.Template) == "{}"; none {
		return policy.Template{}, false
	}
	t, err := policy.Read[policy.Template](a.Template)
	return t, err == nil
}

// rows are an authenticator for people to read.
func (a authenticatorRow) rows() [][]string {
	makes := fmt.Sprintf("%d digits every %d seconds", a.Digits, a.Period)
	switch {
	case a.Protocol == string(identity.PrivacyIDEAPush):
		makes = "none: it confirms by push alone"
	case a.Kind == string(identity.Passkey):
		makes = "none: it signs"
	case a.Mode == policy.ChallengeResponse:
		makes = fmt.Sprintf("none: %d digits in response to a challenge", a.Digits)
	case a.Period == 0:
		makes = fmt.Sprintf("%d digits by counter", a.Digits)
	}
	return [][]string{{"Serial", a.Serial}, {"Name", a.Name}, {"Id", a.ID}, {"Kind", a.Kind}, {"User", strings.Join(a.Users, ", ")},
		{"State", a.State}, {"Platform", a.Platform}, {"Push", a.pushText()}, {"Template", a.Template}, {"Mode", a.Mode}, {"PIN", a.pinRules}, {"Passcodes", makes}, {"Wrong in a row", strconv.FormatInt(a.Invalid, 10)},
		{"App", a.AppVersion}, {"Presence checks", a.presenceChecks()}, {"Can besides", a.otherCapabilities()}, {"Enrolled", formatTime(a.EnrolledAt)}, {"Active since", formatTime(a.ActiveAt)}, {"Last used", formatTime(a.LastUsedAt)},
		{"Locked", formatTime(a.LockedAt)}, {"Suspended", formatTime(a.SuspendedAt)}, {"Revoked", formatTime(a.RevokedAt)}}
}

// pushText is the state of push; empty for what is no app and can have none.
func (a authenticatorRow) pushText() string {
	switch {
	case a.Kind != string(identity.AppToken):
		return ""
	case !a.PushLocked.IsZero():
		return a.Push + " until " + formatTime(a.PushLocked)
	}
	return a.Push
}

// presencePrefix begins the capabilities that are presence checks.
const presencePrefix = "presence:"

// presenceChecks are the presence checks an app can do; empty for what is no app.
func (a authenticatorRow) presenceChecks() string {
	var checks []string
	for _, capability := range a.Capabilities {
		if check, ok := strings.CutPrefix(capability, presencePrefix); ok {
			checks = append(checks, check)
		}
	}
	return strings.Join(checks, ", ")
}

// otherCapabilities are the app's capabilities that are no presence checks.
func (a authenticatorRow) otherCapabilities() string {
	return strings.Join(slices.DeleteFunc(slices.Clone(a.Capabilities), func(c string) bool { return strings.HasPrefix(c, presencePrefix) }), ", ")
}

// rowOfAuthenticator describes an authenticator, with the names of its users.
func (ts tenantScope) rowOfAuthenticator(ctx context.Context, a identity.Authenticator) (authenticatorRow, error) {
	row := rowOfAuthenticator(a, ts.db.Now())
	ids, err := ts.db.Authenticators().UserIDs(ctx, ts.tenant.ID, a.ID)
	if err != nil {
		return row, err
	}
	for _, id := range ids {
		u, err := ts.db.Users().Get(ctx, ts.tenant.ID, id)
		if err != nil {
			return row, err
		}
		row.Users = append(row.Users, u.Name)
	}
	return row, nil
}

type authenticatorList struct {
	User       string `placeholder:"USER" xor:"whose" help:"Only a user's, without revoked ones."`
	Unassigned bool   `xor:"whose" help:"Only imported hardware tokens that nobody has, by serial."`
}

func (authenticatorList) Help() string {
	return "Example:\n\n    latchkey authenticator list --user anna\n\n    latchkey authenticator list --unassigned"
}

// Run lists authenticators.
func (c *authenticatorList) Run(ctx context.Context, s *shell) error {
	return s.inTenant(ctx, func(ts tenantScope) error {
		all := ts.db.Authenticators().All(ctx, ts.tenant.ID, math.MaxInt32)
		if c.User != "" {
			u, err := ts.user(ctx, c.User)
			if err != nil {
				return err
			}
			all = ts.db.Authenticators().OfUser(ctx, ts.tenant.ID, u.ID)
		}
		if c.Unassigned {
			all = ts.db.Authenticators().Unassigned(ctx, ts.tenant.ID)
		}
		var rows []authenticatorRow
		for a, err := range all {
			if err != nil {
				return err
			}
			row, err := ts.rowOfAuthenticator(ctx, a)
			if err != nil {
				return err
			}
			rows = append(rows, row)
		}
		return list(s, rows, []string{"SERIAL", "KIND", "NAME", "USER", "STATE", "PUSH", "LAST USED"}, func(a authenticatorRow) []string {
			return []string{a.Serial, a.Kind, a.Name, strings.Join(a.Users, ", "), a.State, a.pushText(), formatTime(a.LastUsedAt)}
		})
	})
}

type authenticatorShow struct {
	Serial string `arg:"" help:"Its serial."`
}

func (authenticatorShow) Help() string {
	return "Example:\n\n    latchkey authenticator show LK-7Q2M-04VX"
}

// Run shows an authenticator.
func (c *authenticatorShow) Run(ctx context.Context, s *shell) error {
	return s.inTenant(ctx, func(ts tenantScope) error {
		a, err := ts.authenticator(ctx, c.Serial)
		if err != nil {
			return err
		}
		row, err := ts.rowOfAuthenticator(ctx, a)
		if err != nil {
			return err
		}
		if s.flags.JSON {
			return s.encode(row)
		}
		return table(s.stdout, row.rows())
	})
}

type authenticatorRevoke struct {
	Serial string `arg:"" help:"Its serial."`
	Reason string `default:"operator" help:"Why, in a word, for the audit: lost, stolen, replaced …"`
}

func (authenticatorRevoke) Help() string {
	return `It cannot be undone. A user who has none left enrols anew only with leave: latchkey enrollment allow.

Example:

    latchkey authenticator revoke LK-7Q2M-04VX --reason lost`
}

// Run ends an authenticator for good.
func (c *authenticatorRevoke) Run(ctx context.Context, s *shell) error {
	return s.changeAuthenticator(ctx, c.Serial, "revoked", func(ctx context.Context, tx *store.Tx, a identity.Authenticator) error {
		return authenticator.Revoke(ctx, tx, a, c.Reason)
	})
}

type authenticatorLock struct {
	Serial string `arg:"" help:"Its serial."`
}

func (authenticatorLock) Help() string {
	return `It stays locked until it is unlocked; no time ends that. Its user is told by mail, and still counts as having one: a lock opens no way to enrol another.

Example:

    latchkey authenticator lock LK-7Q2M-04VX`
}

// Run locks an authenticator.
func (c *authenticatorLock) Run(ctx context.Context, s *shell) error {
	return s.changeAuthenticator(ctx, c.Serial, "locked", authenticator.Lock)
}

type authenticatorUnlock struct {
	Serial string `arg:"" help:"Its serial."`
}

func (authenticatorUnlock) Help() string {
	return "It ends the lock of push too, which too many requests brought about, for all authenticators of the user.\n\nExample:\n\n    latchkey authenticator unlock LK-7Q2M-04VX"
}

// Run ends a lock.
func (c *authenticatorUnlock) Run(ctx context.Context, s *shell) error {
	return s.changeAuthenticator(ctx, c.Serial, "unlocked", authenticator.Unlock)
}

type authenticatorSuspend struct {
	Serial string `arg:"" help:"Its serial."`
}

func (authenticatorSuspend) Help() string {
	return `While it is suspended it proves nothing, and its user still counts as having one. Resuming makes it what it was.

Example:

    latchkey authenticator suspend LK-7Q2M-04VX`
}

// Run suspends an authenticator.
func (c *authenticatorSuspend) Run(ctx context.Context, s *shell) error {
	return s.changeAuthenticator(ctx, c.Serial, "suspended", authenticator.Suspend)
}

type authenticatorResume struct {
	Serial string `arg:"" help:"Its serial."`
}

func (authenticatorResume) Help() string {
	return "Example:\n\n    latchkey authenticator resume LK-7Q2M-04VX"
}

// Run ends a suspension.
func (c *authenticatorResume) Run(ctx context.Context, s *shell) error {
	return s.changeAuthenticator(ctx, c.Serial, "resumed", authenticator.Resume)
}

// authenticator finds an authenticator by its serial. Its error names the nearest.
func (ts tenantScope) authenticator(ctx context.Context, serial string) (identity.Authenticator, error) {
	a, err := ts.db.Authenticators().BySerial(ctx, ts.tenant.ID, serial)
	return a, withNearest(err, "authenticator", serial, namesOf(ts.db.Authenticators().All(ctx, ts.tenant.ID, math.MaxInt32),
		func(a identity.Authenticator) string { return a.Serial }))
}

// changeAuthenticator changes the authenticator with a serial and shows it.
func (s *shell) changeAuthenticator(ctx context.Context, serial, what string, change func(ctx context.Context, tx *store.Tx, a identity.Authenticator) error) error {
	return s.inTenant(ctx, func(ts tenantScope) error {
		a, err := ts.authenticator(ctx, serial)
		if err != nil {
			return err
		}
		err = ts.db.InTx(ctx, ts.who, func(tx *store.Tx) (err error) {
			if a, err = tx.Authenticators().Get(ctx, ts.tenant.ID, a.ID); err != nil {
				return err
			}
			if err := change(ctx, tx, a); err != nil {
				return err
			}
			a, err = tx.Authenticators().Get(ctx, ts.tenant.ID, a.ID)
			return err
		})
		if err != nil {
			return err
		}
		row, err := ts.rowOfAuthenticator(ctx, a)
		if err != nil {
			return err
		}
		return s.print(row, "Authenticator %s is %s.", a.Serial, what)
	})
}
