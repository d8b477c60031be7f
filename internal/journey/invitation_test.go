package journey_test

import (
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// No journey begins by an invitation that has ended; the prompt says how it ended.
func TestENR19_NothingBeginsByAnInvitationThatEnded(t *testing.T) {
	h := newFixture(t, storetest.SQLite(t))
	ctx := t.Context()
	for _, tt := range []struct {
		name string
		end  func(tx *store.Tx, i store.Invitation) (bool, error)
		want journey.Reason
	}{
		{"open", func(*store.Tx, store.Invitation) (bool, error) { return true, nil }, ""},
		{"revoked", func(tx *store.Tx, i store.Invitation) (bool, error) { return tx.Invitations().Revoke(ctx, i) }, journey.ReasonInvitationRevoked},
		{"replaced", func(tx *store.Tx, i store.Invitation) (bool, error) { return tx.Invitations().Replace(ctx, i) }, journey.ReasonInvitationReplaced},
		{"used", func(tx *store.Tx, i store.Invitation) (bool, error) { return tx.Invitations().Use(ctx, i, "jrn_x") }, journey.ReasonInvitationUsed},
		{"expired", func(*store.Tx, store.Invitation) (bool, error) { h.Clock.Advance(time.Hour); return true, nil }, journey.ReasonInvitationExpired},
	} {
		u, err := h.engine.Directory.AddUser(ctx, h.Who, h.Tenant.ID, directory.NewUser{Name: tt.name})
		if err != nil {
			t.Fatal(err)
		}
		i := store.Invitation{Tenant: h.Tenant.ID, ID: identity.NewID(identity.InvitationID), User: u.ID, ExpiresAt: h.Clock.Now().Add(time.Hour)}
		h.do(h.Who, func(tx *store.Tx) error {
			if _, err := tx.Invitations().Add(ctx, i, tt.name); err != nil {
				return err
			}
			if ended, err := tt.end(tx, i); err != nil || !ended {
				t.Fatalf("%s: ended %v, %v", tt.name, ended, err)
			}
			return nil
		})
		c := h.withSession(identity.Session{}).Client
		c.Browser, c.Binding = "b", "b"
		p, err := h.engine.Begin(ctx, c, journey.FromInvitation{Secret: tt.name, Application: h.Application})
		if err != nil || p.Reason != tt.want || (p.Step == journey.EnrollPlatform) != (tt.want == "") {
			t.Errorf("%s: at %q for %q, %v; want %q", tt.name, p.Step, p.Reason, err, tt.want)
		}
	}
}
