package server

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/latchkey-id/latchkey/internal/store"
)

// Differences between this machine's clock and the database server's, by which nodes
// agree: beyond the first it is logged, and beyond the second a node is not ready. A
// passcode is accepted within a step of 30 seconds, a signed call within 60 seconds.
const (
	ClockWarning = 5 * time.Second
	ClockError   = 20 * time.Second
)

// clockEvery is how often clocks are compared while a server runs.
const clockEvery = 30 * time.Second

// A ClockDifference is how far this machine's clock is from the database server's.
type ClockDifference struct {
	Ahead time.Duration // negative if it is behind
	Known bool          // false if the database is a file, which has no clock
}

// CompareClocks compares the clock now with that of the database server.
func CompareClocks(ctx context.Context, db *store.DB, now func() time.Time) (ClockDifference, error) {
	before := now()
	theirs, err := db.Clock(ctx)
	if err != nil || theirs.IsZero() {
		return ClockDifference{}, err
	}
	took := now().Sub(before)
	return ClockDifference{before.Add(took / 2).Sub(theirs), true}, nil
}

// Apart is how far the two are from each other.
func (d ClockDifference) Apart() time.Duration { return d.Ahead.Abs() }

func (d ClockDifference) String() string {
	side := "ahead of"
	if d.Ahead < 0 {
		side = "behind"
	}
	return fmt.Sprintf("this machine's clock is %s %s the database server's", d.Apart().Round(time.Millisecond), side)
}

// watchClock compares the clocks until ctx ends, and logs it if they are too far from
// each other.
func (s *Server) watchClock(ctx context.Context) {
	tick := time.NewTicker(clockEvery)
	defer tick.Stop()
	for {
		d, err := CompareClocks(ctx, s.DB, s.DB.Now)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			s.log.WarnContext(ctx, "clocks not compared", "err", err)
		case !d.Known:
			return
		default:
			s.logClock(ctx, d)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// logClock logs a difference that matters.
func (s *Server) logClock(ctx context.Context, d ClockDifference) {
	level := slog.LevelWarn
	switch {
	case d.Apart() <= ClockWarning:
		return
	case d.Apart() > ClockError:
		level = slog.LevelError
	}
	s.log.Log(ctx, level, "this machine's clock is not that of the database server; let NTP set both",
		"difference", d.String(), "ready", d.Apart() <= ClockError)
}
