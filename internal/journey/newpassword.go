package journey

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
)

// resetting is Next where somebody forgot the password. Until the mailed code was
// right every name stands at the same page, whatever is true of it (T-LOG-01).
// Then a second factor is asked for, by the ways there are for who gave a
// password: mail alone sets no password anew, and who has no second factor gets
// none here, or whoever reads the mail would have both. An operator's temporary
// passcode is one.
func resetting(j *identity.Journey, f Facts, now time.Time) Step {
	switch {
	case j.Reset == identity.ResetCode || j.Code.PassedAt.IsZero():
		return AskResetCode
	case now.Before(f.LockedUntil):
		return Locked
	case j.Refused != "" || f.Disabled || !f.Password:
		return Refused
	case j.FactorStands():
		return AskNewPassword
	case f.Assigned > 0 || f.Temporary && f.Codes || len(f.Others) > 0:
		return confirm(j, f, true)
	}
	return Refused
}

// ForgotPassword begins to set a password anew, or sends another code. mailCode
// mails it, to nobody where user is nil; the page is the same for every name.
func (e *Engine) ForgotPassword(ctx context.Context, visit Visit, v *View, mailCode func(tx *store.Tx, j *identity.Journey, user *identity.User) error) (*View, error) {
	return e.Step(ctx, visit, v, func(tx *store.Tx, v *View) error {
		if !v.Rules.Passwords.Reset {
			return stale(v) // switched off since the page was made
		}
		var user *identity.User
		if v.Facts.Password && !v.Facts.Disabled {
			user = &v.User
		}
		err := mailCode(tx, v.Journey, user)
		if refused, ok := errors.AsType[*identity.Error](err); ok && refused.Kind == identity.Throttled {
			v.Journey.Notice = refused.Key
			return nil
		}
		return err
	}, AskPassword, AskResetCode)
}

// passwordDue reports whether the password that was given in this journey must be
// changed before it goes on. One given in an earlier login, whose session stands
// for it, has its time at the next.
func (v *View) passwordDue(now time.Time) bool {
	given := slices.ContainsFunc(v.Journey.Passed, func(p identity.Passed) bool {
		return p.Method == identity.ByPassword && !p.At.Before(v.Journey.StartedAt)
	})
	chosen := cmp.Or(v.User.PasswordChanged, v.User.CreatedAt)
	return given && (v.User.PasswordDue || v.Rules.Passwords.Expired(chosen, now))
}

// NewPassword sets the password that was chosen in the place of one that was
// forgotten, or is due, if it is good enough; the organisation's name is not. One
// that is due is not followed by itself. A password set anew has been given, and
// the login goes on.
func (e *Engine) NewPassword(ctx context.Context, visit Visit, v *View, organisation, typed, again string) (*View, error) {
	if v.Step != AskNewPassword {
		return nil, stale(v)
	}
	forgotten, before := v.Journey.Reset != identity.NotResetting, v.User
	problem, err := e.refuseNew(ctx, visit, v, organisation, typed, again)
	if err != nil {
		return nil, err
	}
	var hash string
	if problem == "" {
		if hash, err = e.Directory.HashPassword(ctx, typed); err != nil {
			return nil, err
		}
	}
	if forgotten {
		visit.Session = identity.Session{} // it ends with all the others
	}
	return e.Step(ctx, visit, v, func(tx *store.Tx, v *View) error {
		j := v.Journey
		if problem != "" {
			j.Notice, v.kept = problem, true
			return nil
		}
		err := directory.Renew(ctx, tx, directory.Renewal{User: before, Hash: hash, Journey: j.ID, Forgotten: forgotten, From: origin(tx, visit, j)})
		if err != nil || !forgotten {
			return err
		}
		j.Reset, j.Method, j.Code.PassedAt = identity.NotResetting, "", time.Time{}
		j.Passed = append(j.Passed, identity.Passed{Validation: identity.Password, Method: identity.ByPassword, At: tx.Now()})
		return nil
	}, AskNewPassword)
}

// refuseNew says, as the locale key of it, what is wrong with a new password.
func (e *Engine) refuseNew(ctx context.Context, visit Visit, v *View, organisation, typed, again string) (problem string, err error) {
	err = e.Directory.Judge(v.Rules.Passwords, v.User, organisation, typed)
	if refused, ok := errors.AsType[*identity.Error](err); ok && refused.Kind == identity.Invalid {
		return refused.Key, nil
	}
	if err != nil || typed != again {
		return "error.password.different", err
	}
	// Hashes cost: an address computes no more of them here than by logging in.
	err = e.DB.InTx(ctx, visit.Who, func(tx *store.Tx) error { return hit(ctx, tx, visit, v, "password") })
	if err != nil || v.Journey.Reset != identity.NotResetting {
		return "", err // who remembers the forgotten one after all may keep it
	}
	if same, err := e.Directory.CheckPassword(ctx, v.User, typed); err != nil || same {
		return "error.password.same", err
	}
	return "", nil
}
