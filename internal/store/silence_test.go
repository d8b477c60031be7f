package store_test

import (
	"errors"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// awaitNoError repeats what fails until it succeeds.
func awaitNoError(t *testing.T, what string, f func() error) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s: %v", what, err)
		}
	}
}

// A server vanishes without a word while all connections are in use, and comes back
// (QLT-2). Whoever waits is told to try again after one deadline and the time of a probe,
// and whoever comes then at once; afterwards everything works, notifications too, though
// no connection from before does. (Without silence the statements of one request wait for
// a deadline each: the last check fails. Without reset each of the idle connections fails
// one statement more. Without the ping in receive no notification comes again.)
func TestQLT2_AServerThatVanishesWithoutAWord(t *testing.T) {
	if os.Getenv("TEST_POSTGRES") == "" {
		t.Skip("TEST_POSTGRES names no server")
	}
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		if h.IsSQLite() {
			return // a file does not vanish
		}
		ctx := t.Context()
		const timeout = time.Second
		relay := storetest.NewRelay(t, h.Source)
		db, err := store.Open(ctx, store.Options{Source: relay.Source, Keys: h.Keys, Timeout: timeout})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		read := func() error { _, err := db.Users().Get(ctx, h.Tenant.ID, h.User.ID); return err }
		write := func() error { return db.Ping(ctx) }

		const users = 30 // more than there are connections
		var inTx, done sync.WaitGroup
		inTx.Add(15)
		vanished := make(chan struct{})
		errs := make(chan error, users)
		for i := range users {
			done.Go(func() {
				if i >= 15 {
					<-vanished
					errs <- read()
					return
				}
				errs <- db.InTx(ctx, h.Who, func(tx *store.Tx) error {
					_, err := tx.Users().Get(ctx, h.Tenant.ID, h.User.ID)
					inTx.Done()
					if err != nil {
						return err
					}
					<-vanished
					_, err = tx.Users().Get(ctx, h.Tenant.ID, h.User.ID)
					return err
				})
			})
		}
		inTx.Wait()
		relay.FallSilent()
		close(vanished)
		done.Wait()
		close(errs)
		for err := range errs {
			if !errors.Is(err, identity.Unavailable) {
				t.Errorf("%v, want unavailable", err)
			}
		}
		// It is known now, so nobody waits any more: a hundred statements take less than
		// a fifth of their deadlines.
		began := time.Now()
		for range 50 {
			if err := errors.Join(read(), write()); !errors.Is(err, identity.Unavailable) {
				t.Errorf("%v, want unavailable", err)
			}
		}
		if took := time.Since(began); took > 20*timeout {
			t.Errorf("a hundred statements took %v while the server was known to be silent", took)
		}

		relay.Resume()
		awaitNoError(t, "after it came back", read)
		for range 40 { // none of the connections from before is in the pool
			if err := errors.Join(read(), write()); err != nil {
				t.Fatalf("after it had come back: %v", err)
			}
		}
		topic := store.UserTopic(h.User.ID)
		notified, stop := db.Subscribe(topic)
		defer stop()
		awaitNoError(t, "a notification of another node", func() error {
			h.Do(t, func(tx *store.Tx) error { tx.Notify(topic); return nil })
			select {
			case <-notified:
				return nil
			case <-time.After(100 * time.Millisecond):
				return errors.New("none came")
			}
		})
	})
}

// A slow statement does not make a server silent that answers others (QLT-2). (With
// decide(true) for whatever the probe says, requests are refused.)
func TestQLT2_ASlowStatementIsNoSilence(t *testing.T) {
	if os.Getenv("TEST_POSTGRES") == "" {
		t.Skip("TEST_POSTGRES names no server")
	}
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		if h.IsSQLite() {
			return
		}
		ctx := t.Context()
		db, err := store.Open(ctx, store.Options{Source: h.Source, Keys: h.Keys, Timeout: 2 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		err = db.InTx(ctx, h.Who, func(tx *store.Tx) error {
			<-time.After(2100 * time.Millisecond)
			_, err := tx.Users().Get(ctx, h.Tenant.ID, h.User.ID)
			return err
		})
		if !errors.Is(err, identity.Unavailable) {
			t.Errorf("%v, want unavailable", err)
		}
		for range 100 {
			if _, err := db.Users().Get(ctx, h.Tenant.ID, h.User.ID); err != nil {
				t.Fatalf("beside a slow one: %v", err)
			}
		}
	})
}
