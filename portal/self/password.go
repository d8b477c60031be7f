package self

import (
	"fmt"

	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/templates"
)

// password is where the person changes the password.
func (p *Portal) password(v *Visit) (templates.Body, error) {
	row, err := p.DB.Policies().Get(v.Request.Context(), v.Tenant.ID, policy.KindPasswords)
	if err != nil {
		return nil, err
	}
	rules, err := policy.Read[policy.Passwords](row.Document)
	if err != nil {
		return nil, fmt.Errorf("portal: %w", err)
	}
	return templates.MePassword{Name: v.User.Name, MinLength: int(rules.MinLength), CommonAllowed: rules.AllowCommon, NoPassword: v.User.Password == ""}, nil
}

// changePassword takes the present password and the new one.
func (p *Portal) changePassword(v *Visit) (Answer, error) {
	form := v.Request.PostFormValue
	if form("do") != "change" || v.User.Password == "" {
		return Answer{}, &identity.Error{Kind: identity.Invalid, Key: "error.invalid"}
	}
	if form("new") != form("again") {
		return Answer{}, &identity.Error{Kind: identity.Invalid, Key: "error.password.different"}
	}
	err := p.Directory.ChangeOwnPassword(v.Request.Context(), directory.PasswordChange{User: v.User, Session: v.Session.ID,
		Organisation: v.Tenant.OrganisationName(), Old: form("old"), New: form("new"), EndOthers: form("end-others") == "yes",
		From: v.Origin(p.DB.Now()), Who: v.Who})
	return Answer{To: v.Page.Name, Said: "password"}, err
}
