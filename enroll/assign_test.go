package enroll

import (
	"errors"
	"testing"

	"github.com/latchkey-id/latchkey/authenticator"
	"github.com/latchkey-id/latchkey/identity"
	"github.com/latchkey-id/latchkey/otp"
	"github.com/latchkey-id/latchkey/policy"
	"github.com/latchkey-id/latchkey/seedfile"
	"github.com/latchkey-id/latchkey/store"
	"github.com/latchkey-id/latchkey/store/storetest"
)

// A hardware token is given to one person, by one of two operators; what it
// showed to prove that it is the one is used up, and nothing of it comes back
// with the next who has it (CRED-9, CRED-14).
func TestCRED14_Assign(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.House) {
		for _, algorithm := range []string{seedfile.SHA1, seedfile.SHA256} {
			key := seedfile.Key{Serial: "T" + algorithm, Seed: []byte("12345678901234567890"), Digits: 8, Event: true, Counter: 2, Algorithm: algorithm}
			if _, err := authenticator.Import(t.Context(), h.DB, h.Who, h.Tenant.ID, []seedfile.Key{key}, func(int) {}); err != nil {
				t.Fatal(err)
			}
			a, err := h.DB.AuthenticatorBySerial(t.Context(), h.Tenant.ID, key.Serial)
			if err != nil {
				t.Fatal(err)
			}
			code := func(counter int64) string {
				return otp.HOTP(key.Seed, otp.Params{Digits: 8, Algorithm: otp.Algorithm(algorithm)}, counter)
			}
			assign := func(passcode string) error {
				return h.DB.InTx(t.Context(), h.Who, func(tx *store.Tx) error { return Assign(t.Context(), tx, a, h.User, passcode) })
			}
			right := func(typed string) bool {
				var result authenticator.Result
				h.Do(t, func(tx *store.Tx) (err error) {
					result, err = authenticator.Check(t.Context(), tx, authenticator.Attempt{Tenant: h.Tenant.ID, User: h.User.ID, Typed: typed, Rules: policy.DefaultLockout()})
					return err
				})
				return result.OK
			}
			if right(code(2)) {
				t.Error("the passcode of a token nobody has works")
			}
			if err := assign(code(1)); !errors.Is(err, identity.Invalid) {
				t.Errorf("assigned by a passcode from before it was imported: %v", err)
			}
			won := storetest.Race(t, 8, func(int) error { return assign(code(40)) })
			if won != 1 {
				t.Errorf("%d of 8 gave the same token away, want 1", won)
			}
			if right(code(40)) || !right(code(41)) {
				t.Error("the passcode that proved it works again, or the next one does not")
			}
			h.Do(t, func(tx *store.Tx) error { return Unassign(t.Context(), tx, a) })
			if right(code(42)) {
				t.Error("it works for who had it")
			}
			if err := assign(code(41)); !errors.Is(err, identity.Invalid) {
				t.Errorf("assigned again by a passcode that was used: %v", err)
			}
			if err := assign(""); err != nil || right(code(41)) || !right(code(42)) {
				t.Errorf("assigned again: %v, or a used passcode works, or a new one does not", err)
			}
		}
		own := h.Authenticator(t, "Pixel 9")
		err := h.DB.InTx(t.Context(), h.Who, func(tx *store.Tx) error { return Unassign(t.Context(), tx, own) })
		if !errors.Is(err, identity.Conflict) {
			t.Errorf("an app was handed on: %v", err)
		}
	})
}
