package main

import (
	"context"
	"math"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/authenticator"
	"github.com/latchkey-id/latchkey/identity"
	"github.com/latchkey-id/latchkey/store"
)

type authenticatorRow struct {
	ID         string    `json:"id"`
	Serial     string    `json:"serial"`
	Kind       string    `json:"kind"`
	Name       string    `json:"name"`
	Platform   string    `json:"platform,omitempty"`
	State      string    `json:"state"`
	Push       string    `json:"push"`
	Invalid    int64     `json:"wrong_passcodes"`
	Users      []string  `json:"users,omitempty"`
	AppVersion string    `json:"app_version,omitempty"`
	EnrolledAt time.Time `json:"enrolled_at"`
	LastUsedAt time.Time `json:"last_used_at,omitzero"`
	RevokedAt  time.Time `json:"revoked_at,omitzero"`
}

func rowOfAuthenticator(a identity.Authenticator, now time.Time) authenticatorRow {
	return authenticatorRow{ID: a.ID, Serial: a.Serial, Kind: string(a.Kind), Name: a.Name, Platform: string(a.Platform),
		State: string(a.State()), Push: string(a.Push(now)), Invalid: a.Invalid, AppVersion: a.AppVersion, EnrolledAt: a.EnrolledAt,
		LastUsedAt: a.LastUsedAt, RevokedAt: a.RevokedAt}
}

// row is an authenticator with the names of its users.
func (h house) row(ctx context.Context, a identity.Authenticator) (authenticatorRow, error) {
	row := rowOfAuthenticator(a, h.db.Now())
	ids, err := h.db.UsersOf(ctx, h.tenant.ID, a.ID)
	if err != nil {
		return row, err
	}
	for _, id := range ids {
		u, err := h.db.User(ctx, h.tenant.ID, id)
		if err != nil {
			return row, err
		}
		row.Users = append(row.Users, u.Name)
	}
	return row, nil
}

type authenticatorList struct {
	User string `placeholder:"USER" help:"Only a user's, without revoked ones."`
}

func (authenticatorList) Help() string {
	return "Example:\n\n    latchkey authenticator list --user anna"
}

// Run lists authenticators.
func (c *authenticatorList) Run(ctx context.Context, s *shell) error {
	return s.inTenant(ctx, func(h house) error {
		all := h.db.AllAuthenticators(ctx, h.tenant.ID, math.MaxInt32)
		if c.User != "" {
			u, err := h.user(ctx, c.User)
			if err != nil {
				return err
			}
			all = h.db.Authenticators(ctx, h.tenant.ID, u.ID)
		}
		var rows []authenticatorRow
		for a, err := range all {
			if err != nil {
				return err
			}
			row, err := h.row(ctx, a)
			if err != nil {
				return err
			}
			rows = append(rows, row)
		}
		return list(s, rows, []string{"SERIAL", "NAME", "USER", "STATE", "PUSH", "LAST USED"}, func(a authenticatorRow) []string {
			return []string{a.Serial, a.Name, strings.Join(a.Users, ", "), a.State, a.Push, when(a.LastUsedAt)}
		})
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
	return s.changeAuthenticator(ctx, c.Serial, "revoked", func(tx *store.Tx, a identity.Authenticator) error {
		return authenticator.Revoke(ctx, tx, a, c.Reason)
	})
}

type authenticatorUnlock struct {
	Serial string `arg:"" help:"Its serial."`
}

func (authenticatorUnlock) Help() string {
	return "Example:\n\n    latchkey authenticator unlock LK-7Q2M-04VX"
}

// Run ends a lock.
func (c *authenticatorUnlock) Run(ctx context.Context, s *shell) error {
	return s.changeAuthenticator(ctx, c.Serial, "unlocked", func(tx *store.Tx, a identity.Authenticator) error {
		return authenticator.Unlock(ctx, tx, a)
	})
}

// changeAuthenticator changes the authenticator with a serial and shows it.
func (s *shell) changeAuthenticator(ctx context.Context, serial, what string, change func(tx *store.Tx, a identity.Authenticator) error) error {
	return s.inTenant(ctx, func(h house) error {
		serials := called(h.db.AllAuthenticators(ctx, h.tenant.ID, math.MaxInt32), func(a identity.Authenticator) string { return a.Serial })
		a, err := h.db.AuthenticatorBySerial(ctx, h.tenant.ID, serial)
		if err != nil {
			return unknown(err, "authenticator", serial, serials)
		}
		err = h.db.InTx(ctx, h.who, func(tx *store.Tx) (err error) {
			if a, err = tx.Authenticator(ctx, h.tenant.ID, a.ID); err != nil {
				return err
			}
			if err := change(tx, a); err != nil {
				return err
			}
			a, err = tx.Authenticator(ctx, h.tenant.ID, a.ID)
			return err
		})
		if err != nil {
			return err
		}
		row, err := h.row(ctx, a)
		if err != nil {
			return err
		}
		return s.say(row, "Authenticator %s is %s.", a.Serial, what)
	})
}
