package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/latchkey-id/latchkey/enroll"
	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
)

// OfferPrivacyIDEA makes an activation for the privacyIDEA Authenticator, for an
// operator to give its link to a user, in place of whatever the user has open. Where
// the app could be of no use it is a Conflict.
func OfferPrivacyIDEA(ctx context.Context, tx *store.Tx, user identity.User) (enroll.Activation, error) {
	rules, err := enroll.ReadRules(ctx, tx.Reader, user.Tenant)
	if err != nil {
		return enroll.Activation{}, err
	}
	if !rules.Allow(identity.PrivacyIDEA) {
		return enroll.Activation{}, &identity.Error{Kind: identity.Conflict, Key: "error.platform.missing",
			Err: errors.New("the platform privacyidea is not allowed with push, or the template asks for a PIN or biometrics, of which this app tells nothing")}
	}
	template, err := json.Marshal(rules.Template)
	if err != nil {
		return enroll.Activation{}, fmt.Errorf("admin: template: %w", err)
	}
	act, err := enroll.Provision(ctx, tx, user, rules, store.Activation{Platform: identity.PrivacyIDEA, Template: template, PushAllowed: true})
	if err != nil {
		return enroll.Activation{}, err
	}
	err = tx.Event(ctx, audit.Event{Kind: audit.EnrollActivation, Tenant: user.Tenant, User: user.ID,
		Data: map[string]string{"activation": act.ID, "platform": string(act.Platform), "template": rules.Template.Name}})
	if err != nil {
		return enroll.Activation{}, err
	}
	return enroll.Show(ctx, tx.Reader, act)
}
