package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/phone"
)

// phone is the authenticator app of this person, on this machine.
func (s *shell) phone() (*phone.Phone, error) {
	dir := cmp.Or(s.flags.Dir, s.getenv("LATCHKEY_PHONE_DIR"))
	if dir == "" {
		settings, err := os.UserConfigDir()
		if err != nil {
			return nil, fmt.Errorf("name a folder for the accounts by --dir: %w", err)
		}
		dir = filepath.Join(settings, "latchkey-phone")
	}
	return &phone.Phone{Dir: dir, Version: s.flags.Phone.AppVersion, Capabilities: s.flags.Phone.Capabilities}, nil
}

type phoneActivate struct {
	Link string `arg:"" optional:"" help:"The link that is in the QR code, or the short code beside it."`
	Base string `placeholder:"URL" help:"With a short code: the server's address."`
	Code string `placeholder:"CODE" help:"The short code, in place of the argument."`
	Name string `help:"What this device is called. Default: the machine's name."`
	Push bool   `default:"true" negatable:"" help:"Whether logins may be approved here, where that is allowed."`

	InitialPIN string `name:"initial-pin" placeholder:"PIN" help:"What the page of the enrolment shows once the account is begun, where a PIN is asked for. Default: a terminal asks."`
	PIN        string `name:"pin" placeholder:"PIN" help:"The PIN of your own. Default: a terminal asks."`
}

func (phoneActivate) Help() string {
	return `Examples:

    latchkey phone activate ABCD-1234 --base https://login.example.org

    latchkey phone activate 'https://login.example.org/authenticator/#v1.…'`
}

// Run makes an account.
func (c *phoneActivate) Run(ctx context.Context, s *shell) error {
	if err := c.check(); err != nil {
		return err
	}
	p, err := s.guarded(ctx, map[phone.PINQuestion]string{phone.InitialPIN: c.InitialPIN, phone.NewPIN: c.PIN})
	if err != nil {
		return err
	}
	host, err := os.Hostname()
	if err != nil {
		host = "terminal"
	}
	a, err := p.Activate(ctx, phone.Activation{Link: c.Link, Base: c.Base, Code: c.Code, Name: cmp.Or(c.Name, host), Push: c.Push})
	if err != nil {
		return err
	}
	return s.print(a, "%s, %s: authenticator %s is %s, push is %s.", printable(a.Organisation), printable(a.User), a.Serial, a.State, a.Push.State)
}

// check looks what was given: a link, or a short code and the address it belongs to.
func (c *phoneActivate) check() error {
	if c.Code == "" && phone.IsShortCode(c.Link) {
		c.Code, c.Link = c.Link, ""
	}
	switch {
	case c.Code != "" && c.Link == "" && c.Base == "":
		return usageErrorf("%s is a short code: say by --base which server it is for, such as --base https://login.example.org; the page that shows the code has the address beside it", printable(c.Code))
	case c.Link == "" && c.Code == "":
		return usageErrorf("give the short code and --base or, instead of both, the link that is in the QR code")
	case c.Link != "" && (c.Code != "" || c.Base != ""):
		return usageErrorf("a link has the server's address and its code in it: --base and --code do not go with it")
	}
	return nil
}

type phoneList struct{}

func (phoneList) Help() string { return "Example:\n\n    latchkey phone list --json" }

// Run lists the accounts.
func (phoneList) Run(ctx context.Context, s *shell) error {
	p, err := s.phone()
	if err != nil {
		return err
	}
	accounts, err := p.List(ctx)
	if err != nil {
		return err
	}
	return list(s, accounts, []string{"SERIAL", "ORGANISATION", "USER", "STATE", "PUSH", "PROBLEM"}, func(a phone.Account) []string {
		return []string{a.Serial, a.Organisation, a.User, a.State, a.Push.State, a.Problem}
	})
}

type phonePasscode struct {
	Account string `arg:"" optional:"" help:"Serial, id or user of the account. Default: the only one."`
	pinFlag
}

func (phonePasscode) Help() string { return "Example:\n\n    latchkey phone passcode" }

// Run shows a passcode, and for people nothing else, so that it can be piped.
func (c *phonePasscode) Run(ctx context.Context, s *shell) error {
	p, err := s.guarded(ctx, map[phone.PINQuestion]string{phone.PresentPIN: c.PIN})
	if err != nil {
		return err
	}
	code, err := p.Passcode(ctx, c.Account)
	if err != nil {
		return err
	}
	return s.print(code, "%s", code.Code)
}

