package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
)

// Event writes an audit event of what the transaction does. If that fails, the
// transaction must fail too: nothing is done without a record.
func (tx *Tx) Event(ctx context.Context, e audit.Event) error {
	row, err := tx.eventRow(e)
	if err != nil {
		return err
	}
	_, err = tx.exec(ctx, "event "+string(e.Kind), `
		INSERT INTO events (`+insertedEventColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`, row...)
	return err
}

const insertedEventColumns = `tenant_id, id, at_ms, kind, actor_kind, actor_id, user_id, application_id,
			authenticator_id, journey_id, reason, data, personal, salt, digest`

// eventRow are the values of insertedEventColumns.
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
	return []any{e.Tenant, identity.NewID(identity.EventID), tx.now().UnixMilli(), string(e.Kind),
		string(tx.who.Kind), tx.who.ID, e.User, e.Application, e.Authenticator, e.Journey, e.Reason,
		string(data), string(personal), salt, audit.Digest(salt, personal)}, nil
}
