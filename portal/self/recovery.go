package self

import (
	"errors"

	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/templates"
)

// recoveryCodes shows how many recovery codes are left (CRED-16).
func (p *Portal) recoveryCodes(pr *PageRequest) (templates.Body, error) {
	set, used, err := p.recoverySet(pr)
	return templates.MeRecovery{Name: pr.User.Name, Left: set.Left, MadeAt: set.MadeAt, Off: !used}, err
}

// makeRecoveryCodes makes a new set and shows it once. The same form sent again
// makes none, so that a reload does not void codes that were just printed: it leads to
// the page that says how many are left.
func (p *Portal) makeRecoveryCodes(pr *PageRequest) (Result, error) {
	if pr.Request.PostFormValue("do") != "make" {
		return Result{}, &identity.Error{Kind: identity.Invalid, Key: "error.invalid"}
	}
	ctx := pr.Request.Context()
	body := templates.MeRecoveryMade{Name: pr.User.Name, Tenant: pr.Tenant.OrganisationName(), Back: pr.Address(pr.Page.Name)}
	again := false
	err := p.DB.InTx(ctx, pr.Principal, func(tx *store.Tx) error {
		if err := pr.UseFormOnce(tx); err != nil {
			again = errors.Is(err, identity.Conflict)
			return err
		}
		u, err := tx.Users().Get(ctx, pr.Tenant.ID, pr.User.ID)
		if err != nil {
			return err
		}
		body.Codes, err = authenticator.MakeRecoveryCodes(ctx, tx, u, pr.Origin(tx.Now()))
		return err
	})
	if again {
		return Result{Page: pr.Page.Name, Message: "codes"}, nil
	}
	return Result{Body: body}, err
}
