package directory

import (
	"runtime"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// Each check of a password computes one argon2id hash of our parameters, whoever
// it is for: a name that is nobody's, one without a password, one with a hash of
// ours, and one with a hash that was imported, however quick that is. A hash too
// few or too many tells by its time whose name it was. The hashes are counted by
// the memory that each needs.
func TestTLOG02_EveryCheckComputesOneHash(t *testing.T) {
	d := New(nil, 1)
	ours, err := d.HashPassword(t.Context(), "correct horse battery")
	if err != nil {
		t.Fatal(err)
	}
	users := map[string]string{"nobody, or no password": "", "a hash of ours": ours}
	for name, hash := range imported {
		users[name] = hash
	}
	long := strings.Repeat("a", maxPassword+1)
	for name, hash := range users {
		for _, password := range []string{"correct horse battery", "wrong", "", long} {
			n := hashes(func() {
				if _, err := d.CheckPassword(t.Context(), identity.User{ID: "usr_x", Password: hash}, password); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			})
			if n != 1 {
				t.Errorf("%s, password %.10q: %d hashes, want 1", name, password, n)
			}
		}
	}
}

// hashes counts the argon2id hashes that f computes: each allocates its memory.
func hashes(f func()) int {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int((after.TotalAlloc - before.TotalAlloc) / (uint64(newHash().memory) << 10))
}
