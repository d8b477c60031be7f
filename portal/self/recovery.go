package self

import (
	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/templates"
)

// recoveryCodes shows how many recovery codes are left (CRED-16).
func (p *Portal) recoveryCodes(pr *PageRequest) (templates.Body, error) {
	set, err := p.DB.RecoveryCodes().Get(pr.Request.Context(), pr.Tenant.ID, pr.User.ID)
	return templates.MeRecovery{Name: pr.User.Name, Left: set.Left, MadeAt: set.MadeAt}, err
}

// makeRecoveryCodes makes a new set and shows it once. The same form sent again
// makes none, so that a reload does not void codes that were just printed.
func (p *Portal) makeRecoveryCodes(pr *PageRequest) (Result, error) {
	if pr.Request.PostFormValue("do") != "make" {
		return Result{}, &identity.Error{Kind: identity.Invalid, Key: "error.invalid"}
	}
	ctx := pr.Request.Context()
	body := templates.MeRecoveryMade{Name: pr.User.Name, Tenant: pr.Tenant.OrganisationName(), Back: pr.Address(pr.Page.Name)}
	err := p.DB.InTx(ctx, pr.Principal, func(tx *store.Tx) error {
		if err := pr.UseFormOnce(tx); err != nil {
			return err
		}
		u, err := tx.Users().Get(ctx, pr.Tenant.ID, pr.User.ID)
		if err != nil {
			return err
		}
		body.Codes, err = authenticator.MakeRecoveryCodes(ctx, tx, u, pr.Origin(tx.Now()))
		return err
	})
	return Result{Body: body}, err
}
