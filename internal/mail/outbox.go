package mail

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/locales"
	"github.com/latchkey-id/latchkey/templates"
)

// An Outbox sends what is queued.
type Outbox struct {
	DB      *store.DB
	Sender  Sender
	Pages   *templates.Set
	Catalog *locales.Catalog
	From    string // address all mails come from
	Domain  string // of the Message-IDs
	Log     *slog.Logger
	Node    string // name of this node, for the leases
}

const (
	batch      = 5
	leaseLife  = 15 * time.Second // what a node that died held, another takes on after this
	renewal    = 5 * time.Second  // of the leases, however long sending takes
	slowPoll   = 2 * time.Second  // behind the wake-ups
	firstPause = 5 * time.Second
	mostPause  = 5 * time.Minute
)

// Run sends until ctx ends. Errors of sending are kept with the message and
// tried again; errors of the database are logged and tried again.
func (o *Outbox) Run(ctx context.Context) {
	woken, stop := o.DB.Subscribe(store.OutboxTopic)
	defer stop()
	for {
		sent, err := o.Flush(ctx)
		if err != nil && ctx.Err() == nil {
			o.Log.ErrorContext(ctx, "outbox", "err", err)
		}
		if sent > 0 && err == nil {
			continue // there may be more
		}
		select {
		case <-ctx.Done():
			return
		case <-woken:
		case <-time.After(slowPoll):
		}
	}
}

var system = identity.Principal{Kind: identity.System, Name: "outbox"}

// Flush makes one attempt at each message that is due, a batch at most, and
// reports how many it took on.
func (o *Outbox) Flush(ctx context.Context) (int, error) {
	// Looking takes no lock; with nothing to do, none is taken.
	if due, err := o.DB.Outbox().Due(ctx); err != nil || !due {
		return 0, err
	}
	var due []store.Message
	err := o.DB.InTx(ctx, system, func(tx *store.Tx) (err error) {
		due, err = tx.Outbox().Lease(ctx, o.Node, tx.Now().Add(leaseLife), batch)
		return err
	})
	if err != nil {
		return 0, err
	}
	defer o.renewing(ctx)()
	for i, m := range due {
		if err := o.attempt(ctx, m); err != nil {
			return len(due), errors.Join(err, o.giveBack(ctx, due[i:]))
		}
	}
	return len(due), nil
}

// renewing keeps this node's leases alive until stop. A mail server may let us
// wait for longer than somebody whose code was being sent when a node died.
func (o *Outbox) renewing(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var done sync.WaitGroup
	done.Go(func() {
		tick := time.NewTicker(renewal)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			err := o.DB.InTx(ctx, system, func(tx *store.Tx) error { return tx.Outbox().RenewLeases(ctx, o.Node, tx.Now().Add(leaseLife)) })
			if err != nil && ctx.Err() == nil {
				o.Log.WarnContext(ctx, "leases of mails not renewed: another node may send them too", "err", err)
			}
		}
	})
	return func() { cancel(); done.Wait() }
}

// giveBack ends the leases of messages that this node will not send, so that
// none waits for them to run out after an orderly end.
func (o *Outbox) giveBack(ctx context.Context, rest []store.Message) error {
	ctx = context.WithoutCancel(ctx)
	return o.DB.InTx(ctx, system, func(tx *store.Tx) error {
		for _, m := range rest {
			if err := tx.Outbox().Release(ctx, m, o.Node); err != nil {
				return err
			}
		}
		return nil
	})
}

// attempt sends one message and notes what came of it.
func (o *Outbox) attempt(ctx context.Context, m store.Message) error {
	if !o.DB.Now().Before(m.ExpiresAt) {
		return o.note(ctx, m, audit.MailFailed, "expired", func(tx *store.Tx) error { return tx.Outbox().GiveUp(ctx, m, "expired") })
	}
	err := o.send(ctx, m)
	var permanent Permanent
	switch {
	case err == nil:
		return o.note(ctx, m, audit.MailSent, "", func(tx *store.Tx) error { return tx.Outbox().Sent(ctx, m) })
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &permanent):
		o.Log.WarnContext(ctx, "mail refused", "message", m.ID, "kind", m.Kind, "err", err)
		return o.note(ctx, m, audit.MailFailed, "refused", func(tx *store.Tx) error { return tx.Outbox().GiveUp(ctx, m, err.Error()) })
	}
	pause := min(firstPause<<min(m.Attempts, 10), mostPause)
	o.Log.WarnContext(ctx, "mail not sent, trying again", "message", m.ID, "kind", m.Kind, "in", pause, "err", err)
	return o.DB.InTx(ctx, system, func(tx *store.Tx) error {
		return tx.Outbox().Postpone(ctx, m, tx.Now().Add(pause), err.Error())
	})
}

func (o *Outbox) note(ctx context.Context, m store.Message, kind audit.Kind, reason string, change func(tx *store.Tx) error) error {
	// Once a mail has left, that must be noted even while shutting down, or it
	// would be sent again.
	ctx = context.WithoutCancel(ctx)
	return o.DB.InTx(ctx, system, func(tx *store.Tx) error {
		if err := change(tx); err != nil {
			return err
		}
		return tx.Event(ctx, audit.Event{Tenant: m.Tenant, Kind: kind, Reason: reason,
			Data: map[string]string{"message": m.ID, "kind": m.Kind}, Personal: map[string]string{"to": m.Recipient}})
	})
}

func (o *Outbox) send(ctx context.Context, m store.Message) error {
	t, err := o.DB.Tenants().Get(ctx, m.Tenant)
	if err != nil {
		return err
	}
	mail, err := templates.ParseMail(m.Kind, m.Arguments)
	if err != nil {
		return Permanent{err}
	}
	brand := templates.Brand{Name: t.OrganisationName(), Help: t.HelpContact}
	rendered, err := o.Pages.RenderMail(mail, o.Catalog.Negotiate(m.Language, "", "", t.Language), brand)
	if err != nil {
		return Permanent{err}
	}
	return o.Sender.Send(ctx, Envelope{From: o.From, FromName: brand.Name, To: m.Recipient, MessageID: m.MessageID + "@" + o.Domain,
		Subject: rendered.Subject, Text: rendered.Text, HTML: rendered.HTML})
}
