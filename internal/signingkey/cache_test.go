package signingkey

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// holdConnections takes every connection of the database's pool, so that each
// further read waits until they are given back.
func holdConnections(t *testing.T, h *storetest.Fixture) (release func()) {
	t.Helper()
	second := identity.Tenant{ID: identity.NewID(identity.TenantID), Slug: "second", Name: "Second"}
	h.Do(t, func(tx *store.Tx) error { return tx.Tenants().Add(t.Context(), second) })
	var stops []func()
	for {
		// A listing stopped after its first row of two keeps its connection. Once
		// there is none left, the next one waits.
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		next, stop := iter.Pull2(h.DB.Tenants().All(context.WithoutCancel(ctx)))
		got := make(chan bool, 1)
		go func() {
			_, err, ok := next()
			got <- ok && err == nil
		}()
		select {
		case <-got:
			cancel()
			stops = append(stops, stop)
		case <-ctx.Done():
			cancel()
			return func() {
				for _, stop := range stops {
					stop()
				}
				<-got
				stop()
			}
		}
		if len(stops) > 100 {
			t.Fatal("the pool has no end")
		}
	}
}

// A read of the database that waits keeps no one from keys that are remembered.
// Fails with the mutex of Cache held over its read.
func TestCache_KeysRememberedDoNotWaitForARead(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		h.Do(t, func(tx *store.Tx) error { return Make(t.Context(), tx, h.Tenant) })
		cache := &Cache{DB: h.DB}
		if _, err := cache.All(t.Context(), h.Tenant.ID, identity.OIDC); err != nil {
			t.Fatal(err)
		}
		release := holdConnections(t, h)
		var wg sync.WaitGroup
		results := make([][]Key, 10)
		for i := range results {
			wg.Go(func() {
				var err error
				if results[i], err = cache.All(t.Context(), h.Tenant.ID, identity.SAML); err != nil || len(results[i]) != 1 {
					t.Errorf("a read that waited: %d keys, %v", len(results[i]), err)
				}
			})
		}
		impatient, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := cache.All(impatient, h.Tenant.ID, identity.SAML); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a caller who leaves: %v", err)
		}
		remembered := make(chan error, 1)
		go func() {
			_, err := cache.Newest(t.Context(), h.Tenant.ID, identity.OIDC, ES256)
			remembered <- err
		}()
		select {
		case err := <-remembered:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(5 * time.Second):
			t.Error("a key that is remembered waits for the read of another")
		}
		release()
		wg.Wait()
		for _, keys := range results {
			if len(keys) == 1 && keys[0].Signer != results[0][0].Signer {
				t.Error("the same keys were read and opened twice")
			}
		}
	})
}

// A tenant's keys are remembered for a minute, and no longer.
func TestCache_RemembersAMinute(t *testing.T) {
	h := storetest.SQLite(t)
	cache := &Cache{DB: h.DB}
	count := func() int {
		t.Helper()
		keys, err := cache.All(t.Context(), h.Tenant.ID, identity.OIDC)
		if err != nil {
			t.Fatal(err)
		}
		return len(keys)
	}
	if n := count(); n != 0 {
		t.Fatalf("%d keys before any was made", n)
	}
	h.Do(t, func(tx *store.Tx) error { return Make(t.Context(), tx, h.Tenant) })
	h.Clock.Advance(cacheLife - time.Second)
	if n := count(); n != 0 {
		t.Errorf("%d keys within the minute, want what is remembered", n)
	}
	h.Clock.Advance(time.Second)
	if n := count(); n != 2 {
		t.Errorf("%d keys after a minute, want 2", n)
	}
}

// What is published is a second old at most, though another node made it: an application
// that meets a key it does not know asks for it at once. Fails with the life of a minute.
func TestCache_PublishesWhatAnotherNodeMade(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		one, other := &Cache{DB: h.DB}, &Cache{DB: h.DB}
		h.Do(t, func(tx *store.Tx) error { return Make(t.Context(), tx, h.Tenant) })
		for _, cache := range []*Cache{one, other} {
			if _, err := cache.Newest(t.Context(), h.Tenant.ID, identity.OIDC, EdDSA); err == nil {
				t.Fatal("there is a key that nobody wanted")
			}
		}
		for range 2 { // the second finds what the first made
			h.Do(t, func(tx *store.Tx) error { return Ensure(t.Context(), tx, h.Tenant.ID, EdDSA) })
		}
		made, err := one.Newest(t.Context(), h.Tenant.ID, identity.OIDC, EdDSA)
		if err != nil {
			t.Fatal(err)
		}
		h.Clock.Advance(time.Second)
		all, err := other.Published(t.Context(), h.Tenant.ID, identity.OIDC)
		if err != nil || len(all) != 3 || !slices.ContainsFunc(all, func(k Key) bool { return k.ID == made.ID }) {
			t.Errorf("published by the other node: %d keys, %v; want 3, and the new one among them", len(all), err)
		}
	})
}
