package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
)

// Event records an audit event of what the transaction does. The events of a transaction
// are written together when it commits, in the order in which they were recorded. If that
// fails, the transaction fails too: nothing is done without a record.
func (tx *Tx) Event(_ context.Context, e audit.Event) error {
	return tx.record([]audit.Event{e})
}

// Events records many events, see [Tx.Event].
func (tx *Tx) Events(_ context.Context, all []audit.Event) error { return tx.record(all) }

func (tx *Tx) record(all []audit.Event) error {
	for _, e := range all {
		row, err := tx.eventRow(e)
		if err != nil {
			return err
		}
		tx.events = append(tx.events, row)
	}
	return nil
}

// eventsAtOnce is how many events one INSERT writes for most transactions, which record one
// to four. There is a query for each number up to it.
const eventsAtOnce = 4

// writeEvents writes the events that were recorded so far. Within a millisecond, events are
// listed by their ids, so those of a transaction get theirs in order.
func (tx *Tx) writeEvents(ctx context.Context) error {
	events := tx.events
	tx.events = nil
	ids := make([]string, len(events))
	for i := range ids {
		ids[i] = identity.NewID(identity.EventID)
	}
	slices.Sort(ids)
	for i, row := range events {
		row[eventIDColumn] = ids[i]
	}
	for batch := range slices.Chunk(events, rowsAtOnce) {
		size := len(batch)
		if size < rowsAtOnce {
			size = eventsAtOnce
		}
		for some := range slices.Chunk(batch, size) {
			_, err := tx.exec(ctx, "events", insertRows(`events (`+insertedEventColumns+`)`, len(some[0]), len(some), ""), slices.Concat(some...)...)
			if err != nil {
				return err
			}
		}
	}
	return nil
}

const insertedEventColumns = `tenant_id, id, at_ms, kind, actor_kind, actor_id, user_id, application_id,
			authenticator_id, journey_id, reason, data, personal, salt, digest`

// eventIDColumn is the position of id in insertedEventColumns.
const eventIDColumn = 1

// eventRow are the values of insertedEventColumns, without the id.
func (tx *Tx) eventRow(e audit.Event) ([]any, error) {
	if !audit.Kinds[e.Kind] {
		return nil, fmt.Errorf("store: %q is no kind of event", e.Kind)
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
		return nil, err
	}
	data, err := json.Marshal(e.Data)
	if err != nil {
		return nil, fmt.Errorf("store: event %s: %w", e.Kind, err)
	}
	return []any{e.Tenant, "", tx.now().UnixMilli(), string(e.Kind),
		string(tx.who.Kind), tx.who.ID, e.User, e.Application, e.Authenticator, e.Journey, e.Reason,
		string(data), string(personal), salt, audit.Digest(salt, personal)}, nil
}
