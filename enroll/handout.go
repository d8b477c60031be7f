package enroll

import (
	"cmp"
	"context"
	"fmt"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/templates"
)

// A Handout is an authenticator that an operator gives to a user: a hardware
// token, or a secret for an app.
type Handout struct {
	Kind   identity.AuthenticatorKind // TOTP or HOTP
	Name   string                     // what to call it; its serial if empty
	Secret []byte                     // what the token holds; a new one if empty
	Digits int                        // 6 or 8
	Period int64                      // seconds of a time step, 30 or 60; TOTP alone
}

// HandOut adds an active authenticator to a user and returns it with the key to
// put into an app. The key is in no answer after this one.
//
// What the user had begun to enrol alone is void: that way is for who has no
// authenticator (ENR-1).
func HandOut(ctx context.Context, tx *store.Tx, user identity.User, out Handout) (identity.Authenticator, otp.Key, error) {
	params := otp.Params{Digits: out.Digits, Period: out.Period}
	byEvents := out.Kind == identity.HOTP
	if !byEvents && out.Kind != identity.TOTP || !params.Valid() {
		return identity.Authenticator{}, otp.Key{}, &identity.Error{Kind: identity.Invalid, Key: "error.invalid",
			Err: fmt.Errorf("enroll: no %q authenticator of %d digits every %d seconds can be handed out", out.Kind, out.Digits, out.Period)}
	}
	if err := void(ctx, tx, user.Tenant, user.ID, "replaced"); err != nil {
		return identity.Authenticator{}, otp.Key{}, err
	}
	tenant, err := tx.Tenant(ctx, user.Tenant)
	if err != nil {
		return identity.Authenticator{}, otp.Key{}, err
	}
	serial, err := newSerial(ctx, tx, user.Tenant)
	if err != nil {
		return identity.Authenticator{}, otp.Key{}, err
	}
	if len(out.Secret) == 0 {
		out.Secret = otp.NewSecret(otp.SHA1)
	}
	a := identity.Authenticator{Tenant: user.Tenant, ID: identity.NewID(identity.AuthenticatorID), Serial: serial, Kind: out.Kind,
		Name: cmp.Or(identity.CleanTyped(out.Name), serial), Seed: out.Secret, Digits: cmp.Or(out.Digits, 6), Step: cmp.Or(out.Period, 30),
		LastStep: -1, Template: []byte(`{}`), EnrolledAt: tx.Now(), ActivatedAt: tx.Now()}
	if byEvents {
		a.Step = 0
	}
	if err := tx.AddAuthenticator(ctx, a, user.ID); err != nil {
		return identity.Authenticator{}, otp.Key{}, err
	}
	key := otp.Key{Issuer: tenant.OrganisationName(), Account: user.Name, Secret: out.Secret, Params: params, Event: byEvents}
	return a, key, announce(ctx, tx, "", user, a, templates.Origin{At: tx.Now()}, user.Language,
		audit.Event{Kind: audit.AuthenticatorAdded, Data: map[string]string{"serial": serial, "kind": string(a.Kind), "name": a.Name}})
}
