package store

import (
	"context"
	"slices"
	"time"
)

// A Message is a row of the outbox.
type Message struct {
	Tenant    string
	ID        string
	Kind      string
	Recipient string
	Language  string
	Arguments []byte // plain when queued and when leased; sealed in the table
	Dedupe    string
	MessageID string
	CreatedAt time.Time
	ExpiresAt time.Time
	Attempts  int64
}

func messagePlace(tenant, id string) Place {
	return Place{Tenant: tenant, Table: "outbox", Column: "arguments", Row: id}
}

// Outbox queues mails and hands them to the sender.
type Outbox struct {
	OutboxReads
	tx *Tx
}

// Outbox returns the view; what it writes is part of the transaction.
func (tx *Tx) Outbox() Outbox { return Outbox{tx.Reader.Outbox(), tx} }

// OutboxReads are the reads of [Outbox].
type OutboxReads struct{ r Reader }

// Outbox returns the view for reading.
func (r Reader) Outbox() OutboxReads { return OutboxReads{r} }

// Queue adds a message to the outbox, unless one with the same deduplication key was
// queued before.
func (v Outbox) Queue(ctx context.Context, m Message) error {
	sealed, err := v.tx.Seal(ctx, messagePlace(m.Tenant, m.ID), m.Arguments)
	if err != nil {
		return err
	}
	_, err = v.tx.exec(ctx, "queue message", `
		INSERT INTO outbox (tenant_id, id, kind, recipient, language, arguments, dedupe, message_id, created_at, due_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10) ON CONFLICT DO NOTHING`,
		m.Tenant, m.ID, m.Kind, m.Recipient, m.Language, sealed, m.Dedupe, m.MessageID, at(v.tx.now()), at(m.ExpiresAt))
	v.tx.Notify(OutboxTopic)
	return err
}

// due is the condition that a message is to be sent, or given up, at $1.
const due = `sent_at IS NULL AND failed_at IS NULL AND leased_until <= $1 AND (due_at <= $1 OR expires_at <= $1)`

// Due reports whether there is a message to be sent or given up.
func (v OutboxReads) Due(ctx context.Context) (bool, error) {
	var n int64
	err := v.r.q.QueryRowContext(ctx, `SELECT COUNT(*) FROM (SELECT 1 FROM outbox WHERE `+due+` LIMIT 1) d`, at(v.r.now())).Scan(&n)
	if err != nil {
		return false, notFound("messages due", err)
	}
	return n > 0, nil
}

// Lease leases at most limit due messages, oldest first, to holder until a time. It
// crosses tenants: each node has one sender.
func (v Outbox) Lease(ctx context.Context, holder string, until time.Time, limit int) ([]Message, error) {
	leased, err := Collect(list(ctx, v.tx.Reader, "lease messages", func(row scanner) (m Message, err error) {
		return m, row.Scan(&m.Tenant, &m.ID, &m.Kind, &m.Recipient, &m.Language, &m.Arguments, &m.Dedupe, &m.MessageID,
			nullTime{&m.CreatedAt}, nullTime{&m.ExpiresAt}, &m.Attempts)
	}, `
		UPDATE outbox SET leased_by = $2, leased_until = $3
		WHERE (tenant_id, id) IN (SELECT tenant_id, id FROM outbox WHERE `+due+` ORDER BY created_at LIMIT $4) AND `+due+`
		RETURNING tenant_id, id, kind, recipient, language, arguments, dedupe, message_id, created_at, expires_at, attempts`,
		at(v.tx.now()), holder, at(until), limit))
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(leased, func(a, b Message) int { return a.CreatedAt.Compare(b.CreatedAt) })
	for i, m := range leased {
		if leased[i].Arguments, err = v.tx.Unseal(ctx, messagePlace(m.Tenant, m.ID), m.Arguments); err != nil {
			return nil, err
		}
	}
	return leased, nil
}

// RenewLeases extends the leases of holder.
func (v Outbox) RenewLeases(ctx context.Context, holder string, until time.Time) error {
	_, err := v.tx.exec(ctx, "renew leases of messages", `
		UPDATE outbox SET leased_until = $3
		WHERE leased_by = $1 AND leased_until > $2 AND sent_at IS NULL AND failed_at IS NULL`, holder, at(v.tx.now()), at(until))
	return err
}

// Release ends the lease by holder of a message that it has not sent.
func (v Outbox) Release(ctx context.Context, m Message, holder string) error {
	_, err := v.tx.exec(ctx, "end lease of message", `
		UPDATE outbox SET leased_until = 0 WHERE tenant_id = $1 AND id = $2 AND leased_by = $3`, m.Tenant, m.ID, holder)
	return err
}

// Sent records that a message was sent, and erases its arguments.
func (v Outbox) Sent(ctx context.Context, m Message) error {
	_, err := v.tx.exec(ctx, "message sent", `
		UPDATE outbox SET sent_at = $3, arguments = NULL, attempts = attempts + 1, last_error = '' WHERE tenant_id = $1 AND id = $2`,
		m.Tenant, m.ID, at(v.tx.now()))
	return err
}

// GiveUp records that a message will not be sent, and erases its arguments.
func (v Outbox) GiveUp(ctx context.Context, m Message, why string) error {
	_, err := v.tx.exec(ctx, "message given up", `
		UPDATE outbox SET failed_at = $3, arguments = NULL, last_error = $4 WHERE tenant_id = $1 AND id = $2`,
		m.Tenant, m.ID, at(v.tx.now()), why)
	return err
}

// Postpone records a failed attempt, and when to try again.
func (v Outbox) Postpone(ctx context.Context, m Message, due time.Time, why string) error {
	_, err := v.tx.exec(ctx, "message later", `
		UPDATE outbox SET attempts = attempts + 1, due_at = $3, leased_until = 0, last_error = $4 WHERE tenant_id = $1 AND id = $2`,
		m.Tenant, m.ID, at(due), why)
	return err
}

// Withdraw gives up the message of a deduplication key if it was not sent yet, and
// erases its arguments. One that is just being sent is sent.
func (v Outbox) Withdraw(ctx context.Context, tenant, dedupe, why string) error {
	_, err := v.tx.exec(ctx, "withdraw message", `
		UPDATE outbox SET failed_at = $3, arguments = NULL, last_error = $4
		WHERE tenant_id = $1 AND dedupe = $2 AND sent_at IS NULL AND failed_at IS NULL`, tenant, dedupe, at(v.tx.now()), why)
	return err
}

// OutboxState is the state of the outbox of all tenants.
type OutboxState struct {
	Waiting int64
	Oldest  time.Time // of the waiting ones; zero if there are none
	GivenUp int64     // since the given time
}

// State returns the state of the outbox. GivenUp is counted from since on.
func (v OutboxReads) State(ctx context.Context, since time.Time) (o OutboxState, err error) {
	err = v.r.q.QueryRowContext(ctx, `
		SELECT COUNT(*), MIN(created_at) FROM outbox WHERE sent_at IS NULL AND failed_at IS NULL`).Scan(&o.Waiting, nullTime{&o.Oldest})
	if err == nil {
		err = v.r.q.QueryRowContext(ctx, `SELECT COUNT(*) FROM outbox WHERE failed_at >= $1`, at(since)).Scan(&o.GivenUp)
	}
	if err != nil {
		return o, notFound("outbox", err)
	}
	return o, nil
}
