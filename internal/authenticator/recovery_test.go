package authenticator

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
	"github.com/latchkey-id/latchkey/templates"
)

func makeCodes(t *testing.T, h *storetest.Fixture) (codes []string) {
	t.Helper()
	h.Do(t, func(tx *store.Tx) (err error) {
		codes, err = MakeRecoveryCodes(t.Context(), tx, h.User, templates.Origin{At: tx.Now()})
		return err
	})
	return codes
}

// recoverWith tries a recovery code at a node, and reports whether it was right.
func recoverWith(t *testing.T, h *storetest.Fixture, db *store.DB, u identity.User, typed string) (right bool) {
	t.Helper()
	err := db.InTx(t.Context(), h.Who, func(tx *store.Tx) (err error) {
		right, err = UseRecoveryCode(t.Context(), tx, RecoveryAttempt{User: u, Journey: "jrn_x", Code: CanonicalRecoveryCode(typed)})
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return right
}

// TestTLOG30_RecoveryCodes: each code works once, a new set voids the old one, and of a
// hundred copies of one at once, on two nodes, one is accepted.
//
// Without "used_at IS NULL" in UseRecoveryCode, a hundred of a hundred were accepted.
// Without RemoveRecoveryCodes in KeepRecoveryCodes, the old set works.
func TestTLOG30_RecoveryCodes(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		old := makeCodes(t, h)
		codes := makeCodes(t, h)
		if len(codes) != RecoveryCodes || codes[0] == codes[1] || len(codes[0]) != 19 {
			t.Fatalf("got %q", codes)
		}
		if recoverWith(t, h, h.DB, h.User, old[0]) {
			t.Error("a code of the set before works")
		}
		outsider := identity.User{Tenant: h.Tenant.ID, ID: identity.NewID(identity.UserID), Name: "bo"}
		h.Do(t, func(tx *store.Tx) error { return tx.Users().Add(t.Context(), outsider) })
		if recoverWith(t, h, h.DB, outsider, codes[1]) {
			t.Error("a code works for another user")
		}
		if typed := " " + strings.ToLower(strings.ReplaceAll(codes[1], "-", " ")); !recoverWith(t, h, h.DB, h.User, typed) {
			t.Errorf("%q is refused", typed)
		}
		second := h.Node(t)
		won := storetest.Race(t, 100, func(i int) error {
			db := h.DB
			if i%2 == 0 {
				db = second
			}
			if !recoverWith(t, h, db, h.User, codes[0]) {
				return identity.Conflict
			}
			return nil
		})
		if won != 1 {
			t.Errorf("%d of 100 used the same recovery code, want 1", won)
		}
		set, err := h.DB.RecoveryCodes().Get(t.Context(), h.Tenant.ID, h.User.ID)
		if err != nil || set.Made != 10 || set.Left != 8 {
			t.Errorf("stands at %+v, %v", set, err)
		}
		replays, wrong := 0, 0
		for _, e := range events(t, h, audit.RecoveryCodeWrong) {
			switch e.Reason {
			case string(Replayed):
				replays++
			case string(Wrong):
				wrong++
			}
		}
		right := events(t, h, audit.RecoveryCodeRight)
		if replays != 99 || wrong != 2 || len(right) != 2 || right[0].Data["left"] == right[1].Data["left"] {
			t.Errorf("%d replays, %d wrong, used %v", replays, wrong, right)
		}
		if made := events(t, h, audit.RecoveryCodesMade); len(made) != 2 || made[0].Data["voided"] != "10" && made[1].Data["voided"] != "10" {
			t.Errorf("made %v", made)
		}
	})
}

// A recovery code is stored as a MAC under a key outside the database (CRED-2), and not as
// plain text. A plain hash would suffice for 80 random bits, but not if their generation had
// a defect.
func TestCRED2_RecoveryCodesAreMACs(t *testing.T) {
	h := storetest.SQLite(t)
	code := CanonicalRecoveryCode(makeCodes(t, h)[0])
	hash := sha256.Sum256([]byte(code))
	s, err := h.DB.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	rows := 0
	for _, table := range s.Tables {
		for row, err := range s.Rows(t.Context(), table) {
			if err != nil {
				t.Fatal(err)
			}
			if table.Name == "recovery_codes" {
				rows++
			}
			if text := fmt.Sprintf("%s", row); strings.Contains(text, code) || strings.Contains(text, string(hash[:])) {
				t.Errorf("%s keeps it: %s", table.Name, text)
			}
		}
	}
	if rows != RecoveryCodes {
		t.Errorf("%d rows, want %d", rows, RecoveryCodes)
	}
}
