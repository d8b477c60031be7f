package store

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/webpush"
)

// A PushSubscription is the Web Push subscription of an authenticator in a browser.
type PushSubscription struct {
	Tenant        string
	Authenticator string
	Host          string // of the push service
	CreatedAt     time.Time
	SentAt        time.Time // when the push service last accepted a message
	FailedAt      time.Time // when it last refused one; zero after it has accepted one again
	Failure       string    // why, as a machine word

	endpoint, p256dh, auth []byte // endpoint and auth are sealed
}

func endpointPlace(tenant, id string) Place {
	return Place{Tenant: tenant, Table: "push_subscriptions", Column: "endpoint", Row: id}
}

func authPlace(tenant, id string) Place {
	return Place{Tenant: tenant, Table: "push_subscriptions", Column: "auth", Row: id}
}

// Subscriptions reads and writes the Web Push subscriptions of authenticators.
type Subscriptions struct {
	SubscriptionReads
	tx *Tx
}

// Subscriptions returns the view; what it writes is part of the transaction.
func (tx *Tx) Subscriptions() Subscriptions { return Subscriptions{tx.Reader.Subscriptions(), tx} }

// SubscriptionReads are the reads of [Subscriptions].
type SubscriptionReads struct{ r Reader }

// Subscriptions returns the view for reading.
func (r Reader) Subscriptions() SubscriptionReads { return SubscriptionReads{r} }

// Get returns the subscription of an authenticator. If there is none, it returns a
// NotFound.
func (v SubscriptionReads) Get(ctx context.Context, tenant, authenticator string) (p PushSubscription, err error) {
	err = v.r.q.QueryRowContext(ctx, `
		SELECT tenant_id, authenticator_id, host, endpoint, p256dh, auth, created_at, sent_at, failed_at, failure
		FROM push_subscriptions WHERE tenant_id = $1 AND authenticator_id = $2`, tenant, authenticator).Scan(&p.Tenant, &p.Authenticator,
		&p.Host, &p.endpoint, &p.p256dh, &p.auth, nullTime{&p.CreatedAt}, nullTime{&p.SentAt}, nullTime{&p.FailedAt}, &p.Failure)
	if err != nil {
		return p, notFound("push subscription of "+authenticator, err)
	}
	return p, nil
}

// Unseal decrypts a subscription.
func (v SubscriptionReads) Unseal(ctx context.Context, p PushSubscription) (webpush.Subscription, error) {
	endpoint, err := v.r.Unseal(ctx, endpointPlace(p.Tenant, p.Authenticator), p.endpoint)
	if err != nil {
		return webpush.Subscription{}, err
	}
	auth, err := v.r.Unseal(ctx, authPlace(p.Tenant, p.Authenticator), p.auth)
	return webpush.Subscription{Endpoint: string(endpoint), P256DH: p.p256dh, Auth: auth}, err
}

// Set stores the subscription of an authenticator in place of an earlier one, and
// reports whether that changed anything: an app may send the same at each start.
func (v Subscriptions) Set(ctx context.Context, tenant, authenticator string, s webpush.Subscription) (bool, error) {
	has, err := v.Get(ctx, tenant, authenticator)
	if err != nil && !errors.Is(err, identity.NotFound) {
		return false, err
	}
	if err == nil && has.Failure == "" {
		old, err := v.Unseal(ctx, has)
		if err != nil {
			return false, err
		}
		if old.Equal(s) {
			return false, nil
		}
	}
	endpoint, err := v.tx.Seal(ctx, endpointPlace(tenant, authenticator), []byte(s.Endpoint))
	if err != nil {
		return false, err
	}
	auth, err := v.tx.Seal(ctx, authPlace(tenant, authenticator), s.Auth)
	if err != nil {
		return false, err
	}
	_, err = v.tx.exec(ctx, "subscribe "+authenticator, `
		INSERT INTO push_subscriptions (tenant_id, authenticator_id, host, endpoint, p256dh, auth, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (tenant_id, authenticator_id) DO UPDATE SET host = excluded.host, endpoint = excluded.endpoint,
			p256dh = excluded.p256dh, auth = excluded.auth, created_at = excluded.created_at, sent_at = NULL, failed_at = NULL, failure = ''`,
		tenant, authenticator, s.Host(), endpoint, s.P256DH, auth, at(v.tx.now()))
	return err == nil, err
}

// Remove deletes the subscription of an authenticator, and reports whether there was
// one.
func (v Subscriptions) Remove(ctx context.Context, tenant, authenticator string) (bool, error) {
	n, err := v.tx.exec(ctx, "unsubscribe "+authenticator, `
		DELETE FROM push_subscriptions WHERE tenant_id = $1 AND authenticator_id = $2`, tenant, authenticator)
	return n == 1, err
}

// Gone deletes a subscription that its push service no longer knows, unless it was
// replaced meanwhile. It reports whether it did.
func (v Subscriptions) Gone(ctx context.Context, p PushSubscription) (bool, error) {
	n, err := v.tx.exec(ctx, "subscription gone", `
		DELETE FROM push_subscriptions WHERE tenant_id = $1 AND authenticator_id = $2 AND endpoint = $3`,
		p.Tenant, p.Authenticator, p.endpoint)
	return n == 1, err
}

// Served records that the push service accepted a message or, if failure is not
// empty, why it did not.
func (v Subscriptions) Served(ctx context.Context, p PushSubscription, failure string) error {
	query := `UPDATE push_subscriptions SET sent_at = $4, failed_at = NULL, failure = ''
		WHERE tenant_id = $1 AND authenticator_id = $2 AND endpoint = $3`
	args := []any{p.Tenant, p.Authenticator, p.endpoint, at(v.tx.now())}
	if failure != "" {
		query = `UPDATE push_subscriptions SET failed_at = $4, failure = $5
			WHERE tenant_id = $1 AND authenticator_id = $2 AND endpoint = $3`
		args = append(args, failure)
	}
	_, err := v.tx.exec(ctx, "subscription served", query, args...)
	return err
}

// A PushHost is a push service with subscriptions.
type PushHost struct {
	Host          string
	Subscriptions int64
	Failing       int64 // of which it refused the last message
}

// Hosts yields the push services that are in use, the most used first. It crosses
// tenants, for questions about the server.
func (v SubscriptionReads) Hosts(ctx context.Context) iter.Seq2[PushHost, error] {
	return list(ctx, v.r, "push hosts", func(row scanner) (h PushHost, err error) {
		return h, row.Scan(&h.Host, &h.Subscriptions, &h.Failing)
	}, `SELECT host, COUNT(*), COUNT(failed_at) FROM push_subscriptions GROUP BY host ORDER BY 2 DESC, 1`)
}
