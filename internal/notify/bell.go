package notify

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/outbound"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/push"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/webpush"
	"github.com/latchkey-id/latchkey/locales"
)

// A Bell rings. It may be used by several goroutines at once.
type Bell struct {
	DB       *store.DB
	Client   *outbound.Client
	Off      bool             // no browser is rung, and none told that it could be
	Services webpush.Services // that may be called
	Catalog  *locales.Catalog
	Base     string // the origin of the web authenticator
	Contact  string // mailto: or https: address by which push services may complain
	Log      *slog.Logger
	Node     string // name of this node, for the leases

	tokens tokens
}

const (
	// most notifications leave at once. A push service that answers slowly holds
	// up so many at most, and each for no longer than patience.
	most      = 32
	patience  = 5 * time.Second  // with a push service
	leaseLife = 15 * time.Second // what a node that died held, another takes on after this
	slowPoll  = 2 * time.Second  // behind the wake-ups

	firstPause = time.Second // before a second try, and twice as long each time
	mostPause  = 15 * time.Second
)

var system = identity.Principal{Kind: identity.System, Name: "doorbell"}

// Run rings until ctx ends, and returns when what was under way has been given
// back.
func (b *Bell) Run(ctx context.Context) {
	woken, stop := b.DB.Subscribe(store.NotificationTopic)
	defer stop()
	var work sync.WaitGroup
	defer work.Wait()
	free := make(chan struct{}, most)
	for range most {
		free <- struct{}{}
	}
	for {
		taken, err := b.take(ctx, free, &work)
		if err != nil && ctx.Err() == nil {
			b.Log.ErrorContext(ctx, "notifications", "err", err)
		}
		if taken > 0 && err == nil {
			continue // there may be more
		}
		select {
		case <-ctx.Done():
			return
		case <-woken:
		case <-time.After(slowPoll):
		}
	}
}

// Flush makes one attempt at each notification that is due, a batch at most,
// and reports how many it took on.
func (b *Bell) Flush(ctx context.Context) (int, error) {
	free := make(chan struct{}, most)
	for range most {
		free <- struct{}{}
	}
	var work sync.WaitGroup
	defer work.Wait()
	return b.take(ctx, free, &work)
}

// take leases as many notifications as there are free hands, at least one, and
// has each sent by one.
func (b *Bell) take(ctx context.Context, free chan struct{}, work *sync.WaitGroup) (int, error) {
	hands := 0
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-free:
		hands = 1 + len(free) // nobody else takes any
	}
	release := func(n int) {
		for range n {
			free <- struct{}{}
		}
	}
	for range hands - 1 {
		<-free
	}
	// Looking takes no lock; with nothing to do, none is taken.
	if due, err := b.DB.Notifications().Due(ctx); err != nil || !due {
		release(hands)
		return 0, err
	}
	var due []store.Notification
	err := b.DB.InTx(ctx, system, func(tx *store.Tx) (err error) {
		due, err = tx.Notifications().Lease(ctx, b.Node, tx.Now().Add(leaseLife), hands)
		return err
	})
	if err != nil {
		release(hands)
		return 0, err
	}
	release(hands - len(due))
	for _, n := range due {
		work.Go(func() {
			defer release(1)
			if err := b.attempt(ctx, n); err != nil && ctx.Err() == nil {
				b.Log.ErrorContext(ctx, "notification", "authenticator", n.Authenticator, "err", err)
			}
		})
	}
	return len(due), nil
}

// attempt rings one authenticator, if that is still to be done, and notes what
// came of it.
func (b *Bell) attempt(ctx context.Context, n store.Notification) error {
	l, err := b.occasion(ctx, n)
	if err != nil {
		return err // the lease runs out, and another try is made
	}
	// What is noted is noted even while shutting down, or it would be sent again.
	noting := context.WithoutCancel(ctx)
	if l == nil {
		return b.DB.InTx(noting, system, func(tx *store.Tx) error { return tx.Notifications().Done(noting, n, false) })
	}
	sent, err := b.send(ctx, *l)
	if err != nil {
		return err
	}
	if ctx.Err() != nil && sent.failure != "" {
		return b.DB.InTx(noting, system, func(tx *store.Tx) error { return tx.Notifications().Postpone(noting, n, tx.Now(), false) })
	}
	return b.DB.InTx(noting, system, func(tx *store.Tx) error {
		if err := b.note(noting, tx, l.subscription, sent); err != nil {
			return err
		}
		pause := max(sent.after, min(firstPause<<min(n.Attempts, 10), mostPause))
		if sent.again && tx.Now().Add(pause).Before(n.ExpiresAt) {
			return tx.Notifications().Postpone(noting, n, tx.Now().Add(pause), true)
		}
		return tx.Notifications().Done(noting, n, sent.failure == "")
	})
}

// note keeps with a subscription what came of a message to it. One that its
// push service no longer knows ends.
func (b *Bell) note(ctx context.Context, tx *store.Tx, s store.PushSubscription, sent result) error {
	if sent.failure != Gone {
		return tx.Subscriptions().Served(ctx, s, string(sent.failure))
	}
	gone, err := tx.Subscriptions().Gone(ctx, s)
	if err != nil || !gone {
		return err
	}
	a, err := tx.Authenticators().Get(ctx, s.Tenant, s.Authenticator)
	if err != nil {
		return err
	}
	return changed(ctx, tx, a, "subscription gone")
}

// occasion is what a notification is to say, and to whom; nil if there is
// nothing to say any more.
func (b *Bell) occasion(ctx context.Context, n store.Notification) (*letter, error) {
	if b.Off || n.Kind == store.NotifyEnded && !n.Notified {
		return nil, nil
	}
	s, err := b.DB.Subscriptions().Get(ctx, n.Tenant, n.Authenticator)
	if errors.Is(err, identity.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	p, err := b.DB.Push().Get(ctx, n.Tenant, n.Push)
	if err != nil {
		return nil, err
	}
	a, err := b.DB.Authenticators().Get(ctx, n.Tenant, n.Authenticator)
	if err != nil {
		return nil, err
	}
	over := !p.EndedAt.IsZero() || !b.DB.Now().Before(p.ExpiresAt)
	switch {
	case n.Kind == store.NotifyEnded && !webpush.AllowsSilent(s.Host), n.Kind == store.NotifyRequest && over:
		return nil, nil
	case n.Kind == store.NotifyRequest:
		reaches, err := b.reaches(ctx, a, p)
		if err != nil || !reaches {
			return nil, err
		}
	}
	l := &letter{subscription: s, topic: topic("request", a.ID), expires: p.ExpiresAt}
	l.message, err = b.announce(ctx, n.Kind, p, a)
	return l, err
}

// reaches reports whether a request can be answered on an authenticator as
// policy stands now (PUSH-6, PUSH-22).
func (b *Bell) reaches(ctx context.Context, a identity.Authenticator, p store.PushRequest) (bool, error) {
	row, err := b.DB.Policies().Get(ctx, a.Tenant, policy.KindPlatforms)
	if err != nil {
		return false, err
	}
	platforms, err := policy.Read[policy.Platforms](row.Document)
	return err == nil && push.Reaches(a, platforms, p.Presence, b.DB.Now()), err
}
