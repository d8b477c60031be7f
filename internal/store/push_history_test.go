package store

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store/testdb"
)

// many fills in n push requests of a tenant, one a second up to a moment, of
// ten users in turn and of every outcome, by one statement.
func many(t testing.TB, db *DB, h fixture, n int, until time.Time) (users []string) {
	t.Helper()
	j := h.journey()
	err := db.InTx(t.Context(), h.who, func(tx *Tx) error {
		if err := tx.Journeys().Add(t.Context(), j); err != nil {
			return err
		}
		for i := range 10 {
			u := identity.User{Tenant: h.tenant.ID, ID: identity.NewID(identity.UserID), Name: string(rune('a' + i))}
			users = append(users, u.ID)
			if err := tx.Users().Add(t.Context(), u); err != nil {
				return err
			}
			_, err := tx.exec(t.Context(), "fill", `
				WITH RECURSIVE n(i) AS (SELECT CAST($5 AS BIGINT) UNION ALL SELECT i + 10 FROM n WHERE i + 10 < $6)
				INSERT INTO push_requests (tenant_id, id, user_id, journey_id, browser, application, name, presence, nonce,
					login_at, created_at, expires_at, ended_at, outcome, authenticator_id, claimed_at)
				SELECT $1, 'psh_' || (10000000 + i), $2, $3, 'b', 'Payroll', 'a', 'enter', 'n', $4 - i, $4 - i, $4 - i + 60, $4 - i + 7,
					CASE WHEN i % 100 = 0 THEN 'denied-not-me' WHEN i % 7 = 0 THEN 'expired' ELSE 'approved' END, 'aut_x', $4 - i + 7
				FROM n`, h.tenant.ID, u.ID, j.ID, until.Unix(), i, n)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return users
}

// Newest first, without a gap or a repetition where one page ends and the next
// begins, whatever is asked for.
func TestADM7_PushesPageByPage(t *testing.T) {
	each(t, func(t *testing.T, db *DB) {
		h := newFixture(t, db)
		now := time.Now().Add(-time.Hour).Truncate(time.Second)
		users := many(t, db, h, 2*eventPage+30, now)
		for _, tt := range []struct {
			name string
			f    PushFilter
			want int
		}{
			{"all", PushFilter{Limit: -1}, 2*eventPage + 30},
			{"a hundred", PushFilter{}, 100},
			{"more than a page", PushFilter{Limit: eventPage + 1}, eventPage + 1},
			{"of a user", PushFilter{Limit: -1, User: users[3]}, (2*eventPage + 30) / 10},
			{"rejected", PushFilter{Limit: -1, Outcome: PushNotMe}, 11},
			{"since", PushFilter{Limit: -1, Since: now.Add(-9 * time.Second)}, 10},
			{"until", PushFilter{Limit: -1, Until: now.Add(-1020 * time.Second)}, 9},
			{"waiting", PushFilter{Limit: -1, Waiting: true}, 0},
			{"no longer", PushFilter{Limit: -1, Outcome: PushNoLonger}, 0},
		} {
			all, err := Collect(db.Push().List(t.Context(), h.tenant.ID, tt.f))
			if err != nil || len(all) != tt.want {
				t.Errorf("%s: got %d, %v, want %d", tt.name, len(all), err, tt.want)
			}
			if !slices.IsSortedFunc(all, func(a, b PushRequest) int { return b.CreatedAt.Compare(a.CreatedAt) }) {
				t.Errorf("%s: not newest first", tt.name)
			}
		}
		approved, err := Collect(db.Push().List(t.Context(), h.tenant.ID, PushFilter{Limit: -1, Outcome: PushApproved}))
		if err != nil {
			t.Fatal(err)
		}
		expired, err := Collect(db.Push().List(t.Context(), h.tenant.ID, PushFilter{Limit: -1, Outcome: PushExpired}))
		if err != nil || len(approved)+len(expired)+11 != 2*eventPage+30 {
			t.Errorf("%d approved and %d expired, %v", len(approved), len(expired), err)
		}
	})
}

// A million pushes, of which the first page of each question is read.
func BenchmarkADM7_FirstPageOfAMillionPushes(b *testing.B) {
	sources := map[string]string{"sqlite": filepath.Join(b.TempDir(), "t.db")}
	if dsn := os.Getenv("TEST_POSTGRES"); dsn != "" {
		sources["postgres"] = testdb.Postgres(b, dsn, migrate)
	}
	now := time.Now().Add(-time.Hour).Truncate(time.Second)
	for name, source := range sources {
		db := open(b, source)
		h := newFixture(b, db)
		users := many(b, db, h, 1_000_000, now)
		if name == "postgres" { // which does this by itself, in its own time
			if _, err := db.pool.ExecContext(b.Context(), `ANALYZE push_requests`); err != nil {
				b.Fatal(err)
			}
		}
		for question, f := range map[string]PushFilter{
			"all":                      {},
			"far back":                 {Until: now.Add(-900_000 * time.Second)},
			"rejected":                 {Outcome: PushNotMe},
			"of an outcome nobody had": {Outcome: PushMistake},
			"expired":                  {Outcome: PushExpired},
			"no longer allowed":        {Outcome: PushNoLonger},
			"waiting":                  {Waiting: true},
			"of a user, a day of it":   {User: users[0], Since: now.Add(-24 * time.Hour)},
		} {
			b.Run(name+"/"+question, func(b *testing.B) {
				for b.Loop() {
					if _, err := Collect(db.Push().List(b.Context(), h.tenant.ID, f)); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
