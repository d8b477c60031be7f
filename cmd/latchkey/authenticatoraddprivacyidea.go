package main

import (
	"context"
	"fmt"
	"time"

	qrcode "github.com/skip2/go-qrcode"

	"github.com/latchkey-id/latchkey/enroll"
	"github.com/latchkey-id/latchkey/internal/admin"
	"github.com/latchkey-id/latchkey/internal/store"
)

type authenticatorAddPrivacyIDEA struct {
	User string `required:"" placeholder:"USER" help:"Whom it is for."`
}

func (authenticatorAddPrivacyIDEA) Help() string {
	return `The link and the QR code work once, for as long as an activation does ("policy show limits": activation_life); who scans them first approves logins in the user's name. The authenticator is there once the app has registered. "policy set platforms --allow privacyidea --push privacyidea" comes first: without it no push would reach the app, and it makes no passcodes.

Example:

    latchkey authenticator add privacyidea --user anna`
}

// privacyIDEAOfferRow describes an enrolment, with its link, which is shown once.
type privacyIDEAOfferRow struct {
	User    string    `json:"user"`
	Serial  string    `json:"serial"` // of the authenticator, once it is there
	Expires time.Time `json:"expires_at"`
	URI     string    `json:"uri"`
	QR      string    `json:"qr"` // of the link, in half blocks for a terminal
}

// Run opens an enrolment for the privacyIDEA Authenticator.
func (c *authenticatorAddPrivacyIDEA) Run(ctx context.Context, s *shell) error {
	base, err := s.base()
	if err != nil {
		return err
	}
	return s.inTenant(ctx, func(ts tenantScope) error {
		u, err := ts.user(ctx, c.User)
		if err != nil {
			return err
		}
		var a enroll.Activation
		err = ts.db.InTx(ctx, ts.who, func(tx *store.Tx) (err error) {
			a, err = admin.OfferPrivacyIDEA(ctx, tx, u)
			return err
		})
		if err != nil {
			return err
		}
		link := a.PrivacyIDEALink(base, ts.tenant, u.Name, ts.db.Now())
		code, err := qrcode.New(link, qrcode.Low)
		if err != nil {
			return fmt.Errorf("QR code of the link: %w", err)
		}
		said := privacyIDEAOfferRow{User: u.Name, Serial: a.Serial, Expires: a.ExpiresAt.UTC(), URI: link, QR: code.ToSmallString(false)}
		return s.print(said, "%s can scan this with the privacyIDEA Authenticator, once, until %s:\n\n%s\n\n%s", u.Name, formatTime(a.ExpiresAt), said.URI, said.QR)
	})
}
