package store

import (
	"context"
	"time"
)

// A NotificationKind is the content of a notification.
type NotificationKind string

const (
	NotifyRequest NotificationKind = "request" // a push request waits
	NotifyEnded   NotificationKind = "ended"   // it has ended, after a notification of it
)

// A Notification is a Web Push notification to be sent to an authenticator.
type Notification struct {
	Tenant        string
	Push          string
	Authenticator string
	Kind          NotificationKind
	ExpiresAt     time.Time // of the request
	Attempts      int64     // failed ones
	Notified      bool      // whether one of the request was sent
}

// NotificationTopic is notified when there are notifications to send.
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

// Queue queues a notification for each authenticator of the user with a subscription.
// Whether it can answer is checked when the notification is sent.
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

// end queues the notifications that a request has ended, except for the authenticator
// that answered it. If none of the request was sent yet, none of its end is. If one
// is just being sent, the other follows it.
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

// notificationDue is the condition that a notification is to be sent at $1. None is
// sent of an expired request.
const notificationDue = `due_at <= $1 AND leased_until <= $1 AND expires_at > $1`

// Due reports whether there is a notification to send.
func (v NotificationReads) Due(ctx context.Context) (bool, error) {
	var n int64
	err := v.r.q.QueryRowContext(ctx, `SELECT COUNT(*) FROM (SELECT 1 FROM push_notifications WHERE `+notificationDue+` LIMIT 1) d`,
		at(v.r.now())).Scan(&n)
	if err != nil {
		return false, notFound("notifications due", err)
	}
	return n > 0, nil
}

// Lease leases at most limit due notifications to holder until a time. It crosses
// tenants: each node has one sender.
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

// Done records that a notification needs nothing more; sent says that it was sent. If
// its request has ended meanwhile, the notification of that stays due.
func (v Notifications) Done(ctx context.Context, n Notification, sent bool) error {
	var sentAt any
	if sent {
		sentAt = at(v.tx.now())
	}
	_, err := v.tx.exec(ctx, "notification done", `
		UPDATE push_notifications SET due_at = CASE WHEN kind = $4 THEN NULL ELSE due_at END, leased_until = 0,
			sent_at = COALESCE(CAST($5 AS BIGINT), sent_at)
		WHERE tenant_id = $1 AND push_id = $2 AND authenticator_id = $3`, n.Tenant, n.Push, n.Authenticator, string(n.Kind), sentAt)
	return err
}

// Postpone records when to try a notification again; failed says that an attempt
// failed.
func (v Notifications) Postpone(ctx context.Context, n Notification, due time.Time, failed bool) error {
	_, err := v.tx.exec(ctx, "notification later", `
		UPDATE push_notifications SET due_at = CASE WHEN kind = $4 THEN CAST($5 AS BIGINT) ELSE due_at END, leased_until = 0,
			attempts = CASE WHEN kind = $4 THEN attempts + $6 ELSE attempts END
		WHERE tenant_id = $1 AND push_id = $2 AND authenticator_id = $3`,
		n.Tenant, n.Push, n.Authenticator, string(n.Kind), at(due), flag(failed))
	return err
}
