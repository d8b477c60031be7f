package self_test

import (
	"maps"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// rawKey matches a locale key of the history that has no text.
var rawKey = regexp.MustCompile(`history\.[a-z.-]+`)

// The history shows every sequence of events of all kinds: of any journey or none, of an
// application that is gone, by every method, with everything said or nothing. Each page
// leads to the next, and none has the key of a text in place of a text.
func FuzzHistory(f *testing.F) {
	kinds := slices.Sorted(maps.Keys(audit.Kinds))
	methods := []identity.Method{"", identity.ByPassword, identity.ByPasscode, identity.ByPush, identity.ByPasskey, identity.ByVerifiedPasskey,
		identity.ByChallenge, identity.ByRecoveryCode, identity.ByRememberedDevice}
	var all, bare []byte
	for i := range kinds {
		all, bare = append(all, byte(i), byte(i), 0xff), append(bare, byte(len(kinds)-1-i), 0, 0)
	}
	f.Add(all)
	f.Add(bare)
	random := rand.New(rand.NewPCG(3, 4)) // the same sequences each time
	for range 4 {
		sequence := make([]byte, 3*60)
		for i := range sequence {
			sequence[i] = byte(random.Uint32())
		}
		f.Add(sequence)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		h := storetest.SQLite(t)
		v := newBrowser(t, h)
		who := identity.Principal{Tenant: h.Tenant.ID, Kind: identity.Browser, IP: "192.0.2.17"}
		for some := range slices.Chunk(data[:min(len(data), 3*150)], 3) {
			if len(some) < 3 {
				break
			}
			e := audit.Event{Kind: kinds[int(some[0])%len(kinds)], User: h.User.ID,
				Journey: []string{"", "jrn_1", "jrn_2"}[some[1]%3], Application: []string{"", v.app.ID, "app_removed"}[some[1]/3%3]}
			if some[2]&1 != 0 {
				e.Data = map[string]string{"password": string(methods[int(some[1])%len(methods)]), "otp": string(methods[int(some[2]>>3)%len(methods)])}
			}
			if some[2]&2 != 0 {
				e.Personal = map[string]string{"browser": "Firefox, Linux", "name": "anna", "place": "Bergen"}
			}
			if some[2]&4 != 0 {
				e.Reason = []string{"rejected by user", "wrong number", "locked", "another"}[some[1]%4]
				h.Clock.Advance(time.Millisecond)
			}
			if err := h.DB.InTx(t.Context(), who, func(tx *store.Tx) error { return tx.Event(t.Context(), e) }); err != nil {
				t.Fatal(err)
			}
		}
		v.signIn(identity.CompletedFactor{Validation: identity.Password, Method: identity.ByPassword, At: h.Clock.Now()})
		for page, pages := "/history", 0; page != ""; pages++ {
			code, _, body := v.request(page, nil)
			if code != http.StatusOK || pages > 10 {
				t.Fatalf("%s, page %d: %d\n%s", page, pages, code, body)
			}
			if key := rawKey.FindString(body); key != "" {
				t.Errorf("%s has no text", key)
			}
			next := older.FindStringSubmatch(body)
			page = ""
			if next != nil {
				page = "/history?before=" + next[1]
			}
		}
	})
}
