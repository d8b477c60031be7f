package idp

import (
	"context"
	"net/http"

	"github.com/latchkey-id/latchkey/enroll"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/templates"
)

// forgotPassword mails the code to set the password anew, if there is somebody to
// mail it to; the page does not tell.
func (s *sitting) forgotPassword(ctx context.Context, visit journey.Visit) (*journey.View, error) {
	return s.idp.Engine.ForgotPassword(ctx, visit, s.view, func(tx *store.Tx, j *identity.Journey, user *identity.User) error {
		rules, err := enroll.ReadRules(ctx, tx.Reader, s.tenant.ID)
		if err != nil {
			return err
		}
		return enroll.SendResetCode(ctx, tx, j, user, rules, s.l.Lang())
	})
}

// checkResetCode takes that code.
func (s *sitting) checkResetCode(r *http.Request, visit journey.Visit) (*journey.View, error) {
	return s.enrollment(r.Context(), visit, func(tx *store.Tx, j *identity.Journey, rules enroll.Rules) (err error) {
		j.Notice, err = enroll.CheckResetCode(r.Context(), tx, j, r.PostFormValue("code"), rules)
		return err
	}, journey.AskResetCode)
}

// newPassword is the page on which a password is chosen.
func (s *sitting) newPassword() templates.NewPassword {
	j, rules := s.view.Journey, s.view.Rules.Passwords
	return templates.NewPassword{Application: s.app.Name, Name: j.Name, Forgotten: j.Reset != identity.NotResetting,
		Least: int(rules.Least), Known: rules.Known}
}
