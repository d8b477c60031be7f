package self

import (
	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/templates"
)

// recoveryCodes says how the person's recovery codes stand (CRED-16).
func (p *Portal) recoveryCodes(v *Visit) (templates.Body, error) {
	set, err := p.DB.RecoveryCodes().Get(v.Request.Context(), v.Tenant.ID, v.User.ID)
	return templates.MeRecovery{Name: v.User.Name, Left: set.Left, MadeAt: set.MadeAt}, err
}

// makeRecoveryCodes makes a new set and shows it, this once. The same form sent
// again makes none, so that a reload does not void what was just printed.
func (p *Portal) makeRecoveryCodes(v *Visit) (Answer, error) {
	if v.Request.PostFormValue("do") != "make" {
		return Answer{}, &identity.Error{Kind: identity.Invalid, Key: "error.invalid"}
	}
	ctx := v.Request.Context()
	body := templates.MeRecoveryMade{Name: v.User.Name, Tenant: v.Tenant.OrganisationName(), Back: v.Address(v.Page.Name)}
	err := p.DB.InTx(ctx, v.Who, func(tx *store.Tx) error {
		if err := v.Once(tx); err != nil {
			return err
		}
		u, err := tx.Users().Get(ctx, v.Tenant.ID, v.User.ID)
		if err != nil {
			return err
		}
		body.Codes, err = authenticator.MakeRecoveryCodes(ctx, tx, u, v.Origin(tx.Now()))
		return err
	})
	return Answer{Body: body}, err
}
