package store

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
)

func (h fixture) journey() *identity.Journey {
	now := time.Now().Truncate(time.Second).UTC()
	return &identity.Journey{Tenant: h.tenant.ID, ID: identity.NewID(identity.JourneyID), Application: h.app.ID,
		Protocol: identity.SAML, Request: []byte(`{"id":"_1"}`), Browser: "b", StartedAt: now, ExpiresAt: now.Add(15 * time.Minute)}
}

func TestJourney_ComesBackAsWritten(t *testing.T) {
	each(t, func(t *testing.T, db *DB) {
		h := newFixture(t, db)
		j := h.journey()
		j.ACR, j.Binding = []string{"https://refeds.org/profile/mfa"}, identity.HashBinding("secret")
		if err := db.InTx(t.Context(), h.who, func(tx *Tx) error { return tx.Journeys().Add(t.Context(), j) }); err != nil {
			t.Fatal(err)
		}
		j.UserID, j.Name, j.Browser = h.user.ID, "anna.berg", "c"
		j.Required = []identity.Validation{identity.Password, identity.SecondFactor}
		j.Passed = []identity.CompletedFactor{{Validation: identity.Password, Method: identity.ByPassword, At: j.StartedAt}}
		j.Code = identity.Code{SentAt: j.StartedAt, ExpiresAt: j.ExpiresAt, Tries: 2, Sends: 1}
		if err := db.InTx(t.Context(), h.who, func(tx *Tx) error { return tx.Journeys().Step(t.Context(), j) }); err != nil {
			t.Fatal(err)
		}
		got, err := db.Journeys().Get(t.Context(), h.tenant.ID, j.ID)
		if err != nil {
			t.Fatal(err)
		}
		if got.Version != 2 || got.Name != j.Name || got.UserID != j.UserID || !slices.Equal(got.ACR, j.ACR) ||
			!slices.Equal(got.Required, j.Required) || !slices.Equal(got.Passed, j.Passed) || got.Code.Tries != 2 ||
			!got.Code.ExpiresAt.Equal(j.Code.ExpiresAt) || !got.ExpiresAt.Equal(j.ExpiresAt) || string(got.Request) != `{"id":"_1"}` ||
			got.Browser != "c" || !got.BoundBy("secret") || got.BoundBy("another") {
			t.Errorf("got %+v, want %+v", got, j)
		}
	})
}

func TestJRN4_OfAHundredStepsOnOneVersionOneCounts(t *testing.T) {
	each(t, func(t *testing.T, db *DB) {
		h := newFixture(t, db)
		j := h.journey()
		if err := db.InTx(t.Context(), h.who, func(tx *Tx) error { return tx.Journeys().Add(t.Context(), j) }); err != nil {
			t.Fatal(err)
		}
		won := race(t, func() error {
			mine := *j
			mine.Name = "anna"
			return db.InTx(t.Context(), h.who, func(tx *Tx) error { return tx.Journeys().Step(t.Context(), &mine) })
		})
		if won != 1 {
			t.Errorf("%d of 100 steps counted, want 1", won)
		}
	})
}

func TestJRN4_AnEndedJourneyTakesNoStep(t *testing.T) {
	each(t, func(t *testing.T, db *DB) {
		h := newFixture(t, db)
		j := h.journey()
		step := func() error {
			return db.InTx(t.Context(), h.who, func(tx *Tx) error { return tx.Journeys().Step(t.Context(), j) })
		}
		if err := db.InTx(t.Context(), h.who, func(tx *Tx) error { return tx.Journeys().Add(t.Context(), j) }); err != nil {
			t.Fatal(err)
		}
		j.EndedAt, j.Outcome = time.Now(), identity.Succeeded
		if err := step(); err != nil {
			t.Fatal(err)
		}
		j.EndedAt, j.Outcome = time.Time{}, ""
		if err := step(); !errors.Is(err, identity.Conflict) {
			t.Errorf("got %v, want a conflict", err)
		}
	})
}

