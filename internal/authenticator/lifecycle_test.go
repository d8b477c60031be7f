package authenticator

import (
	"context"
	"errors"
	"testing"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// Each of an operator's acts, in turn, leads to a state, or is refused and changes
// nothing. The authenticator counts as one until it is revoked.
func TestCRED14_Life(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		a := h.Authenticator(t, "phone")
		revoke := func(ctx context.Context, tx *store.Tx, a identity.Authenticator) error {
			return Revoke(ctx, tx, a, "lost")
		}
		for i, tt := range []struct {
			name string
			do   func(context.Context, *store.Tx, identity.Authenticator) error
			kind audit.Kind // empty: refused
			want identity.State
		}{
			{"resume an active one", Resume, "", identity.Active},
			{"unlock an active one", Unlock, "", identity.Active},
			{"lock", Lock, audit.AuthenticatorLocked, identity.Locked},
			{"lock again", Lock, "", identity.Locked},
			{"suspend a locked one", Suspend, audit.AuthenticatorSuspended, identity.Suspended},
			{"suspend again", Suspend, "", identity.Suspended},
			{"resume: the lock is still there", Resume, audit.AuthenticatorResumed, identity.Locked},
			{"unlock", Unlock, audit.AuthenticatorUnlock, identity.Active},
			{"suspend", Suspend, audit.AuthenticatorSuspended, identity.Suspended},
			{"revoke a suspended one", revoke, audit.AuthenticatorRevoked, identity.Revoked},
			{"resume a revoked one", Resume, "", identity.Revoked},
			{"lock a revoked one", Lock, "", identity.Revoked},
			{"suspend a revoked one", Suspend, "", identity.Revoked},
		} {
			before := len(events(t, h, tt.kind))
			err := h.DB.InTx(t.Context(), h.Who, func(tx *store.Tx) error { return tt.do(t.Context(), tx, a) })
			if refused := errors.Is(err, identity.Conflict); refused != (tt.kind == "") || err != nil && !refused {
				t.Errorf("%d, %s: %v", i, tt.name, err)
			}
			now := row(t, h, a)
			if now.State() != tt.want {
				t.Errorf("%d, %s: %s, want %s", i, tt.name, now.State(), tt.want)
			}
			if tt.kind != "" && len(events(t, h, tt.kind)) != before+1 {
				t.Errorf("%d, %s: no event %s", i, tt.name, tt.kind)
			}
			held, err := summarise(t.Context(), h.DB.Reader, h.Tenant.ID, h.User.ID, policy.DefaultPlatforms(), policy.NoPresence)
			if has := tt.want != identity.Revoked; err != nil || (held.Assigned == 1) != has || (held.Passcodes == 1) != (tt.want == identity.Active) {
				t.Errorf("%d, %s: held %+v, %v", i, tt.name, held, err)
			}
		}
	})
}

// Concurrent acts of several operators take an authenticator out of use once, with one
// event.
func TestCRED13_OneOfManyLocks(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		a := h.Authenticator(t, "phone")
		for kind, do := range map[audit.Kind]func(context.Context, *store.Tx, identity.Authenticator) error{
			audit.AuthenticatorLocked: Lock, audit.AuthenticatorSuspended: Suspend,
		} {
			won := storetest.Race(t, 30, func(int) error {
				return h.DB.InTx(t.Context(), h.Who, func(tx *store.Tx) error { return do(t.Context(), tx, a) })
			})
			if written := len(events(t, h, kind)); won != 1 || written != 1 {
				t.Errorf("%s: done %d times with %d events, want once", kind, won, written)
			}
		}
	})
}

// A passcode of a suspended authenticator is not accepted, whatever its kind, and does not
// count.
func TestCRED11_SuspendedPasscode(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		a := h.Authenticator(t, "phone")
		h.Do(t, func(tx *store.Tx) error { return Suspend(t.Context(), tx, a) })
		if got := tryPasscode(t, h, h.DB, passcode(h, a, 0)); got.OK || got.Reason != Locked {
			t.Errorf("a right passcode of a suspended authenticator: %v %q", got.OK, got.Reason)
		}
		h.Do(t, func(tx *store.Tx) error { return Resume(t.Context(), tx, a) })
		if got := tryPasscode(t, h, h.DB, passcode(h, a, 0)); !got.OK {
			t.Errorf("the same after it was resumed: %q", got.Reason)
		}
	})
}
