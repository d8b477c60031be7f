package store

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
)

// Event records what the transaction did. If it cannot be recorded, the
// transaction must fail: nothing happens here that leaves no trace.
func (tx *Tx) Event(ctx context.Context, e audit.Event) error {
	if !audit.Kinds[e.Kind] {
		return fmt.Errorf("store: %q is no kind of event", e.Kind)
	}
	if e.Tenant == "" {
		e.Tenant = tx.who.Tenant
	}
	if e.Personal == nil {
		e.Personal = map[string]string{}
	}
	if tx.who.Name != "" {
		e.Personal["actor"] = tx.who.Name
	}
	if tx.who.IP != "" {
		e.Personal["ip"] = tx.who.IP
	}
	salt, personal, err := e.Salted()
	if err != nil {
		return err
	}
	data, err := json.Marshal(e.Data)
	if err != nil {
		return fmt.Errorf("store: event %s: %w", e.Kind, err)
	}
	_, err = tx.exec(ctx, "event "+string(e.Kind), `
		INSERT INTO events (tenant_id, id, at_ms, kind, actor_kind, actor_id, user_id, application_id,
			authenticator_id, journey_id, reason, data, personal, salt, digest)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`,
		e.Tenant, identity.NewID(identity.EventID), tx.now().UnixMilli(), string(e.Kind),
		string(tx.who.Kind), tx.who.ID, e.User, e.Application, e.Authenticator, e.Journey, e.Reason,
		string(data), string(personal), salt, audit.Digest(salt, personal))
	return err
}

// scanner is a row or rows.
type scanner interface{ Scan(dest ...any) error }

// list yields what a query finds, each row scanned by one. An error ends the
// sequence and comes with a zero value.
func list[T any](ctx context.Context, r Reader, what string, one func(scanner) (T, error), query string, args ...any) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		rows, err := r.q.QueryContext(ctx, query, args...)
		if err != nil {
			yield(zero, fmt.Errorf("store: %s: %w", what, classify(err)))
			return
		}
		defer rows.Close()
		for rows.Next() {
			v, err := one(rows)
			if err != nil {
				yield(zero, fmt.Errorf("store: %s: %w", what, err))
				return
			}
			if !yield(v, nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(zero, fmt.Errorf("store: %s: %w", what, classify(err)))
		}
	}
}

// Collect gathers a sequence into a slice, or returns its error.
func Collect[T any](seq iter.Seq2[T, error]) ([]T, error) {
	var all []T
	for v, err := range seq {
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}
