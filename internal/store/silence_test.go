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
// no connection from before does. (Without await each of the statements waits for a
// deadline; without reset the idle connections fail others afterwards; without the ping in
// receive no notification comes again.)
func TestQLT2_AServerThatVanishesWithoutAWord(t *testing.T) {
	if os.Getenv("TEST_POSTGRES") == "" {
		t.Skip("TEST_POSTGRES names no server")
	}
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		if h.IsSQLite() {
			return // a file does not vanish
		}
		ctx := t.Context()
		const timeout = 2 * time.Second
		relay := storetest.NewRelay(t, h.Source)
		db, err := store.Open(ctx, store.Options{Source: relay.Source, Keys: h.Keys, Timeout: timeout})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		read := func() error { _, err := db.Users().Get(ctx, h.Tenant.ID, h.User.ID); return err }
		write := func() error { return db.Ping(ctx) }

		// Twenty connections, of which ten are idle when it happens.
		var inTx, left, done sync.WaitGroup
		inTx.Add(20)
		left.Add(10)
		all, vanished := make(chan struct{}), make(chan struct{})
		errs := make(chan error, 20)
		for i := range 20 {
			done.Go(func() {
				err := db.InTx(ctx, h.Who, func(tx *store.Tx) error {
					_, err := tx.Users().Get(ctx, h.Tenant.ID, h.User.ID)
					inTx.Done()
					<-all
					if err != nil || i < 10 {
						return err
					}
					<-vanished
					_, err = tx.Users().Get(ctx, h.Tenant.ID, h.User.ID)
					return err
				})
				if i >= 10 {
					errs <- err
					return
				}
				if err != nil {
					t.Error(err)
				}
				left.Done()
			})
		}
		inTx.Wait()
		close(all)
		left.Wait()
		relay.FallSilent()
		close(vanished)
		for range 3 { // find the idle ones
			done.Go(func() { errs <- read() })
		}
		done.Wait()
		close(errs)
		for err := range errs {
			if !errors.Is(err, identity.Unavailable) {
				t.Errorf("%v, want unavailable", err)
			}
		}
		// It is known now, so nobody waits any more: twenty statements take less than
		// half of their deadlines.
		began := time.Now()
		for range 10 {
			if err := errors.Join(read(), write()); !errors.Is(err, identity.Unavailable) {
				t.Errorf("%v, want unavailable", err)
			}
		}
		if took := time.Since(began); took > 10*timeout {
			t.Errorf("twenty statements took %v while the server was known to be silent", took)
		}

		relay.Resume()
		awaitNoError(t, "after it came back", func() error {
			began := time.Now()
			err := read()
			if took := time.Since(began); err != nil && took > timeout/2 {
				t.Errorf("a statement waited %v on a connection from before", took)
			}
			return err
		})
		var again sync.WaitGroup // twenty at once: none of those connections is in the pool
		again.Add(20)
		for range 20 {
			done.Go(func() {
				err := db.InTx(ctx, h.Who, func(tx *store.Tx) error {
					_, err := tx.Users().Get(ctx, h.Tenant.ID, h.User.ID)
					again.Done()
					again.Wait()
					return err
				})
				if err != nil {
					t.Errorf("after it had come back: %v", err)
				}
			})
		}
		done.Wait()
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
