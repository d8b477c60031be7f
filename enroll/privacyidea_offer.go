package enroll

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/privacyidea"
	"github.com/latchkey-id/latchkey/internal/store"
)

// privacyIDEACodes are those of an enrolment's link.
func privacyIDEACodes(ctx context.Context, tx *store.Tx, tenant string) (store.ActivationCodes, error) {
	serial, err := authenticator.NewSerial(ctx, tx, tenant)
	return store.ActivationCodes{Secret: privacyidea.NewCredential(), Serial: serial}, err
}

// PrivacyIDEALink is the link of an activation that waits for the privacyIDEA
// Authenticator, for the QR code it scans: at a base such as
// https://id.example.org, of a user as named.
func (a Activation) PrivacyIDEALink(base string, t identity.Tenant, user string, now time.Time) string {
	return privacyidea.Enrollment{Address: PrivacyIDEAAddress(base, t), Issuer: t.OrganisationName(), Account: user,
		Serial: a.Serial, Credential: a.Secret, Lifetime: a.ExpiresAt.Sub(now)}.URI()
}

// OfferPrivacyIDEA opens an enrolment for the privacyIDEA Authenticator outside
// any journey, for an operator to hand its link to a user, in place of whatever
// the user has open. Where the app could be of no use it is a Conflict.
func OfferPrivacyIDEA(ctx context.Context, tx *store.Tx, user identity.User) (Activation, error) {
	rules, err := ReadRules(ctx, tx.Reader, user.Tenant)
	if err != nil {
		return Activation{}, err
	}
	if !rules.Allow(identity.PrivacyIDEA) {
		return Activation{}, &identity.Error{Kind: identity.Conflict, Key: "error.platform.missing",
			Err: errors.New("the platform privacyidea is not allowed with push, or the template asks for a PIN or biometrics, of which this app tells nothing")}
	}
	template, err := json.Marshal(rules.Template)
	if err != nil {
		return Activation{}, fmt.Errorf("enroll: template: %w", err)
	}
	codes, err := privacyIDEACodes(ctx, tx, user.Tenant)
	if err != nil {
		return Activation{}, err
	}
	a := store.Activation{Tenant: user.Tenant, ID: identity.NewID(identity.ActivationID), User: user.ID, Platform: identity.PrivacyIDEA,
		Template: template, PushAllowed: true, Language: user.Language, CreatedAt: tx.Now(), ExpiresAt: tx.Now().Add(seconds(rules.Limits.ActivationLifetime))}
	if err := open(ctx, tx, a, codes); err != nil {
		return Activation{}, err
	}
	return Activation{State: Waiting, ExpiresAt: a.ExpiresAt, Platform: a.Platform, Secret: codes.Secret, Serial: codes.Serial},
		tx.Event(ctx, audit.Event{Kind: audit.EnrollActivation, Tenant: user.Tenant, User: user.ID,
			Data: map[string]string{"activation": a.ID, "platform": string(a.Platform), "template": rules.Template.Name}})
}
