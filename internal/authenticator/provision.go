package authenticator

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

// A TokenSpec says what an authenticator is like that an operator gives to a user:
// a hardware token, or a secret for an app.
type TokenSpec struct {
	Kind   identity.AuthenticatorKind // TOTP or HOTP
	Name   string                     // what to call it; its serial if empty
	Secret []byte                     // what the token holds; a new one if empty
	Digits int                        // 6 or 8
	Period int64                      // seconds of a time step, 30 or 60; TOTP alone
}

// Provision adds an active authenticator to a user and returns it with the key to
// put into an app. The key is in no answer after this one.
//
// What the user had begun to enrol alone is void: self-provisioning is for users
// without an authenticator (ENR-1).
func Provision(ctx context.Context, tx *store.Tx, user identity.User, spec TokenSpec) (identity.Authenticator, otp.Key, error) {
	params := otp.Params{Digits: spec.Digits, Period: spec.Period}
	byEvents := spec.Kind == identity.HOTP
	if !byEvents && spec.Kind != identity.TOTP || !params.Valid() {
		return identity.Authenticator{}, otp.Key{}, &identity.Error{Kind: identity.Invalid, Key: "error.invalid",
			Err: fmt.Errorf("authenticator: no %q authenticator of %d digits every %d seconds can be provisioned", spec.Kind, spec.Digits, spec.Period)}
	}
	if err := VoidActivation(ctx, tx, user.Tenant, user.ID, "replaced"); err != nil {
		return identity.Authenticator{}, otp.Key{}, err
	}
	tenant, err := tx.Tenants().Get(ctx, user.Tenant)
	if err != nil {
		return identity.Authenticator{}, otp.Key{}, err
	}
	serial, err := NewSerial(ctx, tx, user.Tenant)
	if err != nil {
		return identity.Authenticator{}, otp.Key{}, err
	}
	if len(spec.Secret) == 0 {
		spec.Secret = otp.NewSecret(otp.SHA1)
	}
	a := identity.Authenticator{Tenant: user.Tenant, ID: identity.NewID(identity.AuthenticatorID), Serial: serial, Kind: spec.Kind,
		Name: cmp.Or(identity.CleanTyped(spec.Name), serial), Seed: spec.Secret, Digits: cmp.Or(spec.Digits, 6), Step: cmp.Or(spec.Period, 30),
		LastStep: -1, Template: []byte(`{}`), EnrolledAt: tx.Now(), ActivatedAt: tx.Now()}
	if byEvents {
		a.Step = 0
	}
	if err := tx.Authenticators().Add(ctx, a, user.ID); err != nil {
		return identity.Authenticator{}, otp.Key{}, err
	}
	key := otp.Key{Issuer: tenant.OrganisationName(), Account: user.Name, Secret: spec.Secret, Params: params, Event: byEvents}
	return a, key, Added(ctx, tx, "", user, a, templates.Origin{At: tx.Now()}, user.Language,
		audit.Event{Kind: audit.AuthenticatorAdded, Data: map[string]string{"serial": serial, "kind": string(a.Kind), "name": a.Name}})
}
