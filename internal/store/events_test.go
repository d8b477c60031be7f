package store

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store/testdb"
)

// manyEvents adds n events to a tenant in one statement: a hundred users who log in
// over and over, a second apart, and one event in a hundred of another kind.
func manyEvents(t testing.TB, db *DB, tenant string, n int) {
	t.Helper()
	err := db.InTx(t.Context(), identity.Principal{}, func(tx *Tx) error {
		_, err := tx.exec(t.Context(), "fill", `
			WITH RECURSIVE i (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < $2)
			INSERT INTO events (tenant_id, id, at_ms, kind, actor_kind, user_id, journey_id, data, personal, digest)
			SELECT $1, 'evt_' || (1000000000 + n), 1767225600000 + CAST(n AS BIGINT) * 1000,
				CASE WHEN n % 100 = 0 THEN 'enrolment.code-sent' WHEN n % 100 = 1 THEN 'user.changed' WHEN n % 2 = 0 THEN 'login.success' ELSE 'password.failure' END,
				'browser', 'usr_' || (n % 100), 'jrn_' || (n / 4), '{}', '{"actor":"somebody: else","name":"x"}', 'd'
			FROM i`, tenant, n)
		if _, ok := db.dialect.(postgres); ok && err == nil {
			_, err = tx.exec(t.Context(), "analyse", `ANALYZE events`) // convert it does by itself after a while
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The first page of every report is read off an index, whatever lies between:
// the plan never scans the table, and sorts no more than a page of each kind
// (ADM-7).
func TestADM7_ReportsAreReadByIndex(t *testing.T) {
	each(t, func(t *testing.T, db *DB) {
		h := newFixture(t, db)
		manyEvents(t, db, h.tenant.ID, 20_000)
		after := audit.Event{ID: "evt_1000010000", At: time.UnixMilli(1767225600000 + 10_000_000)}
		for name, tt := range map[string]struct {
			filter EventFilter
			index  string
		}{
			"all":                {EventFilter{}, "events_newest"},
			"all, since":         {EventFilter{Since: after.At}, "events_newest"},
			"a kind":             {EventFilter{Kind: audit.UserChanged}, "events_of_kind"},
			"activity":           {EventFilter{Kinds: audit.ActivityKinds}, "events_of_kind"},
			"activity of a user": {EventFilter{Kinds: audit.ActivityKinds, User: "usr_7"}, "events_of_user"},
			"a user":             {EventFilter{User: "usr_7"}, "events_of_user"},
			"a user, since":      {EventFilter{User: "usr_7", Since: after.At}, "events_of_user"},
			"a journey":          {EventFilter{Journey: "jrn_7"}, "events_of_journey"},
			"export":             {EventFilter{Oldest: true, Limit: -1}, "events_newest"},
			"export of kinds":    {EventFilter{Kinds: audit.EnrollmentKinds, Oldest: true, Limit: -1}, "events_of_kind"},
			"begins":             {EventFilter{Kinds: audit.EnrollmentStartKinds}, "events_of_kind"},
		} {
			for _, from := range []audit.Event{{}, after} {
				query, args := tt.filter.query(h.tenant.ID, from, 100, "")
				for _, step := range plan(t, db, query, args) {
					scans := strings.Contains(step, "Seq Scan on events") || step == "SCAN e" ||
						strings.HasPrefix(step, "SEARCH e ") && !strings.Contains(step, tt.index+" ")
					if scans {
						t.Errorf("%s, from %q: want %s, the plan is: %s", name, from.ID, tt.index, step)
					}
				}
			}
		}
	})
}

// plan is the database's plan of a query, a step each.
func plan(t *testing.T, db *DB, query string, args []any) []string {
	t.Helper()
	explain := "EXPLAIN QUERY PLAN "
	if _, ok := db.dialect.(postgres); ok {
		explain = "EXPLAIN "
	}
	rows, err := db.pool.QueryContext(t.Context(), explain+query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var steps []string
	for rows.Next() {
		var step string
		if explain == "EXPLAIN " {
			err = rows.Scan(&step)
		} else {
			err = rows.Scan(new(int64), new(int64), new(int64), &step)
		}
		if err != nil {
			t.Fatal(err)
		}
		steps = append(steps, step)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return steps
}

func TestEvents_PagesAndFilters(t *testing.T) {
	each(t, func(t *testing.T, db *DB) {
		h := newFixture(t, db)
		const n = 2*eventPage + 7
		manyEvents(t, db, h.tenant.ID, n)
		began := time.UnixMilli(1767225600000)
		second := func(s int) time.Time { return began.Add(time.Duration(s) * time.Second) }
		for _, tt := range []struct {
			name        string
			filter      EventFilter
			want        int
			first, last int // seconds; 0 to not look
		}{
			{"all", EventFilter{Limit: -1}, n, n, 1},
			{"all, oldest first", EventFilter{Limit: -1, Oldest: true}, n, 1, n},
			{"a hundred", EventFilter{}, 100, n, n - 99},
			{"more than a page", EventFilter{Limit: eventPage + 1}, eventPage + 1, n, n - eventPage},
			{"kinds", EventFilter{Kinds: []audit.Kind{audit.EnrollCodeSent, audit.UserChanged}, Limit: -1}, 21, 1001, 1},
			{"kinds, oldest first", EventFilter{Kinds: []audit.Kind{audit.EnrollCodeSent, audit.UserChanged}, Limit: -1, Oldest: true}, 21, 1, 1001},
			{"kinds of a user", EventFilter{Kinds: []audit.Kind{audit.EnrollCodeSent, audit.UserChanged}, User: "usr_1", Limit: -1}, 11, 1001, 1},
			{"a span", EventFilter{Since: second(10), Until: second(20), Limit: -1}, 10, 19, 10},
			{"an actor's kind", EventFilter{Actor: "browser", Limit: 3}, 3, n, n - 2},
			{"an actor's name", EventFilter{Actor: "somebody", Limit: 3}, 3, n, n - 2},
			{"half an actor's name", EventFilter{Actor: "some", Limit: 3}, 0, 0, 0},
			{"a pattern is none", EventFilter{Actor: "some%", Limit: 3}, 0, 0, 0},
		} {
			got, err := Collect(db.Events().List(t.Context(), h.tenant.ID, tt.filter))
			if err != nil || len(got) != tt.want {
				t.Errorf("%s: %d events, %v, want %d", tt.name, len(got), err, tt.want)
				continue
			}
			if tt.want > 0 && (!got[0].At.Equal(second(tt.first)) || !got[tt.want-1].At.Equal(second(tt.last))) {
				t.Errorf("%s: from %s to %s, want %s to %s", tt.name, got[0].At, got[tt.want-1].At, second(tt.first), second(tt.last))
			}
			seen := make(map[string]bool)
			for _, e := range got {
				if seen[e.ID] {
					t.Errorf("%s: %s comes twice", tt.name, e.ID)
				}
				seen[e.ID] = true
			}
		}
		if other, err := Collect(db.Events().List(t.Context(), "ten_other", EventFilter{Limit: -1})); err != nil || len(other) != 0 {
			t.Errorf("another tenant sees %d events, %v", len(other), err)
		}
	})
}

// An enrolment is all its events, in the order of when it began, however two of
// them are interleaved.
func TestENR18_EnrollmentsAreToldWhole(t *testing.T) {
	each(t, func(t *testing.T, db *DB) {
		h := newFixture(t, db)
		for _, e := range []audit.Event{
			{Kind: audit.EnrollCodeSent, Journey: "jrn_1"},
			{Kind: audit.EnrollCodeSent, Journey: "jrn_2"},
			{Kind: audit.EnrollActivation, Data: map[string]string{"activation": "act_invited"}},
			{Kind: audit.EnrollCodeSent, Journey: "jrn_1"}, // again
			{Kind: audit.EnrollCodeRight, Journey: "jrn_1"},
			{Kind: audit.PasswordWrong, Journey: "jrn_1"}, // is no part of it
			{Kind: audit.EnrollActivation, Journey: "jrn_1", Data: map[string]string{"activation": "act_1"}},
			{Kind: audit.EnrollNoMail, Journey: "jrn_3"},
			{Kind: audit.EnrollFinished, Data: map[string]string{"activation": "act_invited"}},
			{Kind: audit.EnrollFinished, Journey: "jrn_1", Data: map[string]string{"activation": "act_1"}},
			{Kind: audit.EnrollFurther, Journey: "jrn_4"},
			{Kind: audit.EnrollFurtherLeft, Journey: "jrn_4"},
		} {
			e.User = h.user.ID
			err := db.InTx(t.Context(), h.who, func(tx *Tx) error { return tx.Event(t.Context(), e) })
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Millisecond)
		}
		for _, tt := range []struct {
			filter EventFilter
			want   string
		}{
			{EventFilter{}, "jrn_4:2 jrn_3:1 :2 jrn_2:1 jrn_1:5"},
			{EventFilter{Limit: 3}, "jrn_4:2 jrn_3:1 :2"},
			{EventFilter{Oldest: true, User: h.user.ID}, "jrn_1:5 jrn_2:1 :2 jrn_3:1 jrn_4:2"},
			{EventFilter{User: "usr_other"}, ""},
		} {
			var got []string
			for all, err := range db.Events().Enrollments(t.Context(), h.tenant.ID, tt.filter) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, fmt.Sprintf("%s:%d", all[0].Journey, len(all)))
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("enrolments by %+v: %q, want %q", tt.filter, got, tt.want)
			}
		}
	})
}

// Each event is told once, as soon as it is committed, though one that began
// before another was committed after it.
func TestFollow_TellsEachOnce(t *testing.T) {
	each(t, func(t *testing.T, db *DB) {
		h := newFixture(t, db)
		add := func(name string) error {
			return db.InTx(t.Context(), h.who, func(tx *Tx) error {
				return tx.Event(t.Context(), audit.Event{Kind: audit.UserChanged, Data: map[string]string{"name": name}})
			})
		}
		for i := range 5 {
			if err := add(fmt.Sprint("past ", i)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Millisecond) // within one, events have no order
		}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		told := make(chan string, 100)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for e, err := range db.Events().Follow(ctx, h.tenant.ID, EventFilter{Kind: audit.UserChanged, Limit: 2}) {
				if err != nil {
					told <- err.Error()
					return
				}
				told <- e.Data["name"]
			}
		}()
		want := func(name string) {
			t.Helper()
			select {
			case got := <-told:
				if got != name {
					t.Errorf("told %q, want %q", got, name)
				}
			case <-time.After(5 * time.Second):
				t.Fatalf("nobody tells %q", name)
			}
		}
		for i := 3; i < 5; i++ {
			want(fmt.Sprint("past ", i))
		}
		began := time.Now()
		if err := add("new"); err != nil {
			t.Fatal(err)
		}
		want("new")
		t.Logf("told after %s", time.Since(began).Round(time.Millisecond))
		if _, ok := db.dialect.(postgres); ok { // with one writer there is no such order
			err := db.InTx(t.Context(), h.who, func(tx *Tx) error {
				if err := tx.Event(t.Context(), audit.Event{Kind: audit.UserChanged, Data: map[string]string{"name": "late"}}); err != nil {
					return err
				}
				time.Sleep(20 * time.Millisecond)
				if err := add("early"); err != nil {
					return err
				}
				want("early")
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			want("late")
		}
		stop()
		<-done
		if len(told) > 0 {
			t.Errorf("told besides: %s", <-told)
		}
	})
}

// A million events, of which the first page of each report is read.
func BenchmarkADM7_FirstPageOfAMillion(b *testing.B) {
	sources := map[string]string{"sqlite": filepath.Join(b.TempDir(), "t.db")}
	if dsn := os.Getenv("TEST_POSTGRES"); dsn != "" {
		sources["postgres"] = testdb.Postgres(b, dsn, migrate)
	}
	for name, source := range sources {
		db := open(b, source)
		h := newFixture(b, db)
		manyEvents(b, db, h.tenant.ID, 1_000_000)
		for report, read := range map[string]func() error{
			"activity": func() error {
				_, err := Collect(db.Events().List(b.Context(), h.tenant.ID, EventFilter{Kinds: audit.ActivityKinds}))
				return err
			},
			"activity of a user": func() error {
				_, err := Collect(db.Events().List(b.Context(), h.tenant.ID, EventFilter{Kinds: audit.ActivityKinds, User: "usr_7"}))
				return err
			},
			"enrolments": func() error {
				_, err := Collect(db.Events().Enrollments(b.Context(), h.tenant.ID, EventFilter{}))
				return err
			},
			"audit": func() error {
				_, err := Collect(db.Events().List(b.Context(), h.tenant.ID, EventFilter{}))
				return err
			},
		} {
			b.Run(name+"/"+report, func(b *testing.B) {
				for b.Loop() {
					if err := read(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
