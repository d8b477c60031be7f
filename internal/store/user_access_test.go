package store

import (
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// A disabled user's refresh tokens are dead for good: those for use without a
// session too, and though the user is enabled again.
func TestTLOG27_GrantsDoNotOutliveADisabledUser(t *testing.T) {
	each(t, func(t *testing.T, db *DB) {
		h := newFixture(t, db)
		g, _ := granted(t, db, h, true)
		refresh := addToken(t, db, h, g, RefreshToken)
		var cut RevokedAccess
		err := db.InTx(t.Context(), h.who, func(tx *Tx) (err error) {
			if _, err = tx.Users().Disable(t.Context(), h.tenant.ID, h.user.ID); err != nil {
				return err
			}
			if cut, err = tx.Users().RevokeAllAccess(t.Context(), h.tenant.ID, h.user.ID); err != nil {
				return err
			}
			_, err = tx.Users().Enable(t.Context(), h.tenant.ID, h.user.ID)
			return err
		})
		if err != nil || cut.Grants != 1 {
			t.Fatalf("cut off %+v, %v, want a grant", cut, err)
		}
		err = db.InTx(t.Context(), h.who, func(tx *Tx) error {
			g, _, first, err := tx.Grants().UseRefreshToken(t.Context(), h.tenant.ID, h.app.ID, refresh)
			if err == nil && (!first || !g.Over) {
				t.Errorf("the refresh token: first %v, over %v, want it to be over", first, g.Over)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// The code that was mailed is wrong once its user is disabled, in the words for
// a wrong one: the journey waits for a code still, as a decoy does (ENR-4).
func TestENR4_AMailedCodeIsWrongOnceItsUserIsDisabled(t *testing.T) {
	each(t, func(t *testing.T, db *DB) {
		h := newFixture(t, db)
		j := h.journey()
		j.UserID, j.Name, j.Enroll = h.user.ID, h.user.Name, identity.EnrollCode
		err := db.InTx(t.Context(), h.who, func(tx *Tx) (err error) {
			if err := tx.Journeys().Add(t.Context(), j); err != nil {
				return err
			}
			code := MailedCode{Number: 1, ExpiresAt: tx.Now().Add(time.Minute)}
			if code.MAC, code.Root, err = tx.MAC("123456", "test", j.ID); err != nil {
				return err
			}
			if err := tx.MailCodes().Set(t.Context(), j.Tenant, j.ID, code); err != nil {
				return err
			}
			_, err = tx.Users().RevokeAllAccess(t.Context(), h.tenant.ID, h.user.ID)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		got, err := db.Journeys().Get(t.Context(), h.tenant.ID, j.ID)
		if err != nil {
			t.Fatal(err)
		}
		if got.UserID != "" || !got.Decoy || got.Enroll != identity.EnrollCode || got.Version != j.Version || !got.EndedAt.IsZero() {
			t.Errorf("the journey: %+v, want a decoy that waits for a code, at version %d", got, j.Version)
		}
		code, err := db.MailCodes().Get(t.Context(), h.tenant.ID, j.ID)
		if err != nil {
			t.Fatal(err)
		}
		right, err := db.CheckMAC(code.MAC, code.Root, "123456", "test", j.ID)
		if err != nil || right || code.Number != 1 {
			t.Errorf("the code %+v is right (%v), or is gone; %v", code, right, err)
		}
	})
}