type phoneRespond struct {
	Challenge string `arg:"" help:"The eight digits that the login page shows."`
	Account   string `arg:"" optional:"" help:"Serial, id or user of the account. Default: the only one."`
	pinFlag
}

func (phoneRespond) Help() string { return "Example:\n\n    latchkey phone respond 40729816" }

// Run answers a challenge, and shows people the response and nothing else.
func (c *phoneRespond) Run(ctx context.Context, s *shell) error {
	p, err := s.guarded(ctx, map[phone.PINQuestion]string{phone.PresentPIN: c.PIN})
	if err != nil {
		return err
	}
	code, err := p.Respond(ctx, c.Account, c.Challenge)
	if err != nil {
		return err
	}
	return s.print(code, "%s", code.Code)
}

type phonePending struct{}

func (phonePending) Help() string { return "Example:\n\n    latchkey phone pending" }

// Run lists what waits for an answer.
func (phonePending) Run(ctx context.Context, s *shell) error {
	p, err := s.phone()
	if err != nil {
		return err
	}
	waiting, err := p.Pending(ctx)
	if err != nil {
		return err
	}
	return list(s, waiting, []string{"ID", "APPLICATION", "ORGANISATION", "AS", "FROM", "PLACE", "BROWSER", "BEGUN", "UNTIL", "NUMBER"}, func(r phone.Request) []string {
		return []string{r.ID, r.Application, r.Organisation, r.User, r.Address, r.Place, r.Browser, formatTime(time.Unix(r.Started, 0)), formatTime(time.Unix(r.Expires, 0)), check(r)}
	})
}

// check says which presence check a request asks for.
func check(r phone.Request) string {
	switch {
	case r.Unknown:
		return "unknown: update this app"
	case r.Options != nil:
		return "pick one of " + strings.Join(r.Options, ", ")
	case r.Digits > 0:
		return fmt.Sprintf("enter %d digits", r.Digits)
	}
	return "not asked for"
}

type phoneApprove struct {
	Request string `arg:"" help:"Id of the request, as in phone pending."`
	Number  string `xor:"number" placeholder:"N" help:"The number the login page shows, where it is to be entered. Default: a terminal asks."`
	Pick    string `xor:"number" placeholder:"N" help:"The number the login page shows, of those that \"phone pending\" lists to pick from. Default: a terminal asks."`
	pinFlag
}

func (phoneApprove) Help() string {
	return "Approve only what you began yourself. A wrong number ends the request.\n\nExamples:\n\n    latchkey phone approve psh_… --number 47\n\n    latchkey phone approve psh_… --pick 482"
}

// Run approves a request.
func (c *phoneApprove) Run(ctx context.Context, s *shell) error {
	p, err := s.guarded(ctx, map[phone.PINQuestion]string{phone.PresentPIN: c.PIN})
	if err != nil {
		return err
	}
	if f, ok := s.terminal(); ok {
		p.Number = func(r phone.Request) (string, error) {
			question := fmt.Sprintf("%s at %s, as %s from %s. The login page's number, %s: ", r.Application, r.Organisation, r.User, origin(r), check(r))
			return s.askLine(ctx, f, printable(question))
		}
	}
	return s.outcome(p.Approve(ctx, c.Request, cmp.Or(c.Number, c.Pick)))
}

// origin says where a request comes from, in which browser.
func origin(r phone.Request) string {
	var known []string
	for _, part := range []string{r.Place, r.Address, r.Browser} {
		if part != "" {
			known = append(known, part)
		}
	}
	return cmp.Or(strings.Join(known, ", "), "nobody knows where")
}

type phoneDeny struct {
	Request string `arg:"" help:"Id of the request, as in phone pending."`
	NotMe   bool   `xor:"why" required:"" help:"Somebody else began it: it is put on record, and that sign-in is over."`
	Mistake bool   `xor:"why" required:"" help:"It was begun by mistake: nobody is told."`
}

func (phoneDeny) Help() string { return "Example:\n\n    latchkey phone deny psh_… --not-me" }

// Run denies a request.
func (c *phoneDeny) Run(ctx context.Context, s *shell) error {
	p, err := s.phone()
	if err != nil {
		return err
	}
	return s.outcome(p.Deny(ctx, c.Request, c.Mistake))
}

func (s *shell) outcome(o phone.Outcome, err error) error {
	if err != nil {
		return err
	}
	if o.ChangePassword != "" {
		return s.print(o, "%s: %s\nSomebody may know your password. Change it: %s", o.Request, o.Outcome, o.ChangePassword)
	}
	return s.print(o, "%s: %s", o.Request, o.Outcome)
}
