package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/latchkey-id/latchkey/internal/config"
	"github.com/latchkey-id/latchkey/internal/mail"
	"github.com/latchkey-id/latchkey/internal/server"
	"github.com/latchkey-id/latchkey/locales"
)

type smtpTest struct {
	Address  string `arg:"" help:"Whom to mail."`
	Language string `placeholder:"TAG" default:"en" help:"Language of the mail."`
}

func (smtpTest) Help() string {
	return `Sends a mail by the configured server, the way all others go, and says how far it came: connect, TLS, login, accepted. It works while the database does not.

Example:

    latchkey smtp test anna@example.org --dir /var/lib/latchkey`
}

// stageRow is a stage that was passed or, with a hint, where the mail got stuck.
type stageRow struct {
	Stage  mail.Stage `json:"stage"`
	Passed bool       `json:"passed"`
	Text   string     `json:"text"`
}

// Run sends a mail and tells its way.
func (c *smtpTest) Run(ctx context.Context, s *shell) error {
	conf, err := s.config()
	if err != nil {
		return err
	}
	if err := mailable(conf); err != nil {
		return err
	}
	base, err := conf.Base()
	if err != nil {
		return err
	}
	catalog, err := locales.Load()
	if err != nil {
		return err
	}
	trial, err := mail.TestMail(catalog.Negotiate(c.Language, "", "", ""), conf.Mail.From, c.Address, base.Hostname())
	if err != nil {
		return usageErrorf("%w", err)
	}
	sender, err := server.Sender(conf)
	if err != nil {
		return err
	}
	var stages []stageRow
	tell := func(stage mail.Stage, how string) {
		stages = append(stages, stageRow{stage, true, how})
		if !s.flags.JSON {
			fmt.Fprintf(s.stdout, "%-9s %s\n", stage, printable(how))
		}
	}
	err = send(ctx, sender, trial, tell)
	var fault *mail.Fault
	if errors.As(err, &fault) {
		stages = append(stages, stageRow{fault.Stage, false, fault.Error()})
	}
	if s.flags.JSON {
		err = errors.Join(s.encode(stages), err)
	}
	return err
}

// send sends a mail, as far as the login first without it: so that what fails is
// known by its stage.
func send(ctx context.Context, sender mail.Sender, e mail.Envelope, tell func(mail.Stage, string)) error {
	to, isServer := sender.(mail.SMTP)
	if !isServer {
		if err := sender.Send(ctx, e); err != nil {
			return err
		}
		tell(mail.Accepted, "as a file in mail.folder; nothing is sent")
		return nil
	}
	if err := to.Probe(ctx, tell); err != nil {
		return err
	}
	if err := to.Send(ctx, e); err != nil {
		return to.SendFault(err)
	}
	tell(mail.Accepted, "from "+e.From+" to "+e.To+"; what becomes of it now is in the server's log")
	return nil
}

// mailable says what of the configuration of mails is wrong.
func mailable(c config.Config) error {
	if c.Mail.Host == "" && c.Mail.Folder == "" {
		return errors.New("no mail server is configured: set host and from below [mail] in " + c.Path(config.File))
	}
	return c.ValidateMail()
}
