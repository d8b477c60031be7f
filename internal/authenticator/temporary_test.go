package authenticator

import (
	"errors"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

func makeTemporary(t *testing.T, h *storetest.Fixture, life time.Duration, many bool) (code string) {
	t.Helper()
	h.Do(t, func(tx *store.Tx) (err error) {
		code, _, err = MakeTemporary(t.Context(), tx, h.User, life, many)
		return err
	})
	return code
}

// TestTLOG12_TemporaryWorksOnce: of a hundred copies of a temporary passcode at once, on two
// nodes, one is accepted.
//
// Without ended_at in UseTemporary's condition, a hundred of a hundred were.
func TestTLOG12_TemporaryWorksOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		code, second := makeTemporary(t, h, time.Hour, false), h.Node(t)
		won := storetest.Race(t, 100, func(i int) error {
			db := h.DB
			if i%2 == 0 {
				db = second
			}
			if !check(t, h, db, code).OK {
				return identity.Conflict
			}
			return nil
		})
		if won != 1 {
			t.Errorf("%d of 100 used the same temporary passcode, want 1", won)
		}
		used := events(t, h, audit.PasscodeRight)
		if len(used) != 1 || used[0].Data["temporary"] == "" {
			t.Errorf("used: %v", used)
		}
	})
}

// A temporary passcode works for the time and the number of uses that its operator chose, and
// replaces the previous one. Guessing ends it even if the user has no authenticator to lock.
func TestCRED16_Temporary(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		first := makeTemporary(t, h, time.Hour, true)
		code := makeTemporary(t, h, time.Hour, true)
		if first != code && check(t, h, h.DB, first).OK {
			t.Error("the one before works")
		}
		for range 3 {
			if !check(t, h, h.DB, code[:4]+" "+code[4:]).OK {
				t.Error("one for many uses is refused")
			}
		}
		if got := len(events(t, h, audit.PasscodeRight)); got != 3 {
			t.Errorf("%d events of its uses, want 3", got)
		}
		h.Clock.Advance(time.Hour)
		if check(t, h, h.DB, code).OK {
			t.Error("it outlives its end")
		}
		code = makeTemporary(t, h, time.Hour, true)
		h.Do(t, func(tx *store.Tx) error { return RevokeTemporary(t.Context(), tx, h.User) })
		if check(t, h, h.DB, code).OK {
			t.Error("it outlives being revoked")
		}
		err := h.DB.InTx(t.Context(), h.Who, func(tx *store.Tx) error { return RevokeTemporary(t.Context(), tx, h.User) })
		if !errors.Is(err, identity.Conflict) {
			t.Errorf("revoked twice: %v", err)
		}

		code = makeTemporary(t, h, time.Hour, true)
		wrong := "00000000"
		if wrong == code {
			wrong = "00000001"
		}
		for range limit - 1 {
			check(t, h, h.DB, wrong)
		}
		if !check(t, h, h.DB, code).OK {
			t.Error("it is refused before the limit")
		}
		check(t, h, h.DB, wrong)
		if check(t, h, h.DB, code).OK {
			t.Error("it outlives being guessed at")
		}
		var reasons []string
		for _, e := range events(t, h, audit.TemporaryEnded) {
			reasons = append(reasons, e.Reason)
		}
		if len(reasons) != 2 {
			t.Errorf("ended for %q", reasons)
		}
	})
}

func TestCRED16_TemporaryRefused(t *testing.T) {
	h := storetest.SQLite(t)
	try := func(life time.Duration) error {
		return h.DB.InTx(t.Context(), h.Who, func(tx *store.Tx) error {
			_, _, err := MakeTemporary(t.Context(), tx, h.User, life, false)
			return err
		})
	}
	for _, life := range []time.Duration{0, 59 * time.Second, 24*time.Hour + time.Second} {
		if err := try(life); !errors.Is(err, identity.Invalid) {
			t.Errorf("for %v: %v", life, err)
		}
	}
	rules := policy.DefaultPush()
	rules.Enabled, rules.CodesAllowed = true, false
	document, err := policy.Encode(rules)
	if err != nil {
		t.Fatal(err)
	}
	h.Do(t, func(tx *store.Tx) error {
		return tx.Policies().Set(t.Context(), h.Tenant.ID, policy.KindPush, 0, document)
	})
	if err := try(time.Hour); !errors.Is(err, identity.Conflict) {
		t.Errorf("where codes are refused: %v", err)
	}
}
