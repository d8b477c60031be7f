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
	Arguments []byte // in clear when written and when leased; sealed in between
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

// Queue puts a message into the outbox. One with the same key against
// duplicates is there already: nothing happens.
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

// due is which messages are to be sent, or given up, at $1.
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

// Lease hands holder up to limit messages that are due, the oldest
// first, for it alone until a time. It serves all tenants: one outbox runs a
// node.
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

// RenewLeases prolongs the leases that holder has.
func (v Outbox) RenewLeases(ctx context.Context, holder string, until time.Time) error {
	_, err := v.tx.exec(ctx, "renew leases of messages", `
		UPDATE outbox SET leased_until = $3
		WHERE leased_by = $1 AND leased_until > $2 AND sent_at IS NULL AND failed_at IS NULL`, holder, at(v.tx.now()), at(until))
	return err
}

// Release ends holder's lease of a message it has not sent.
func (v Outbox) Release(ctx context.Context, m Message, holder string) error {
	_, err := v.tx.exec(ctx, "end lease of message", `
		UPDATE outbox SET leased_until = 0 WHERE tenant_id = $1 AND id = $2 AND leased_by = $3`, m.Tenant, m.ID, holder)
	return err
}

// Sent notes that a message left, and wipes its arguments.
func (v Outbox) Sent(ctx context.Context, m Message) error {
	_, err := v.tx.exec(ctx, "message sent", `
		UPDATE outbox SET sent_at = $3, arguments = NULL, attempts = attempts + 1, last_error = '' WHERE tenant_id = $1 AND id = $2`,
		m.Tenant, m.ID, at(v.tx.now()))
	return err
}

// GiveUp notes that a message will not be sent, and wipes its arguments.
func (v Outbox) GiveUp(ctx context.Context, m Message, why string) error {
	_, err := v.tx.exec(ctx, "message given up", `
		UPDATE outbox SET failed_at = $3, arguments = NULL, last_error = $4 WHERE tenant_id = $1 AND id = $2`,
		m.Tenant, m.ID, at(v.tx.now()), why)
	return err
}

// Postpone notes a failed attempt and when to try again.
func (v Outbox) Postpone(ctx context.Context, m Message, due time.Time, why string) error {
	_, err := v.tx.exec(ctx, "message later", `
		UPDATE outbox SET attempts = attempts + 1, due_at = $3, leased_until = 0, last_error = $4 WHERE tenant_id = $1 AND id = $2`,
		m.Tenant, m.ID, at(due), why)
	return err
}

// Withdraw gives up the message of a key if it has not left, and wipes
// its arguments. One that is being sent at this moment is sent.
func (v Outbox) Withdraw(ctx context.Context, tenant, dedupe, why string) error {
	_, err := v.tx.exec(ctx, "withdraw message", `
		UPDATE outbox SET failed_at = $3, arguments = NULL, last_error = $4
		WHERE tenant_id = $1 AND dedupe = $2 AND sent_at IS NULL AND failed_at IS NULL`, tenant, dedupe, at(v.tx.now()), why)
	return err
}

// Outbox says how the mails of all tenants get on.
type OutboxState struct {
	Waiting int64
	Oldest  time.Time // of those that wait; zero when none does
	GivenUp int64     // since the time asked for
}

// State returns how the outbox stands, and what was given up since a time.
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