func TestJRN15_AValidationIsRevokedByTimeAndPassedAnew(t *testing.T) {
	each(t, func(t *testing.T, db *DB) {
		h := newFixture(t, db)
		j := h.journey()
		j.Passed = []identity.CompletedFactor{{Validation: identity.Password, Method: identity.ByPassword, At: j.StartedAt}}
		if err := db.InTx(t.Context(), h.who, func(tx *Tx) error { return tx.Journeys().Add(t.Context(), j) }); err != nil {
			t.Fatal(err)
		}
		passed := j.Passed
		for _, p := range [][]identity.CompletedFactor{nil, passed} {
			j.Passed = p
			if err := db.InTx(t.Context(), h.who, func(tx *Tx) error { return tx.Journeys().Step(t.Context(), j) }); err != nil {
				t.Fatal(err)
			}
		}
		var all, live int
		err := db.pool.QueryRowContext(t.Context(), `
			SELECT COUNT(*), SUM(CASE WHEN revoked_at IS NULL THEN 1 ELSE 0 END) FROM journey_passed
			WHERE tenant_id = $1 AND journey_id = $2`, j.Tenant, j.ID).Scan(&all, &live)
		if err != nil || all != 2 || live != 1 {
			t.Errorf("%d rows, %d in force, %v; want 2 and 1", all, live, err)
		}
	})
}

