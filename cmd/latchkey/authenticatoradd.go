package main

import (
	"context"
	"fmt"

	qrcode "github.com/skip2/go-qrcode"

	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/store"
)

// provisionFlags are the flags of both kinds of token.
type provisionFlags struct {
	User   string `required:"" placeholder:"USER" help:"Whom it is for."`
	Secret string `placeholder:"BASE32" help:"What a hardware token holds; \"-\" reads it from standard input, where no list of processes shows it. Default: a new one."`
	Digits int    `default:"6" enum:"6,8" help:"Length of a passcode: ${enum}."`
	Name   string `help:"What to call it. Default: its serial."`
}

type authenticatorAddTOTP struct {
	provisionFlags `embed:""`
	Period         int64 `default:"30" enum:"30,60" help:"Seconds a passcode stands: ${enum}."`
}

func (authenticatorAddTOTP) Help() string {
	return `The link and the QR code are shown this once; who sees them can make the passcodes. The user is told by mail that there is a new authenticator.

Examples:

    latchkey authenticator add totp --user anna --name "Anna's own app"

    latchkey authenticator add totp --user bo --period 60 --secret - < seed.txt`
}

// Run hands out an authenticator that counts time.
func (c *authenticatorAddTOTP) Run(ctx context.Context, s *shell) error {
	return c.provision(ctx, s, identity.TOTP, c.Period)
}

type authenticatorAddHOTP struct {
	provisionFlags `embed:""`
}

func (authenticatorAddHOTP) Help() string {
	return `The link and the QR code are shown this once; who sees them can make the passcodes. The token counts from 0. Of passcodes made in vain, three may lie between two that are typed ("policy show lockout": look_ahead).

Example:

    latchkey authenticator add hotp --user anna --digits 8 --secret - < seed.txt`
}

// Run hands out an authenticator that counts presses.
func (c *authenticatorAddHOTP) Run(ctx context.Context, s *shell) error {
	return c.provision(ctx, s, identity.HOTP, 0)
}

// provisionedRow describes a new authenticator, with its secret, which is shown once.
type provisionedRow struct {
	authenticatorRow
	Secret string `json:"secret"`
	URI    string `json:"uri"`
	QR     string `json:"qr"` // of the link, in half blocks for a terminal
}

func (c *provisionFlags) provision(ctx context.Context, s *shell, kind identity.AuthenticatorKind, period int64) error {
	out := authenticator.TokenSpec{Kind: kind, Name: c.Name, Digits: c.Digits, Period: period}
	typed, err := s.givenSecret(c.Secret)
	if err != nil {
		return err
	}
	if typed != "" {
		if out.Secret, err = otp.DecodeSecret(typed); err != nil {
			return usageErrorf("--secret is not Base32: letters A to Z and digits 2 to 7, 16 or more of them")
		}
	}
	return s.inTenant(ctx, func(ts tenantScope) error {
		u, err := ts.user(ctx, c.User)
		if err != nil {
			return err
		}
		var a identity.Authenticator
		var key otp.Key
		err = ts.db.InTx(ctx, ts.who, func(tx *store.Tx) (err error) {
			a, key, err = authenticator.Provision(ctx, tx, u, out)
			return err
		})
		if err != nil {
			return err
		}
		row, err := ts.rowOfAuthenticator(ctx, a)
		if err != nil {
			return err
		}
		code, err := qrcode.New(key.URI(), qrcode.Low)
		if err != nil {
			return fmt.Errorf("QR code of the link: %w", err)
		}
		said := provisionedRow{row, otp.EncodeSecret(key.Secret), key.URI(), code.ToSmallString(false)}
		return s.print(said, "Authenticator %s of %s is active. This is shown once, for its app:\n\n%s\n\n%s", a.Serial, u.Name, said.URI, said.QR)
	})
}
