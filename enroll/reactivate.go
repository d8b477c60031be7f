package enroll

import (
	"context"
	"fmt"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
)

// Reactivate makes an activation for an authenticator whose phone is gone, or that
// wrong PINs have locked for good (CRED-7, CRED-14): in the moment in which an app
// has activated with it, and not before, the old one is revoked. Until then that
// goes on as it is, so that nobody is left without. The new one is made by a copy
// of the old one's template. It is for an operator who is sure whom they are
// talking to: whoever has the link becomes that user's authenticator.
//
// One that is no app of ours, that nobody has, that is suspended, or whose platform
// is not allowed any more is a Conflict.
func Reactivate(ctx context.Context, tx *store.Tx, a identity.Authenticator, rules Rules) (Activation, error) {
	var none Activation
	held := a.State() == identity.Active || a.State() == identity.Locked
	switch {
	case a.Kind != identity.AppToken || a.Protocol == identity.PrivacyIDEAPush:
		return none, cannot("%s is no app of ours; hand out another, and revoke it", a.Serial)
	case !held:
		return none, cannot("%s is %s", a.Serial, a.State())
	case !rules.Allow(a.Platform):
		return none, cannot("%s is on %s, where no authenticator may be set up any more", a.Serial, a.Platform)
	}
	users, err := tx.Authenticators().UserIDs(ctx, a.Tenant, a.ID)
	if err != nil {
		return none, err
	}
	if len(users) != 1 {
		return none, cannot("%s belongs to %d users", a.Serial, len(users))
	}
	user, err := tx.Users().Get(ctx, a.Tenant, users[0])
	if err != nil {
		return none, err
	}
	if !user.Enabled() {
		return none, cannot("the user of %s is disabled", a.Serial)
	}
	act := store.Activation{Tenant: a.Tenant, ID: identity.NewID(identity.ActivationID), User: user.ID, Platform: a.Platform, Template: a.Template,
		PushAllowed: rules.Platforms.PushOn(a.Platform), Language: user.Language, CreatedAt: tx.Now(), ExpiresAt: tx.Now().Add(seconds(rules.Limits.ActivationLifetime)),
		Replaces: a.ID}
	if err := open(ctx, tx, act, store.ActivationCodes{}); err != nil {
		return none, err
	}
	codes, err := tx.Activations().Codes(ctx, act)
	if err != nil {
		return none, err
	}
	err = tx.Event(ctx, audit.Event{Kind: audit.EnrollActivation, User: user.ID, Authenticator: a.ID, Reason: "reactivation",
		Data: map[string]string{"activation": act.ID, "platform": string(act.Platform), "serial": a.Serial}})
	return Activation{State: Waiting, ExpiresAt: act.ExpiresAt, Platform: act.Platform, Secret: codes.Secret, ShortCode: showShortCode(codes.Short)}, err
}

// supersede ends the authenticator whose place a new one takes, in the transaction in
// which that is ready. One that was revoked or suspended meanwhile, by somebody who
// did not want it used, takes the new one with it: the error is a Conflict.
func supersede(ctx context.Context, tx *store.Tx, act store.Activation) error {
	if act.Replaces == "" {
		return nil
	}
	old, err := tx.Authenticators().Get(ctx, act.Tenant, act.Replaces)
	if err != nil {
		return err
	}
	if state := old.State(); state != identity.Active && state != identity.Locked {
		return cannot("%s is %s by now", old.Serial, state)
	}
	return authenticator.Revoke(ctx, tx, old, "replaced")
}

func cannot(format string, args ...any) error {
	return &identity.Error{Kind: identity.Conflict, Key: "error.conflict", Err: fmt.Errorf(format, args...)}
}
