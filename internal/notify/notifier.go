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
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/webpush"
	"github.com/latchkey-id/latchkey/locales"
)

// A Notifier sends the notifications that are due. It may be used by several
// goroutines at once.
type Notifier struct {
	DB       *store.DB
	Client   *outbound.Client
	Disabled bool             // nothing is sent, and apps are not offered to subscribe
	Services webpush.Services // push services that may be called
	Catalog  *locales.Catalog
	Base     string // the origin of the web authenticator
	Contact  string // mailto: or https: address for complaints of push services
	Log      *slog.Logger
	Node     string // name of this node, for the leases

	tokens tokens
}

const (
	// maxConcurrent is the number of notifications sent at the same time. A slow
	// push service delays at most this many, and each for at most sendTimeout.
	maxConcurrent = 32
	sendTimeout   = 5 * time.Second  // for one request to a push service
	leaseDuration = 15 * time.Second // then another node takes over the notifications of a crashed one
	pollInterval  = 2 * time.Second  // in case a wake-up is lost

	minRetryDelay = time.Second // before the first retry; doubled for each further one
	maxRetryDelay = 15 * time.Second
)

// system is the principal of the notifier. Its name is stored as the actor of events.
var system = identity.Principal{Kind: identity.System, Name: "doorbell"}

// Run sends notifications until ctx ends. It returns when notifications in progress
// have been sent or made available to other nodes.
func (nt *Notifier) Run(ctx context.Context) {
	woken, stop := nt.DB.Subscribe(store.NotificationTopic)
	defer stop()
	var work sync.WaitGroup
	defer work.Wait()
	free := make(chan struct{}, maxConcurrent)
	for range maxConcurrent {
		free <- struct{}{}
	}
	for {
		taken, err := nt.dispatch(ctx, free, &work)
		if err != nil && ctx.Err() == nil {
			nt.Log.ErrorContext(ctx, "notifications", "err", err)
		}
		if taken > 0 && err == nil {
			continue // there may be more
		}
		select {
		case <-ctx.Done():
			return
		case <-woken:
		case <-time.After(pollInterval):
		}
	}
}

// dispatch leases as many notifications as there are free slots, waiting for at
// least one, and starts to send them.
func (nt *Notifier) dispatch(ctx context.Context, free chan struct{}, work *sync.WaitGroup) (int, error) {
	slots := 0
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-free:
		slots = 1 + len(free) // no other goroutine takes slots
	}
	release := func(n int) {
		for range n {
			free <- struct{}{}
		}
	}
	for range slots - 1 {
		<-free
	}
	// This query takes no write lock, so an idle node never takes one.
	if due, err := nt.DB.Notifications().Due(ctx); err != nil || !due {
		release(slots)
		return 0, err
	}
	var due []store.Notification
	err := nt.DB.InTx(ctx, system, func(tx *store.Tx) (err error) {
		due, err = tx.Notifications().Lease(ctx, nt.Node, tx.Now().Add(leaseDuration), slots)
		return err
	})
	if err != nil {
		release(slots)
		return 0, err
	}
	release(slots - len(due))
	for _, n := range due {
		work.Go(func() {
			defer release(1)
			if err := nt.attempt(ctx, n); err != nil && ctx.Err() == nil {
				nt.Log.ErrorContext(ctx, "notification", "authenticator", n.Authenticator, "err", err)
			}
		})
	}
	return len(due), nil
}

// attempt sends one notification, if it is still to be sent, and records the
// result.
func (nt *Notifier) attempt(ctx context.Context, n store.Notification) error {
	l, err := nt.prepare(ctx, n)
	if err != nil {
		return err // the lease expires and the notification is tried again
	}
	// Results are recorded even during shutdown. Otherwise the notification would be
	// sent again.
	detached := context.WithoutCancel(ctx)
	if l == nil {
		return nt.DB.InTx(detached, system, func(tx *store.Tx) error { return tx.Notifications().Done(detached, n, false) })
	}
	sent, err := nt.send(ctx, *l)
	if err != nil {
		return err
	}
	if ctx.Err() != nil && sent.failure != "" {
		return nt.DB.InTx(detached, system, func(tx *store.Tx) error { return tx.Notifications().Postpone(detached, n, tx.Now(), false) })
	}
	return nt.DB.InTx(detached, system, func(tx *store.Tx) error {
		if err := nt.recordResult(detached, tx, l.subscription, sent); err != nil {
			return err
		}
		pause := max(sent.after, min(minRetryDelay<<min(n.Attempts, 10), maxRetryDelay))
		if sent.again && tx.Now().Add(pause).Before(n.ExpiresAt) {
			return tx.Notifications().Postpone(detached, n, tx.Now().Add(pause), true)
		}
		return tx.Notifications().Done(detached, n, sent.failure == "")
	})
}

// recordResult stores the result of a message with its subscription. It ends a
// subscription that the push service no longer knows.
func (nt *Notifier) recordResult(ctx context.Context, tx *store.Tx, s store.PushSubscription, sent result) error {
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
	return recordChange(ctx, tx, a, "subscription gone")
}

// prepare returns the message for a notification and where to send it, or nil if
// there is no longer anything to send.
func (nt *Notifier) prepare(ctx context.Context, n store.Notification) (*outgoing, error) {
	if nt.Disabled || n.Kind == store.NotifyEnded && !n.Notified {
		return nil, nil
	}
	s, err := nt.DB.Subscriptions().Get(ctx, n.Tenant, n.Authenticator)
	if errors.Is(err, identity.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	p, err := nt.DB.Push().Get(ctx, n.Tenant, n.Push)
	if err != nil {
		return nil, err
	}
	a, err := nt.DB.Authenticators().Get(ctx, n.Tenant, n.Authenticator)
	if err != nil {
		return nil, err
	}
	over := !p.EndedAt.IsZero() || !nt.DB.Now().Before(p.ExpiresAt)
	switch {
	case n.Kind == store.NotifyEnded && !webpush.AllowsSilent(s.Host), n.Kind == store.NotifyRequest && over:
		return nil, nil
	case n.Kind == store.NotifyRequest:
		reaches, err := nt.reaches(ctx, a, p)
		if err != nil || !reaches {
			return nil, err
		}
	}
	l := &outgoing{subscription: s, topic: topic("request", a.ID), expires: p.ExpiresAt}
	l.message, err = nt.requestMessage(ctx, n.Kind, p, a)
	return l, err
}

// reaches reports whether a request can be answered on an authenticator under the
// present policy (PUSH-6, PUSH-22).
func (nt *Notifier) reaches(ctx context.Context, a identity.Authenticator, p store.PushRequest) (bool, error) {
	row, err := nt.DB.Policies().Get(ctx, a.Tenant, policy.KindPlatforms)
	if err != nil {
		return false, err
	}
	platforms, err := policy.Read[policy.Platforms](row.Document)
	return err == nil && policy.Reaches(a, platforms, p.Presence, nt.DB.Now()), err
}
