package authenticator

import (
	"errors"
	"testing"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/pskc"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// A hardware token is given to one person, by one of two operators. The passcode that proved
// possession is used up, and is not accepted from the token's next user either (CRED-9,
// CRED-14).
func TestCRED14_Assign(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		for _, algorithm := range []string{pskc.SHA1, pskc.SHA256} {
			key := pskc.Key{Serial: "T" + algorithm, Seed: []byte("12345678901234567890"), Digits: 8, Event: true, Counter: 2, Algorithm: algorithm}
			if _, err := Import(t.Context(), h.DB, h.Who, h.Tenant.ID, []pskc.Key{key}, func(int) {}); err != nil {
				t.Fatal(err)
			}
			a, err := h.DB.Authenticators().BySerial(t.Context(), h.Tenant.ID, key.Serial)
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
				var result Result
				h.Do(t, func(tx *store.Tx) (err error) {
					result, err = Check(t.Context(), tx, Attempt{Tenant: h.Tenant.ID, User: h.User.ID, Typed: typed, Rules: policy.DefaultLockout()})
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

// A hardware token has one user, unless policy allows more. Then its passcodes work for each
// of them, each once, wrong ones of any of them count against it, and taking it from one leaves
// it with the others (CRED-15).
//
// Without rules.Shared in Assign, it was shared.
func TestCRED15_SharedTokens(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		key := pskc.Key{Serial: "T1", Seed: []byte("12345678901234567890"), Digits: 6, Event: true}
		if _, err := Import(t.Context(), h.DB, h.Who, h.Tenant.ID, []pskc.Key{key}, func(int) {}); err != nil {
			t.Fatal(err)
		}
		token := func() identity.Authenticator {
			t.Helper()
			a, err := h.DB.Authenticators().BySerial(t.Context(), h.Tenant.ID, "T1")
			if err != nil {
				t.Fatal(err)
			}
			return a
		}
		other := addUser(t, h, "other")
		assign := func(u identity.User) error {
			return h.DB.InTx(t.Context(), h.Who, func(tx *store.Tx) error { return Assign(t.Context(), tx, token(), u, "") })
		}
		take := func(u identity.User) error {
			return h.DB.InTx(t.Context(), h.Who, func(tx *store.Tx) error { return UnassignFrom(t.Context(), tx, token(), u) })
		}
		right := func(u identity.User, counter int64) (ok bool) {
			h.Do(t, func(tx *store.Tx) error {
				result, err := Check(t.Context(), tx, Attempt{Tenant: h.Tenant.ID, User: u.ID,
					Typed: otp.HOTP(key.Seed, otp.Params{Digits: 6}, counter), Rules: policy.DefaultLockout()})
				ok = result.OK
				return err
			})
			return ok
		}
		if err := assign(h.User); err != nil {
			t.Fatal(err)
		}
		if err := assign(other); !errors.Is(err, identity.Conflict) {
			t.Errorf("given to a second user though policy does not let it: %v", err)
		}
		shared := policy.DefaultCredentials()
		shared.Shared = true
		setPolicy(t, h, shared)
		if won := storetest.Race(t, 8, func(int) error { return assign(other) }); won != 1 {
			t.Errorf("%d of 8 gave it to the same user, want 1", won)
		}
		if !right(h.User, 0) || right(other, 0) || !right(other, 1) {
			t.Error("a passcode works for both, or for neither")
		}
		right(other, 500) // claimOuter any window
		if got := token().Invalid; got != 1 {
			t.Errorf("%d wrong ones, want 1", got)
		}
		if err := take(other); err != nil || token().State() != identity.Active || right(other, 2) || !right(h.User, 2) {
			t.Errorf("taken from one: %v, %s", err, token().State())
		}
		if err := take(other); !errors.Is(err, identity.Conflict) {
			t.Errorf("taken again: %v", err)
		}
		if err := assign(other); err != nil {
			t.Fatal(err)
		}
		if won := storetest.Race(t, 2, func(i int) error { return take([]identity.User{h.User, other}[i]) }); won != 2 || token().State() != identity.Inactive {
			t.Errorf("%d of 2 took it, %s; want both, and it is nobody's", won, token().State())
		}
		own := h.Authenticator(t, "Pixel 9")
		err := h.DB.InTx(t.Context(), h.Who, func(tx *store.Tx) error {
			a, err := tx.Authenticators().Get(t.Context(), h.Tenant.ID, own.ID)
			if err != nil {
				return err
			}
			return Assign(t.Context(), tx, a, other, "")
		})
		if !errors.Is(err, identity.Conflict) {
			t.Errorf("an app is shared: %v", err)
		}
	})
}
