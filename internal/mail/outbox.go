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

// An Outbox sends the queued messages.
type Outbox struct {
	DB      *store.DB
	Sender  Sender
	Pages   *templates.Set
	Catalog *locales.Catalog
	From    string // sender address of all mails
	Domain  string // of the Message-IDs
	Log     *slog.Logger
	Node    string // name of this node, for the leases
}

const (
	batch         = 5
	leaseDuration = 15 * time.Second // after which another node takes over the messages of one that died
	renewEvery    = 5 * time.Second  // of the leases, while a message is being sent
	slowPoll      = 2 * time.Second  // beside the notifications
	minPause      = 5 * time.Second
	maxPause      = 5 * time.Minute
)

// Run sends until ctx ends. Errors of sending are stored with the message, and
// errors of the database are logged; both are tried again.
func (o *Outbox) Run(ctx context.Context) {
	notified, stop := o.DB.Subscribe(store.OutboxTopic)
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
		case <-notified:
		case <-time.After(slowPoll):
		}
	}
}

var system = identity.Principal{Kind: identity.System, Name: "outbox"}

// Flush makes one attempt at each message that is due, up to a batch, and
// returns how many it leased.
func (o *Outbox) Flush(ctx context.Context) (int, error) {
	// This read takes no lock, and usually there is nothing to send.
	if due, err := o.DB.Outbox().Due(ctx); err != nil || !due {
		return 0, err
	}
	var due []store.Message
	err := o.DB.InTx(ctx, system, func(tx *store.Tx) (err error) {
		due, err = tx.Outbox().Lease(ctx, o.Node, tx.Now().Add(leaseDuration), batch)
		return err
	})
	if err != nil {
		return 0, err
	}
	defer o.renewing(ctx)()
	for i, m := range due {
		if err := o.attempt(ctx, m); err != nil {
			return len(due), errors.Join(err, o.releaseRest(ctx, due[i:]))
		}
	}
	return len(due), nil
}

// renewing renews this node's leases until stop. A lease is short, so that the
// code of a node that died is sent soon, and a slow mail server may take
// longer.
func (o *Outbox) renewing(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var done sync.WaitGroup
	done.Go(func() {
		tick := time.NewTicker(renewEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			err := o.DB.InTx(ctx, system, func(tx *store.Tx) error { return tx.Outbox().RenewLeases(ctx, o.Node, tx.Now().Add(leaseDuration)) })
			if err != nil && ctx.Err() == nil {
				o.Log.WarnContext(ctx, "leases of mails not renewed: another node may send them too", "err", err)
			}
		}
	})
	return func() { cancel(); done.Wait() }
}

// releaseRest ends the leases of messages that this node will not send, so that
// after an orderly end no message waits until its lease expires.
func (o *Outbox) releaseRest(ctx context.Context, rest []store.Message) error {
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

// attempt sends one message and records the result.
func (o *Outbox) attempt(ctx context.Context, m store.Message) error {
	if !o.DB.Now().Before(m.ExpiresAt) {
		return o.record(ctx, m, audit.MailFailed, "expired", func(tx *store.Tx) error { return tx.Outbox().GiveUp(ctx, m, "expired") })
	}
	err := o.send(ctx, m)
	var permanent Permanent
	switch {
	case err == nil:
		return o.record(ctx, m, audit.MailSent, "", func(tx *store.Tx) error { return tx.Outbox().Sent(ctx, m) })
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &permanent):
		reason := "refused"
		if errors.Is(err, ErrNoSMTPUTF8) {
			reason = "the server has no SMTPUTF8"
		}
		o.Log.WarnContext(ctx, "mail refused", "message", m.ID, "kind", m.Kind, "err", err)
		return o.record(ctx, m, audit.MailFailed, reason, func(tx *store.Tx) error { return tx.Outbox().GiveUp(ctx, m, err.Error()) })
	}
	pause := min(minPause<<min(m.Attempts, 10), maxPause)
	o.Log.WarnContext(ctx, "mail not sent, trying again", "message", m.ID, "kind", m.Kind, "in", pause, "err", err)
	return o.DB.InTx(ctx, system, func(tx *store.Tx) error {
		return tx.Outbox().Postpone(ctx, m, tx.Now().Add(pause), err.Error())
	})
}

func (o *Outbox) record(ctx context.Context, m store.Message, kind audit.Kind, reason string, change func(tx *store.Tx) error) error {
	// That a mail was sent must be recorded even while shutting down, or it
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
