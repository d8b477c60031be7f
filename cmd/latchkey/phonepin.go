package main

import (
	"context"
	"fmt"
	"os"

	"golang.org/x/term"

	"github.com/latchkey-id/latchkey/internal/phone"
)

// pinFlag gives a PIN where no terminal can ask for it. Other users of the
// machine can read what stands on a command line; a terminal is the better way.
type pinFlag struct {
	PIN string `placeholder:"PIN" help:"The account's PIN, if it has one. Default: a terminal asks."`
}

// guarded is the phone, which asks for PINs: of the answers first, then of the
// terminal.
func (s *shell) guarded(ctx context.Context, answers map[phone.PINQuestion]string) (*phone.Phone, error) {
	p, err := s.phone()
	if err != nil {
		return nil, err
	}
	p.PIN = func(q phone.PINQuestion, a phone.Account) (string, error) {
		if answers[q] != "" {
			return answers[q], nil
		}
		f, ok := s.stdin.(*os.File)
		switch {
		case !ok || !term.IsTerminal(int(f.Fd())):
			return "", usageErrorf("%s", map[phone.PINQuestion]string{
				phone.InitialPIN: "the page of the enrolment shows a PIN now: give it by --initial-pin, and one of your own by --pin",
				phone.NewPIN:     "give the new PIN: by --pin when an account is made, by --new-pin later",
				phone.PresentPIN: "give the PIN by --pin",
			}[q])
		case q == phone.InitialPIN:
			return s.prompt(ctx, f, "PIN from the page of the enrolment: ")
		case q == phone.NewPIN:
			return s.promptTwice(ctx, f, "New PIN: ")
		}
		return s.prompt(ctx, f, fmt.Sprintf("PIN of %s, %s: ", printable(a.Organisation), printable(a.User)))
	}
	return p, nil
}

type phonePIN struct {
	Account string `arg:"" optional:"" help:"Serial, id or user of the account. Default: the only one."`
	pinFlag
	NewPIN string `name:"new-pin" placeholder:"PIN" help:"The PIN to be. Default: a terminal asks."`
}

func (phonePIN) Help() string { return "Example:\n\n    latchkey phone pin" }

// Run changes the PIN of an account.
func (c *phonePIN) Run(ctx context.Context, s *shell) error {
	p, err := s.guarded(ctx, map[phone.PINQuestion]string{phone.PresentPIN: c.PIN, phone.NewPIN: c.NewPIN})
	if err != nil {
		return err
	}
	a, err := p.ChangePIN(ctx, c.Account)
	if err != nil {
		return err
	}
	return s.print(a, "%s has another PIN.", a.Serial)
}
