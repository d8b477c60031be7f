package store

import (
	"context"
	"time"
)

// A NotificationKind says what a notification tells.
type NotificationKind string

const (
	NotifyRequest NotificationKind = "request" // a push request waits
	NotifyEnded   NotificationKind = "ended"   // it has ended, and was rung before
)

// A Notification is one that is to leave for an authenticator.
type Notification struct {
	Tenant        string
	Push          string
	Authenticator string
	Kind          NotificationKind
	ExpiresAt     time.Time // of the request
	Attempts      int64     // that failed
	Notified      bool      // whether the request was rung
}

// NotificationTopic is woken when there are notifications to send.
const NotificationTopic = "notifications"

// Notifications queues Web Push notifications and hands them to the sender.
type Notifications struct {
	NotificationReads
	tx *Tx
}

// Notifications returns the view; what it writes is part of the transaction.
func (tx *Tx) Notifications() Notifications { return Notifications{tx.Reader.Notifications(), tx} }

// NotificationReads are the reads of [Notifications].
type NotificationReads struct{ r Reader }

// Notifications returns the view for reading.
func (r Reader) Notifications() NotificationReads { return NotificationReads{r} }

// Queue queues one for every authenticator of the user that has a
// subscription. Which of them can answer is looked at when it is sent.
func (v Notifications) Queue(ctx context.Context, p PushRequest) error {
	n, err := v.tx.exec(ctx, "queue notifications", `
		INSERT INTO push_notifications (tenant_id, push_id, authenticator_id, kind, due_at, expires_at)
		SELECT s.tenant_id, $3, s.authenticator_id, 'request', $4, $5
		FROM authenticator_users u JOIN push_subscriptions s ON s.tenant_id = u.tenant_id AND s.authenticator_id = u.authenticator_id
		WHERE u.tenant_id = $1 AND u.user_id = $2`, p.Tenant, p.User, p.ID, at(v.tx.now()), at(p.ExpiresAt))
	if n > 0 {
		v.tx.Notify(NotificationTopic)
	}
	return err
}

// end has the phones told that a request ended, but the one that
// answered it, which knows. One that was never rung has nothing to be told; one
// that is being rung at this moment is told afterwards.
func (v Notifications) end(ctx context.Context, tenant, push, answered string) error {
	n, err := v.tx.exec(ctx, "end notifications", `
		UPDATE push_notifications SET kind = 'ended', attempts = 0,
			due_at = CASE WHEN authenticator_id <> $3 THEN CAST($4 AS BIGINT) END
		WHERE tenant_id = $1 AND push_id = $2`, tenant, push, answered, at(v.tx.now()))
	if n > 0 {
		v.tx.Notify(NotificationTopic)
	}
	return err
}

// notificationDue is which notifications are to be sent at $1. One whose
// request has expired is not: it would ring for nothing.
const notificationDue = `due_at <= $1 AND leased_until <= $1 AND expires_at > $1`

// Due reports whether there is a notification to be sent.
func (v NotificationReads) Due(ctx context.Context) (bool, error) {
	var n int64
	err := v.r.q.QueryRowContext(ctx, `SELECT COUNT(*) FROM (SELECT 1 FROM push_notifications WHERE `+notificationDue+` LIMIT 1) d`,
		at(v.r.now())).Scan(&n)
	if err != nil {
		return false, notFound("notifications due", err)
	}
	return n > 0, nil
}

// Lease hands holder up to limit notifications that are due, for it
// alone until a time. It serves all tenants: one sender runs a node.
func (v Notifications) Lease(ctx context.Context, holder string, until time.Time, limit int) ([]Notification, error) {
	return Collect(list(ctx, v.tx.Reader, "lease notifications", func(row scanner) (n Notification, err error) {
		var sent time.Time
		err = row.Scan(&n.Tenant, &n.Push, &n.Authenticator, &n.Kind, nullTime{&n.ExpiresAt}, &n.Attempts, nullTime{&sent})
		n.Notified = !sent.IsZero()
		return n, err
	}, `
		UPDATE push_notifications SET leased_by = $2, leased_until = $3
		WHERE (tenant_id, push_id, authenticator_id) IN (SELECT tenant_id, push_id, authenticator_id
			FROM push_notifications WHERE `+notificationDue+` ORDER BY due_at LIMIT $4) AND `+notificationDue+`
		RETURNING tenant_id, push_id, authenticator_id, kind, expires_at, attempts, sent_at`, at(v.tx.now()), holder, at(until), limit))
}

// Done notes that there is nothing more to do for a notification;
// rung says that it left. What came up meanwhile, the end of its request, stays
// due.
func (v Notifications) Done(ctx context.Context, n Notification, rung bool) error {
	sent := any(nil)
	if rung {
		sent = at(v.tx.now())
	}
	_, err := v.tx.exec(ctx, "notification done", `
		UPDATE push_notifications SET due_at = CASE WHEN kind = $4 THEN NULL ELSE due_at END, leased_until = 0,
			sent_at = COALESCE(CAST($5 AS BIGINT), sent_at)
		WHERE tenant_id = $1 AND push_id = $2 AND authenticator_id = $3`, n.Tenant, n.Push, n.Authenticator, string(n.Kind), sent)
	return err
}

// Postpone notes when to try a notification again; failed says that
// this was a try.
func (v Notifications) Postpone(ctx context.Context, n Notification, due time.Time, failed bool) error {
	_, err := v.tx.exec(ctx, "notification later", `
		UPDATE push_notifications SET due_at = CASE WHEN kind = $4 THEN CAST($5 AS BIGINT) ELSE due_at END, leased_until = 0,
			attempts = CASE WHEN kind = $4 THEN attempts + $6 ELSE attempts END
		WHERE tenant_id = $1 AND push_id = $2 AND authenticator_id = $3`,
		n.Tenant, n.Push, n.Authenticator, string(n.Kind), at(due), flag(failed))
	return err
}
