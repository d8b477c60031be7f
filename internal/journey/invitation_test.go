package journey_test

import (
	"errors"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// The engine itself refuses an invitation that ended after its page looked.
func TestENR19_NothingBeginsByAnInvitationThatEnded(t *testing.T) {
	h := newFixture(t, storetest.SQLite(t))
	ctx := t.Context()
	for _, tt := range []struct {
		name string
		end  func(tx *store.Tx, i store.Invitation) (bool, error)
		want error
	}{
		{"open", func(*store.Tx, store.Invitation) (bool, error) { return true, nil }, nil},
		{"revoked", func(tx *store.Tx, i store.Invitation) (bool, error) { return tx.Invitations().Revoke(ctx, i) }, identity.Expired},
		{"replaced", func(tx *store.Tx, i store.Invitation) (bool, error) { return tx.Invitations().Replace(ctx, i) }, identity.Expired},
		{"used", func(tx *store.Tx, i store.Invitation) (bool, error) { return tx.Invitations().Use(ctx, i, "jrn_x") }, identity.Expired},
		{"expired", func(*store.Tx, store.Invitation) (bool, error) { h.Clock.Advance(time.Hour); return true, nil }, identity.Expired},
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
		v, err := h.engine.BeginInvited(ctx, h.visit(identity.Session{}),
			journey.Start{Tenant: h.Tenant.ID, Application: h.Application, Request: []byte(`{}`), Browser: "b"}, i.ID)
		if !errors.Is(err, tt.want) || tt.want == nil && (err != nil || v.Step != journey.EnrollPlatform) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}
