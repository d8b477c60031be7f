package enroll_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/enroll"
	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// invite adds an invitation of a user.
func (h *fixture) invite(t *testing.T, user identity.User) store.Invitation {
	t.Helper()
	now := h.Clock.Now()
	i := store.Invitation{Tenant: user.Tenant, ID: identity.NewID(identity.InvitationID), User: user.ID, CreatedAt: now, ExpiresAt: now.Add(time.Hour)}
	h.Do(t, func(tx *store.Tx) error {
		added, err := tx.Invitations().Add(t.Context(), i, identity.NewSecret())
		if !added {
			t.Errorf("no invitation was added: %v", err)
		}
		return err
	})
	return i
}

// An invitation is used up by the transaction it is redeemed in, and by one.
func TestENR19_OfManyThatRedeemOneDoes(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		user := h.AddUser(t, "dora")
		i := h.invite(t, user)
		var journeys []*identity.Journey
		for range 8 {
			journeys = append(journeys, h.openJourney(t, user, i))
		}
		nodes := []*store.DB{h.DB, h.Node(t)}
		won := storetest.Race(t, len(journeys), func(n int) error {
			return nodes[n%2].InTx(t.Context(), h.Who, func(tx *store.Tx) error {
				return enroll.ConsumeInvitation(t.Context(), tx, journeys[n].ID, user, identity.Authenticator{ID: "aut_x"})
			})
		})
		if got := len(h.Events(t, h.Tenant.ID, audit.EnrollInvitationUsed)); won != 1 || got != 1 {
			t.Errorf("%d redeemed, with %d events; want 1", won, got)
		}
	})
}

// openJourney is a journey that an invitation began.
func (h *fixture) openJourney(t *testing.T, user identity.User, i store.Invitation) *identity.Journey {
	t.Helper()
	now := h.Clock.Now()
	j := &identity.Journey{Tenant: user.Tenant, ID: identity.NewID(identity.JourneyID), Application: h.Application.ID, Protocol: identity.SAML,
		Request: []byte(`{}`), Invitation: i.ID, Browser: "b", UserID: user.ID, Name: user.Name, Enroll: identity.EnrollPlatform,
		Code: identity.Code{PassedAt: now}, StartedAt: now, ExpiresAt: now.Add(15 * time.Minute)}
	h.Do(t, func(tx *store.Tx) error { return tx.Journeys().Add(t.Context(), j) })
	return j
}

func TestENR19_WhatCannotBeRedeemed(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		for name, spoil := range map[string]func(tx *store.Tx, i store.Invitation) error{
			"revoked": func(tx *store.Tx, i store.Invitation) error {
				_, err := tx.Invitations().Revoke(t.Context(), i)
				return err
			},
			"replaced": func(tx *store.Tx, i store.Invitation) error {
				_, err := tx.Invitations().Replace(t.Context(), i)
				return err
			},
		} {
			user := h.AddUser(t, name)
			i := h.invite(t, user)
			j := h.openJourney(t, user, i)
			h.Do(t, func(tx *store.Tx) error { return spoil(tx, i) })
			err := h.DB.InTx(t.Context(), h.Who, func(tx *store.Tx) error {
				return enroll.ConsumeInvitation(t.Context(), tx, j.ID, user, identity.Authenticator{ID: "aut_x"})
			})
			if !errors.Is(err, identity.Conflict) {
				t.Errorf("%s: %v, want a Conflict", name, err)
			}
		}
		// Somebody else's journey, whatever its row says, and a user who has one.
		user, other := h.AddUser(t, "mine"), h.AddUser(t, "theirs")
		i := h.invite(t, user)
		for name, who := range map[string]identity.User{"another user": other, "has one": user} {
			j := h.openJourney(t, who, i)
			err := h.DB.InTx(t.Context(), h.Who, func(tx *store.Tx) error {
				if name == "has one" {
					if _, _, err := authenticator.Provision(t.Context(), tx, user, authenticator.TokenSpec{Kind: identity.TOTP, Secret: otp.NewSecret(otp.SHA1), Digits: 6, Period: 30}); err != nil {
						return err
					}
				}
				return enroll.ConsumeInvitation(t.Context(), tx, j.ID, who, identity.Authenticator{ID: "aut_x"})
			})
			if !errors.Is(err, identity.Conflict) {
				t.Errorf("%s: %v, want a Conflict", name, err)
			}
		}
	})
}

func TestInvitationSecret(t *testing.T) {
	const secret = "ABCDEFGHIJKLMNOPQRSTUVWX27"
	for brought, want := range map[string]string{
		secret: secret, "  " + strings.ToLower(secret) + "\n": secret, secret[:10] + " \u00a0" + secret[10:]: secret,
		"#i1." + secret: secret, "https://id.example.org/t/demo/enroll#i1." + secret: secret,
		"https://safe.example.net/?u=https%3A%2F%2Fid#i1.x#i1." + secret: secret,
		"https://id.example.org/t/demo/enroll%23i1." + secret:            secret, "https://id.example.org/t/demo/enroll%2523i1." + secret: secret,
		"https://safe.example.net/?url=https%3A%2F%2Fid.example.org%2Ft%2Fdemo%2Fenroll%23i1." + secret + "&data=05%7C02": secret,
		"": "", secret[1:]: "", secret + "A": "", strings.Replace(secret, "A", "0", 1): "", strings.Replace(secret, "A", "\x00", 1): "",
		strings.Repeat(" ", 3000) + secret: "", "#i1.": "",
	} {
		if got := enroll.InvitationSecret(brought); got != want {
			t.Errorf("%q is read as %q, want %q", brought, got, want)
		}
	}
}

func TestMangledInvitation(t *testing.T) {
	const secret = "ABCDEFGHIJKLMNOPQRSTUVWX27"
	for part, want := range map[string]string{
		"enroll#i1." + secret: "i1." + secret, "enroll%23i1." + secret: "i1." + secret,
		"enroll": "", "enroll#": "", "enroll#i1.": "", "enroll#i1." + secret[1:]: "", "login#i1." + secret: "", "enroll#//evil.example": "",
	} {
		if got := enroll.MangledInvitation(part); got != want {
			t.Errorf("%q is read as %q, want %q", part, got, want)
		}
	}
}

func FuzzInvitationSecret(f *testing.F) {
	f.Add("https://id.example.org/t/demo/enroll#i1.ABCDEFGHIJKLMNOPQRSTUVWX27")
	f.Fuzz(func(t *testing.T, brought string) {
		if got := enroll.InvitationSecret(brought); got != "" && (len(got) != 26 || strings.Trim(got, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "") {
			t.Errorf("%q is read as %q", brought, got)
		}
	})
}