func TestRequest_IsUsedOnceAndWithinItsMinute(t *testing.T) {
	each(t, func(t *testing.T, db *DB) {
		h := newFixture(t, db)
		add := func(id string, until time.Time) {
			t.Helper()
			err := db.InTx(t.Context(), h.who, func(tx *Tx) error {
				return tx.Requests().Add(t.Context(), Request{Tenant: h.tenant.ID, ID: id, Application: h.app.ID, Wants: []byte(`{}`), ExpiresAt: until})
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		take := func(id string) error {
			return db.InTx(t.Context(), h.who, func(tx *Tx) error {
				_, err := tx.Requests().Take(t.Context(), h.tenant.ID, id)
				return err
			})
		}
		add("req_a", time.Now().Add(time.Minute))
		add("req_b", time.Now().Add(-time.Second))
		var won atomic.Int32
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if err := take("req_a"); err == nil {
					won.Add(1)
				} else if !errors.Is(err, identity.Expired) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			t.Errorf("%d of 50 took the request, want 1", won.Load())
		}
		if err := take("req_b"); !errors.Is(err, identity.Expired) {
			t.Errorf("too late: %v", err)
		}
	})
}

func TestCRED20_TwoHundredTriesAtOnceEvaluateNoMoreThanTheLimit(t *testing.T) {
	each(t, func(t *testing.T, db *DB) {
		h := newFixture(t, db)
		counter := FailureCounter{Tenant: h.tenant.ID, User: h.user.ID}
		var evaluated atomic.Int32
		var wg sync.WaitGroup
		for range 200 {
			wg.Go(func() {
				err := db.InTx(t.Context(), h.who, func(tx *Tx) error {
					ok, err := tx.Attempts().Reserve(t.Context(), counter, 5)
					if ok {
						evaluated.Add(1)
					}
					return err
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if evaluated.Load() != 6 {
			t.Errorf("%d evaluated, want 6: the threshold of 5 is exceeded by the sixth", evaluated.Load())
		}
	})
}

func TestCRED20_LocksWhenExceededAndAdmitsOneTryAfterwards(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	db, err := Open(t.Context(), Options{Source: t.TempDir() + "/t.db", Keys: NewKeyring(), Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	h := newFixture(t, db)
	counter := FailureCounter{Tenant: h.tenant.ID, User: h.user.ID}
	wrong := func() (tried, locked bool) {
		t.Helper()
		err := db.InTx(t.Context(), h.who, func(tx *Tx) (err error) {
			if tried, err = tx.Attempts().Reserve(t.Context(), counter, 5); err != nil || !tried {
				return err
			}
			locked, err = tx.Attempts().LockIfExceeded(t.Context(), counter, 5, now.Add(15*time.Minute))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return tried, locked
	}
	for i := 1; i <= 6; i++ {
		if tried, locked := wrong(); !tried || locked != (i == 6) {
			t.Fatalf("try %d: tried %v, locked %v", i, tried, locked)
		}
	}
	if tried, _ := wrong(); tried {
		t.Error("a try was evaluated while locked")
	}
	now = now.Add(15 * time.Minute)
	if tried, locked := wrong(); !tried || !locked {
		t.Errorf("after the lock: tried %v, locked %v, want both", tried, locked)
	}
	now = now.Add(15 * time.Minute)
	err = db.InTx(t.Context(), h.who, func(tx *Tx) error {
		if ok, err := tx.Attempts().Reserve(t.Context(), counter, 5); err != nil || !ok {
			t.Errorf("Reserve = %v, %v", ok, err)
		}
		if err := tx.Attempts().Refund(t.Context(), counter); err != nil {
			return err
		}
		return tx.Users().RecordLogin(t.Context(), h.tenant.ID, h.user.ID, "b", false, identity.ByPush)
	})
	if err != nil {
		t.Fatal(err)
	}
	if u, err := db.Users().Get(t.Context(), h.tenant.ID, h.user.ID); err != nil || u.Failures != 0 {
		t.Errorf("after a finished login %d failures, %v", u.Failures, err)
	}
}

func TestCRED20_AKnownBrowserCountsByItself(t *testing.T) {
	each(t, func(t *testing.T, db *DB) {
		h := newFixture(t, db)
		unknown := FailureCounter{Tenant: h.tenant.ID, User: h.user.ID}
		known := FailureCounter{Tenant: h.tenant.ID, User: h.user.ID, Browser: "b"}
		err := db.InTx(t.Context(), h.who, func(tx *Tx) error {
			if err := tx.Users().RecordLogin(t.Context(), h.tenant.ID, h.user.ID, "b", false, identity.ByPush); err != nil {
				return err
			}
			for range 6 {
				if _, err := tx.Attempts().Reserve(t.Context(), unknown, 5); err != nil {
					return err
				}
			}
			if _, err := tx.Attempts().LockIfExceeded(t.Context(), unknown, 5, time.Now().Add(time.Hour)); err != nil {
				return err
			}
			if ok, err := tx.Attempts().Reserve(t.Context(), unknown, 5); err != nil || ok {
				t.Errorf("the unknown browser may try: %v, %v", ok, err)
			}
			if ok, err := tx.Attempts().Reserve(t.Context(), known, 5); err != nil || !ok {
				t.Errorf("the person may not try in the own browser: %v, %v", ok, err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		known1, last, err := db.Users().KnownBrowser(t.Context(), h.tenant.ID, h.user.ID, "b")
		if err != nil || !known1 || last != identity.ByPush {
			t.Errorf("KnownBrowser = %v, %q, %v", known1, last, err)
		}
	})
}

func TestSession_OldSecretIsDeadAfterARise(t *testing.T) {
	each(t, func(t *testing.T, db *DB) {
		h := newFixture(t, db)
		now := time.Now().Truncate(time.Second)
		s := identity.Session{Tenant: h.tenant.ID, ID: identity.NewID(identity.SessionID), UserID: h.user.ID, Browser: "b",
			AuthTime: now, Idle: time.Hour, ExpiresAt: now.Add(12 * time.Hour), Passed: []identity.CompletedFactor{{Validation: identity.Password, Method: identity.ByPassword, At: now}}}
		keep := func(secret string) {
			t.Helper()
			if err := db.InTx(t.Context(), h.who, func(tx *Tx) error { return tx.Sessions().Save(t.Context(), s, secret) }); err != nil {
				t.Fatal(err)
			}
		}
		opens := func(secret, browser string) bool {
			_, err := db.Sessions().BySecret(t.Context(), h.tenant.ID, secret, browser)
			if err != nil && !errors.Is(err, identity.Unauthenticated) {
				t.Error(err)
			}
			return err == nil
		}
		keep("one")
		if !opens("one", "b") || opens("one", "another browser") {
			t.Error("a session opens in its own browser and nowhere else")
		}
		s.Passed = append(s.Passed, identity.CompletedFactor{Validation: identity.SecondFactor, Method: identity.ByPush, At: now})
		keep("two")
		if opens("one", "b") || !opens("two", "b") {
			t.Error("after a rise the new secret opens it, the old one does not")
		}
		if err := db.InTx(t.Context(), h.who, func(tx *Tx) error { return tx.Sessions().End(t.Context(), h.tenant.ID, s.ID) }); err != nil {
			t.Fatal(err)
		}
		if opens("two", "b") {
			t.Error("an ended session opens")
		}
	})
}

// An hour, unless the tenant says otherwise; the setting in force at the login
// stays with the session.
func TestSession_EndsWhenLeftIdle(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	db, err := Open(t.Context(), Options{Source: t.TempDir() + "/t.db", Keys: NewKeyring(), Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	h := newFixture(t, db)
	s := identity.Session{Tenant: h.tenant.ID, ID: identity.NewID(identity.SessionID), UserID: h.user.ID, Browser: "b",
		AuthTime: now, Idle: 10 * time.Minute, ExpiresAt: now.Add(15 * time.Minute)}
	if err := db.InTx(t.Context(), h.who, func(tx *Tx) error { return tx.Sessions().Save(t.Context(), s, "secret") }); err != nil {
		t.Fatal(err)
	}
	look := func() (identity.Session, error) {
		return db.Sessions().BySecret(t.Context(), h.tenant.ID, "secret", "b")
	}
	now = now.Add(9 * time.Minute)
	s, err = look()
	if err != nil {
		t.Fatalf("after nine minutes: %v", err)
	}
	if err := db.InTx(t.Context(), h.who, func(tx *Tx) error { return tx.Sessions().Touch(t.Context(), s) }); err != nil {
		t.Fatal(err)
	}
	now = now.Add(5 * time.Minute)
	if _, err := look(); err != nil {
		t.Errorf("five minutes after it was seen: %v", err)
	}
	now = now.Add(time.Minute)
	if _, err := look(); !errors.Is(err, identity.Unauthenticated) {
		t.Errorf("past its absolute end: %v", err)
	}
}

// Whatever name is looked up, a row is read: the user's, or the one whose name comes
// next, or the last. A removed user is none of them.
func TestTLOG02_ANameOfNobodyReadsSomebodyElsesRow(t *testing.T) {
	each(t, func(t *testing.T, db *DB) {
		h := newFixture(t, db)
		err := db.InTx(t.Context(), h.who, func(tx *Tx) error {
			gone := identity.User{Tenant: h.tenant.ID, ID: identity.NewID(identity.UserID), Name: "zoe"}
			if err := tx.Users().Add(t.Context(), gone); err != nil {
				return err
			}
			if err := tx.Users().Remove(t.Context(), gone); err != nil {
				return err
			}
			return tx.Users().Add(t.Context(), identity.User{Tenant: h.tenant.ID, ID: identity.NewID(identity.UserID), Name: "Mia"})
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct {
			typed, want string
			found       bool
		}{{h.user.Name, h.user.Name, true}, {"MIA", "Mia", true}, {"ada", h.user.Name, false}, {"maya", "Mia", false}, {"zoe", "Mia", false}} {
			u, found, err := db.Users().ByNameOrStandIn(t.Context(), h.tenant.ID, tt.typed, true)
			if err != nil || u.Name != tt.want || found != tt.found {
				t.Errorf("%q: %q, found %v, %v; want %q, %v", tt.typed, u.Name, found, err, tt.want, tt.found)
			}
		}
		if _, _, err := db.Users().ByNameOrStandIn(t.Context(), "tnt_none", "ada", true); !errors.Is(err, identity.NotFound) {
			t.Errorf("without users: %v, want NotFound", err)
		}
	})
}

// A mail address stands for the one user who has it, however it is typed. One that two
// users have, or a removed one, stands for nobody; a user's name comes first.
func TestJRN10_AMailAddressIsAName(t *testing.T) {
	each(t, func(t *testing.T, db *DB) {
		h := newFixture(t, db)
		err := db.InTx(t.Context(), h.who, func(tx *Tx) error {
			for _, u := range []identity.User{{Name: "mia", Mail: "Mia.Moe@Bücher.example"}, {Name: "two", Mail: "shared@example.org"}, {Name: "three", Mail: "SHARED@example.org"},
				{Name: "four", Mail: "one@example.org"}, {Name: "one@example.org", Mail: "other@example.org"}, {Name: "gone", Mail: "gone@example.org"}, {Name: "moved", Mail: "old@example.org"}} {
				u.Tenant, u.ID = h.tenant.ID, identity.NewID(identity.UserID)
				if err := tx.Users().Add(t.Context(), u); err != nil {
					return err
				}
				switch u.Name {
				case "gone":
					if err := tx.Users().Remove(t.Context(), u); err != nil {
						return err
					}
				case "moved":
					u.Mail = "new@example.org"
					if err := tx.Users().Change(t.Context(), u); err != nil {
						return err
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for typed, want := range map[string]string{
			"mia.moe@bücher.example": "mia", " MIA.MOE@BÜCHER.example ": "mia", "Mia.Moe@xn--bcher-kva.example": "mia",
			"shared@example.org": "", "gone@example.org": "", "one@example.org": "one@example.org", "old@example.org": "", "new@example.org": "moved", "nobody@example.org": "",
		} {
			u, found, err := db.Users().ByNameOrStandIn(t.Context(), h.tenant.ID, typed, true)
			if err != nil || found != (want != "") || found && u.Name != want {
				t.Errorf("%q: %q, found %v, %v; want %q", typed, u.Name, found, err, want)
			}
		}
		if u, found, err := db.Users().ByNameOrStandIn(t.Context(), h.tenant.ID, "mia.moe@bücher.example", false); found || err != nil {
			t.Errorf("switched off: %q, %v", u.Name, err)
		}
	})
}
