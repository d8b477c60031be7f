package self

import (
	"fmt"

	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/templates"
)

// password is the page to change the password.
func (p *Portal) password(pr *PageRequest) (templates.Body, error) {
	row, err := p.DB.Policies().Get(pr.Request.Context(), pr.Tenant.ID, policy.KindPasswords)
	if err != nil {
		return nil, err
	}
	rules, err := policy.Read[policy.Passwords](row.Document)
	if err != nil {
		return nil, fmt.Errorf("portal: %w", err)
	}
	return templates.MePassword{Name: pr.User.Name, MinLength: int(rules.MinLength), CommonAllowed: rules.AllowCommon, NoPassword: pr.User.Password == ""}, nil
}

// changePassword handles the form with the present and the new password.
func (p *Portal) changePassword(pr *PageRequest) (Result, error) {
	form := pr.Request.PostFormValue
	if form("do") != "change" || pr.User.Password == "" {
		return Result{}, &identity.Error{Kind: identity.Invalid, Key: "error.invalid"}
	}
	if form("new") != form("again") {
		return Result{}, &identity.Error{Kind: identity.Invalid, Key: "error.password.different"}
	}
	err := p.Directory.ChangeOwnPassword(pr.Request.Context(), directory.PasswordChange{User: pr.User, Session: pr.Session.ID,
		Organisation: pr.Tenant.OrganisationName(), Old: form("old"), New: form("new"), EndOthers: form("end-others") == "yes",
		From: pr.Origin(p.DB.Now()), Who: pr.Principal})
	return Result{Page: pr.Page.Name, Message: "password"}, err
}
