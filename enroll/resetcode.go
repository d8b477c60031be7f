package enroll

import (
	"context"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/templates"
)

var toReset = codePurpose{name: "reset code", use: "password reset code",
	sent: audit.ResetCodeSent, right: audit.ResetCodeRight, fail: audit.ResetCodeWrong,
	letter:      func(c templates.VerificationCode) templates.Mail { return templates.PasswordReset(c) },
	unreachable: audit.Event{Kind: audit.ResetCodeSent, Reason: "no mail address"}}

// SendResetCode asks for a code to be mailed to who forgot the password, as
// [SendCode] does for who has no authenticator yet: under limits like those, and
// with a nil user where there is nobody to mail to, who is not told apart. What the
// journey had passed is taken back, since nothing of it is fresh: a session left open
// in somebody's browser, with their mail beside it, must not be enough to set a
// password.
func SendResetCode(ctx context.Context, tx *store.Tx, j *identity.Journey, user *identity.User, rules Rules, lang string) error {
	if err := toReset.request(ctx, tx, j, user, rules, lang); err != nil {
		return err
	}
	j.Reset, j.Passed = identity.ResetCode, nil
	return nil
}

// CheckResetCode looks at what was typed for the code of [SendResetCode]. problem
// is the locale key of what to tell the person, and empty if it was right; the
// journey then wants a second factor. In a journey that is not waiting for such a
// code nothing is right.
func CheckResetCode(ctx context.Context, tx *store.Tx, j *identity.Journey, typed string, rules Rules) (problem string, err error) {
	if j.Reset != identity.ResetCode {
		return "error.code.expired", nil
	}
	problem, err = toReset.check(ctx, tx, j, typed, rules)
	if err == nil && problem == "" {
		j.Reset = identity.ResetFactor
		extend(j, tx.Now(), seconds(rules.Limits.MailCodeLifetime))
	}
	return problem, err
}
