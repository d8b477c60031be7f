package store

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// A limiter counts once against a rate, whichever kind it is, for a subject.
type limiter struct {
	t   *testing.T
	db  *DB
	who identity.Principal
	now time.Time
}

// eachLimiter runs f on every database, with a clock that stands still.
func eachLimiter(t *testing.T, f func(l *limiter)) {
	t.Helper()
	each(t, func(t *testing.T, db *DB) {
		l := &limiter{t: t, db: db, who: newFixture(t, db).who, now: time.Unix(1_800_000_000, 0)}
		db.Reader.now = func() time.Time { return l.now }
		f(l)
	})
}

func (l *limiter) in(f func(tx *Tx) error) error { return l.db.InTx(l.t.Context(), l.who, f) }

func (l *limiter) allow(rate Rate) error {
	return l.in(func(tx *Tx) error { return tx.Allow(l.t.Context(), l.who.Tenant, rate, "subject") })
}

func (l *limiter) allowExact(rate ExactRate) error {
	return l.in(func(tx *Tx) error { return tx.AllowExact(l.t.Context(), l.who.Tenant, rate, "subject") })
}

// want checks n calls, each of which is to be allowed, and then one that is to be
// refused for a time.
func (l *limiter) want(when string, allow func() error, n int, wait time.Duration) {
	l.t.Helper()
	for i := range n {
		if err := allow(); err != nil {
			l.t.Fatalf("%s: call %d of %d: %v", when, i+1, n, err)
		}
	}
	var refused *identity.Error
	if err := allow(); !errors.As(err, &refused) || refused.Kind != identity.Throttled || refused.RetryAfter != wait {
		l.t.Errorf("%s: call %d: got %v, want throttled for %v", when, n+1, err, wait)
	}
}

// race calls allow a hundred times at once and reports how often it was allowed.
func (l *limiter) race(allow func() error) int64 {
	l.t.Helper()
	var allowed atomic.Int64
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if err := allow(); err == nil {
				allowed.Add(1)
			} else if !errors.Is(err, identity.Throttled) {
				l.t.Error(err)
			}
		})
	}
	wg.Wait()
	return allowed.Load()
}

func TestRate_BurstThenOneAnInterval(t *testing.T) {
	eachLimiter(t, func(l *limiter) {
		rate := Rate{Kind: "password", Max: 6, Per: time.Minute}
		allow := func() error { return l.allow(rate) }
		l.want("at once", allow, 6, 10*time.Second)
		l.want("again", allow, 0, 10*time.Second)
		l.now = l.now.Add(9 * time.Second)
		l.want("9 s later", allow, 0, time.Second)
		l.now = l.now.Add(time.Second)
		l.want("10 s later", allow, 1, 10*time.Second)
		l.now = l.now.Add(25 * time.Second)
		l.want("25 s later", allow, 2, 5*time.Second)
		l.now = l.now.Add(time.Hour)
		l.want("an hour later", allow, 6, 10*time.Second)
	})
}

func TestRate_RetryAfterCountsNothing(t *testing.T) {
	eachLimiter(t, func(l *limiter) {
		rate := Rate{Kind: "refused", Max: 2, Per: 30 * time.Second}
		for i, want := range []time.Duration{0, 0, 15 * time.Second} {
			for range 3 {
				got, err := l.db.RetryAfter(l.t.Context(), l.who.Tenant, rate, "subject")
				if err != nil || got != want {
					l.t.Errorf("after %d: got %v, %v, want %v", i, got, err, want)
				}
			}
			_ = l.allow(rate) // the last is refused
		}
		l.now = l.now.Add(14*time.Second + 300*time.Millisecond)
		if got, err := l.db.RetryAfter(l.t.Context(), l.who.Tenant, rate, "subject"); err != nil || got != time.Second {
			l.t.Errorf("14.3 s later: got %v, %v, want a whole second", got, err)
		}
	})
}

// Subjects, kinds and tenants are counted apart.
func TestRate_Apart(t *testing.T) {
	eachLimiter(t, func(l *limiter) {
		for _, of := range [][3]string{{"ten", "a", "x"}, {"ten", "a", "y"}, {"ten", "b", "x"}, {"other", "a", "x"}} {
			count := func() error {
				return l.in(func(tx *Tx) error {
					return tx.Allow(l.t.Context(), of[0], Rate{Kind: of[1], Max: 1, Per: time.Minute}, of[2])
				})
			}
			l.want(of[0]+of[1]+of[2], count, 1, time.Minute)
			exact := func() error {
				return l.in(func(tx *Tx) error {
					return tx.AllowExact(l.t.Context(), of[0], ExactRate{Kind: "exact " + of[1], Max: 1, Per: time.Minute}, of[2])
				})
			}
			l.want("exact "+of[0]+of[1]+of[2], exact, 1, time.Minute)
		}
	})
}

