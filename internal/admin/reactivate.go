package admin

import (
	"context"
	"fmt"

	"github.com/latchkey-id/latchkey/enroll"
	"github.com/latchkey-id/latchkey/internal/audit"
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
func Reactivate(ctx context.Context, tx *store.Tx, a identity.Authenticator) (enroll.Activation, error) {
	rules, err := enroll.ReadRules(ctx, tx.Reader, a.Tenant)
	if err != nil {
		return enroll.Activation{}, err
	}
	held := a.State() == identity.Active || a.State() == identity.Locked
	switch {
	case a.Kind != identity.AppToken || a.Protocol == identity.PrivacyIDEAPush:
		return enroll.Activation{}, conflict("%s is no app of ours; hand out another, and revoke it", a.Serial)
	case !held:
		return enroll.Activation{}, conflict("%s is %s", a.Serial, a.State())
	case !rules.Allow(a.Platform):
		return enroll.Activation{}, conflict("%s is on %s, where no authenticator may be set up any more", a.Serial, a.Platform)
	}
	users, err := tx.Authenticators().UserIDs(ctx, a.Tenant, a.ID)
	if err != nil {
		return enroll.Activation{}, err
	}
	if len(users) != 1 {
		return enroll.Activation{}, conflict("%s belongs to %d users", a.Serial, len(users))
	}
	user, err := tx.Users().Get(ctx, a.Tenant, users[0])
	if err != nil {
		return enroll.Activation{}, err
	}
	if !user.Enabled() {
		return enroll.Activation{}, conflict("the user of %s is disabled", a.Serial)
	}
	act, err := enroll.Provision(ctx, tx, user, rules, store.Activation{Platform: a.Platform, Template: a.Template,
		PushAllowed: rules.Platforms.PushOn(a.Platform), Replaces: a.ID})
	if err != nil {
		return enroll.Activation{}, err
	}
	err = tx.Event(ctx, audit.Event{Kind: audit.EnrollActivation, User: user.ID, Authenticator: a.ID, Reason: "reactivation",
		Data: map[string]string{"activation": act.ID, "platform": string(act.Platform), "serial": a.Serial}})
	if err != nil {
		return enroll.Activation{}, err
	}
	return enroll.Show(ctx, tx.Reader, act)
}

// conflict is the error of an act that the state of its subject does not allow.
func conflict(format string, args ...any) error {
	return &identity.Error{Kind: identity.Conflict, Key: "error.conflict", Err: fmt.Errorf(format, args...)}
}
