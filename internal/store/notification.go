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
	Rung          bool      // whether the request was rung
}

// NotificationTopic is woken when there are notifications to send.
const NotificationTopic = "notifications"

// QueueNotifications queues one for every authenticator of the user that has a
// subscription. Which of them can answer is looked at when it is sent.
func (tx *Tx) QueueNotifications(ctx context.Context, p PushRequest) error {
	n, err := tx.exec(ctx, "queue notifications", `
		INSERT INTO push_notifications (tenant_id, push_id, authenticator_id, kind, due_at, expires_at)
		SELECT s.tenant_id, $3, s.authenticator_id, 'request', $4, $5
		FROM authenticator_users u JOIN push_subscriptions s ON s.tenant_id = u.tenant_id AND s.authenticator_id = u.authenticator_id
		WHERE u.tenant_id = $1 AND u.user_id = $2`, p.Tenant, p.User, p.ID, at(tx.now()), at(p.ExpiresAt))
	if n > 0 {
		tx.Wake(NotificationTopic)
	}
	return err
}

// endNotifications has the phones told that a request ended, but the one that
// answered it, which knows. One that was never rung has nothing to be told; one
// that is being rung at this moment is told afterwards.
func (tx *Tx) endNotifications(ctx context.Context, tenant, push, answered string) error {
	n, err := tx.exec(ctx, "end notifications", `
		UPDATE push_notifications SET kind = 'ended', attempts = 0,
			due_at = CASE WHEN authenticator_id <> $3 THEN CAST($4 AS BIGINT) END
		WHERE tenant_id = $1 AND push_id = $2`, tenant, push, answered, at(tx.now()))
	if n > 0 {
		tx.Wake(NotificationTopic)
	}
	return err
}

// notificationDue is which notifications are to be sent at $1. One whose
// request has expired is not: it would ring for nothing.
const notificationDue = `due_at <= $1 AND leased_until <= $1 AND expires_at > $1`

// NotificationsDue reports whether there is a notification to be sent.
func (r reader) NotificationsDue(ctx context.Context) (bool, error) {
	var n int64
	err := r.q.QueryRowContext(ctx, `SELECT COUNT(*) FROM (SELECT 1 FROM push_notifications WHERE `+notificationDue+` LIMIT 1) d`,
		at(r.now())).Scan(&n)
	if err != nil {
		return false, missing("notifications due", err)
	}
	return n > 0, nil
}

// LeaseNotifications hands holder up to limit notifications that are due, for it
// alone until a time. It serves all tenants: one sender runs a node.
func (tx *Tx) LeaseNotifications(ctx context.Context, holder string, until time.Time, limit int) ([]Notification, error) {
	return Collect(list(ctx, tx.reader, "lease notifications", func(row scanner) (n Notification, err error) {
		var sent time.Time
		err = row.Scan(&n.Tenant, &n.Push, &n.Authenticator, &n.Kind, moment{&n.ExpiresAt}, &n.Attempts, moment{&sent})
		n.Rung = !sent.IsZero()
		return n, err
	}, `
		UPDATE push_notifications SET leased_by = $2, leased_until = $3
		WHERE (tenant_id, push_id, authenticator_id) IN (SELECT tenant_id, push_id, authenticator_id
			FROM push_notifications WHERE `+notificationDue+` ORDER BY due_at LIMIT $4) AND `+notificationDue+`
		RETURNING tenant_id, push_id, authenticator_id, kind, expires_at, attempts, sent_at`, at(tx.now()), holder, at(until), limit))
}

// NotificationDone notes that there is nothing more to do for a notification;
// rung says that it left. What came up meanwhile, the end of its request, stays
// due.
func (tx *Tx) NotificationDone(ctx context.Context, n Notification, rung bool) error {
	sent := any(nil)
	if rung {
		sent = at(tx.now())
	}
	_, err := tx.exec(ctx, "notification done", `
		UPDATE push_notifications SET due_at = CASE WHEN kind = $4 THEN NULL ELSE due_at END, leased_until = 0,
			sent_at = COALESCE(CAST($5 AS BIGINT), sent_at)
		WHERE tenant_id = $1 AND push_id = $2 AND authenticator_id = $3`, n.Tenant, n.Push, n.Authenticator, string(n.Kind), sent)
	return err
}

// NotificationLater notes when to try a notification again; failed says that
// this was a try.
func (tx *Tx) NotificationLater(ctx context.Context, n Notification, due time.Time, failed bool) error {
	_, err := tx.exec(ctx, "notification later", `
		UPDATE push_notifications SET due_at = CASE WHEN kind = $4 THEN CAST($5 AS BIGINT) ELSE due_at END, leased_until = 0,
			attempts = CASE WHEN kind = $4 THEN attempts + $6 ELSE attempts END
		WHERE tenant_id = $1 AND push_id = $2 AND authenticator_id = $3`,
		n.Tenant, n.Push, n.Authenticator, string(n.Kind), at(due), flag(failed))
	return err
}