// Of rates that do not divide their time, none allows more than it says.
func TestRate_NeverMoreThanItSays(t *testing.T) {
	for _, rate := range []Rate{{Max: 7, Per: time.Minute}, {Max: 300, Per: 5 * time.Minute}, {Max: 70_001, Per: 5 * time.Minute}} {
		if got := rate.interval() * time.Duration(rate.Max); got < rate.Per || got > rate.Per+rate.Per/100 {
			t.Errorf("%d in %v take %v", rate.Max, rate.Per, got)
		}
	}
}

func TestRate_ExactlyTheBurstOfAHundredAtOnce(t *testing.T) {
	eachLimiter(t, func(l *limiter) {
		if n := l.race(func() error { return l.allow(Rate{Kind: "password", Max: 7, Per: time.Hour}) }); n != 7 {
			l.t.Errorf("%d of 100 at once are allowed, want 7", n)
		}
		if n := l.race(func() error { return l.allowExact(ExactRate{Kind: "mail code", Max: 5, Per: time.Hour}) }); n != 5 {
			l.t.Errorf("%d of 100 at once are allowed by an exact rate, want 5", n)
		}
	})
}

func TestExactRate_InAnySpan(t *testing.T) {
	eachLimiter(t, func(l *limiter) {
		rate := ExactRate{Kind: "mail code", Max: 3, Per: time.Hour}
		allow := func() error { return l.allowExact(rate) }
		for range 3 {
			if err := allow(); err != nil {
				l.t.Fatal(err)
			}
			l.now = l.now.Add(10 * time.Minute)
		}
		l.want("after 30 min", allow, 0, 30*time.Minute)
		l.now = l.now.Add(30 * time.Minute)
		l.want("an hour after the first", allow, 1, 10*time.Minute)
		l.now = l.now.Add(2 * time.Hour)
		l.want("long after", allow, 3, time.Hour)
	})
}

func TestExactRate_Undo(t *testing.T) {
	eachLimiter(t, func(l *limiter) {
		rate := ExactRate{Kind: "short code", Max: 2, Per: time.Hour}
		for range 5 { // right ones do not count
			err := l.in(func(tx *Tx) error {
				return errors.Join(tx.AllowExact(l.t.Context(), l.who.Tenant, rate, "subject"),
					tx.UndoAllowExact(l.t.Context(), l.who.Tenant, rate, "subject"))
			})
			if err != nil {
				l.t.Fatal(err)
			}
			l.now = l.now.Add(time.Second)
		}
		l.want("wrong ones", func() error { return l.allowExact(rate) }, 2, time.Hour)
	})
}

// What is swept is of no more use: a rate of which nothing is left allows what it
// would have allowed anyway.
func TestRate_IsSwept(t *testing.T) {
	eachLimiter(t, func(l *limiter) {
		rate, exact := Rate{Kind: "a", Max: 3, Per: time.Minute}, ExactRate{Kind: "b", Max: 3, Per: time.Minute}
		l.want("first", func() error { return l.allow(rate) }, 3, 20*time.Second)
		l.want("first", func() error { return l.allowExact(exact) }, 3, time.Minute)
		sweep := func() {
			l.t.Helper()
			err := l.in(func(tx *Tx) error {
				_, err := tx.Sweep(l.t.Context())
				return err
			})
			if err != nil {
				l.t.Fatal(err)
			}
		}
		l.now = l.now.Add(59 * time.Second)
		sweep()
		l.want("59 s later", func() error { return l.allow(rate) }, 2, time.Second)
		l.want("59 s later", func() error { return l.allowExact(exact) }, 0, time.Second)
		l.now = l.now.Add(2 * time.Hour)
		sweep()
		var left int64
		if err := l.db.pool.QueryRowContext(l.t.Context(), `SELECT (SELECT COUNT(*) FROM rates) + (SELECT COUNT(*) FROM rate_counts)`).Scan(&left); err != nil || left != 0 {
			l.t.Errorf("%d rows are left, %v", left, err)
		}
	})
}
