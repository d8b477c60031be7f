package main

import (
	"time"

	"github.com/latchkey-id/latchkey/identity"
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
	EnrolledAt time.Time `json:"enrolled_at"`
	LastUsedAt time.Time `json:"last_used_at,omitzero"`
	RevokedAt  time.Time `json:"revoked_at,omitzero"`
}

func rowOfAuthenticator(a identity.Authenticator, now time.Time) authenticatorRow {
	return authenticatorRow{ID: a.ID, Serial: a.Serial, Kind: string(a.Kind), Name: a.Name, Platform: string(a.Platform),
		State: string(a.State()), Push: string(a.Push(now)), Invalid: a.Invalid, EnrolledAt: a.EnrolledAt,
		LastUsedAt: a.LastUsedAt, RevokedAt: a.RevokedAt}
}
