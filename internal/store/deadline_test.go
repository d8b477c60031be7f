package store

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// What may take how long (QLT-3). A zero is no deadline.
func TestQLT3_WhatMayTakeHowLong(t *testing.T) {
	const timeout = 5 * time.Second
	for _, tt := range []struct {
		name              string
		ctx               context.Context
		transaction, read time.Duration
	}{
		{"a request", t.Context(), timeout, timeout},
		{"a command, a job", LongRunning(t.Context()), time.Minute, 0},
		{"a job that lost its caller", context.WithoutCancel(LongRunning(t.Context())), time.Minute, 0},
		{"a migration, a restore", onWhole(t.Context()), 0, 0},
	} {
		if got := patienceOf(tt.ctx).transaction(timeout); got != tt.transaction {
			t.Errorf("%s: a transaction may take %v, want %v", tt.name, got, tt.transaction)
		}
		if got := patienceOf(tt.ctx).read(timeout); got != tt.read {
			t.Errorf("%s: a read may take %v, want %v", tt.name, got, tt.read)
		}
	}
}

// endless is a query that does not end by itself.
var endless = queryTexts{
	sqlite:   `WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT MAX(n) FROM c`,
	postgres: `SELECT COUNT(*) FROM (SELECT pg_sleep(3600)) s`,
}

// Whatever takes too long ends, is an Unavailable, and holds up nothing that comes after
// it: its connection is of use again, or has left the pool. (Without the deadline of
// bounded the transaction does not end: its statements run under their caller's context.
// Without leavingConn the connection stays.)
func TestQLT3_WorkEndsAtItsDeadline(t *testing.T) {
	each(t, func(t *testing.T, db *DB) {
		short, err := Open(t.Context(), Options{Source: sourceOf(t, db), Keys: NewKeyring(), Timeout: 150 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		defer short.Close()
		who := identity.Principal{Kind: identity.System}
		// The context of the caller has no deadline, and is the one that statements run
		// under, as in all our code.
		ctx := t.Context()
		run := func(r Reader) error {
			var n int64
			return r.q.QueryRowContext(ctx, short.dialect.text(endless)).Scan(&n)
		}
		for name, f := range map[string]func() error{
			"read": func() error { return classify(run(short.Reader)) },
			"list": func() error {
				_, err := Collect(list(ctx, short.Reader, "all", scanID, short.dialect.text(endless)))
				return err
			},
			"transaction": func() error { return short.InTx(ctx, who, func(tx *Tx) error { return run(tx.Reader) }) },
			"statement": func() error {
				return short.InTx(ctx, who, func(tx *Tx) error { _, err := tx.exec(ctx, "run", short.dialect.text(endless)); return err })
			},
			"snapshot": func() error { return short.InSnapshot(ctx, run) },
			"transaction that waits for something else": func() error {
				return short.InTx(ctx, who, func(tx *Tx) error {
					<-time.After(250 * time.Millisecond)
					_, err := Collect(tx.Tenants().All(ctx))
					return err
				})
			},
		} {
			if err := f(); !errors.Is(err, identity.Unavailable) {
				t.Errorf("%s: %v, want unavailable", name, err)
			}
			for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
				err := short.Ping(ctx)
				if err == nil {
					break
				}
				if time.Now().After(end) { // on a busy machine one may take too long, and a probe too
					t.Fatalf("after a %s: %v", name, err)
				}
			}
			if _, ok := db.dialect.(postgres); ok { // SQLite's connections go on
				if err := f(); !errors.Is(err, identity.Unavailable) {
					t.Errorf("%s: %v, want unavailable", name, err)
				}
				for end := time.Now().Add(10 * time.Second); short.pool.Stats().Idle > 0; time.Sleep(time.Millisecond) {
					if time.Now().After(end) {
						t.Fatalf("after a %s its connection stays in the pool", name)
					}
				}
			}
		}
	})
}

// A caller who leaves is not told that the database is busy.
func TestQLT3_ACallerWhoLeavesIsNoTimeout(t *testing.T) {
	each(t, func(t *testing.T, db *DB) {
		ctx, leave := context.WithCancel(t.Context())
		err := db.InTx(ctx, identity.Principal{Kind: identity.System}, func(tx *Tx) error {
			leave()
			_, err := Collect(tx.Tenants().All(ctx))
			return err
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v, want canceled", err)
		}
	})
}
