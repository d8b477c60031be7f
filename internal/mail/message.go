package mail

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/templates"
)

// A Message is a mail to be queued.
type Message struct {
	Tenant   string
	Mail     templates.Mail
	To       string
	Language string // of the reader; empty means the tenant's, then English
	Dedupe   string // of two messages with the same key one is sent; empty means no such key
	Expires  time.Time
}

// Queue puts a message into the outbox, in the transaction of the change that
// it reports.
func Queue(ctx context.Context, tx *store.Tx, m Message) error {
	if err := CheckAddress(m.To); err != nil {
		return err
	}
	args, err := json.Marshal(m.Mail)
	if err != nil {
		return fmt.Errorf("mail: queue %s: %w", m.Mail.Kind(), err)
	}
	id := identity.NewID(identity.MessageID)
	if m.Dedupe == "" {
		m.Dedupe = id
	}
	return tx.Outbox().Queue(ctx, store.Message{Tenant: m.Tenant, ID: id, Kind: m.Mail.Kind(), Recipient: m.To, Language: m.Language,
		Arguments: args, Dedupe: m.Dedupe, MessageID: identity.NewSecret(), ExpiresAt: m.Expires})
}

// CheckAddress refuses anything but one plain mail address, see
// [identity.ParseMailAddress].
func CheckAddress(address string) error {
	_, err := identity.ParseMailAddress(address)
	return err
}
