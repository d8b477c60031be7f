package journey

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/latchkey-id/latchkey/enroll"
	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
)

// forgotPassword begins to reset a password, or sends another code. The code is
// mailed to nobody where there is no such user; the page is the same for every
// name.
func (f *flow) forgotPassword(ctx context.Context, tx *store.Tx) error {
	if !f.Rules.Passwords.Reset {
		return errNotHere // switched off since the page was made
	}
	var user *identity.User
	if f.Facts.Password && !f.Facts.Disabled {
		user = &f.User
	}
	return f.noticeThrottled(enroll.SendResetCode(ctx, tx, f.Journey, user, f.Rules.enrollment(), f.language()))
}

// enterResetCode takes that code.
func (f *flow) enterResetCode(ctx context.Context, tx *store.Tx, in EnterMailCode) (err error) {
	f.Journey.Notice, err = enroll.CheckResetCode(ctx, tx, f.Journey, in.Code, f.Rules.enrollment())
	return f.noticeThrottled(err)
}

// passwordDue reports whether the password that was given in this journey must be
// changed before it goes on. One given in an earlier login, whose session stands
// for it, has its time at the next.
func (f *flow) passwordDue(now time.Time) bool {
	given := slices.ContainsFunc(f.Journey.Passed, func(p identity.CompletedFactor) bool {
		return p.Method == identity.ByPassword && !p.At.Before(f.Journey.StartedAt)
	})
	chosen := cmp.Or(f.User.PasswordChanged, f.User.CreatedAt)
	return given && (f.User.PasswordDue || f.Rules.Passwords.Expired(chosen, now))
}

// choosePassword sets the password that was chosen in place of one that was
// forgotten or is due, if it is good enough; one that contains the organisation's
// name is not. It must be another than the present one. A password that was
// reset has been given by that, and the login goes on.
func (t *taking) choosePassword(ctx context.Context, in ChoosePassword) (*Prompt, error) {
	f, err := t.engine.load(ctx, t.engine.DB.Reader, t.client, t.journey)
	if err != nil {
		return nil, err
	}
	if !f.at(AskNewPassword) || !f.fits(t.state, in) {
		return f.stale(ctx, t.engine.DB.Reader)
	}
	problem, hash, err := t.prepareNewPassword(ctx, f, in)
	if err != nil {
		return nil, err
	}
	forgotten, before := f.Journey.Reset != identity.NotResetting, f.User
	if forgotten {
		t.client.Session = identity.Session{} // it ends with all the others
	}
	return t.commit(ctx, func(ctx context.Context, tx *store.Tx, f *flow) error {
		if !f.at(AskNewPassword) {
			return errNotHere
		}
		j := f.Journey
		if problem != "" {
			j.Notice, f.unchanged = problem, true
			return nil
		}
		err := directory.RenewPassword(ctx, tx, directory.PasswordRenewal{User: before, Hash: hash, Journey: j.ID, Forgotten: forgotten, From: f.origin(tx)})
		if err != nil || !forgotten {
			return err
		}
		j.Reset, j.Method, j.Code.PassedAt = identity.NotResetting, "", time.Time{}
		j.Passed = append(j.Passed, identity.CompletedFactor{Validation: identity.Password, Method: identity.ByPassword, At: tx.Now()})
		return nil
	})
}

// prepareNewPassword returns the hash of a new password, or as a locale key what
// is wrong with it. Hashes cost, so they are counted like those of passwords
// typed: an address computes no more of them here than by signing in.
func (t *taking) prepareNewPassword(ctx context.Context, f *flow, in ChoosePassword) (problem, hash string, err error) {
	e := t.engine
	err = e.Directory.CheckNewPassword(f.Rules.Passwords, f.User, t.client.Tenant.OrganisationName(), in.Password)
	if refused, ok := errors.AsType[*identity.Error](err); ok && refused.Kind == identity.Invalid {
		return refused.Key, "", nil
	}
	if err != nil {
		return "", "", err
	}
	if in.Password != in.Again {
		return "error.password.different", "", nil
	}
	slot, err := e.Directory.AcquireHashSlot(ctx)
	if err != nil {
		return "", "", err
	}
	defer slot.Release()
	err = e.DB.InTx(ctx, t.client.Who, func(tx *store.Tx) error { return f.allow(ctx, tx, "password") })
	if err != nil {
		return "", "", err
	}
	if same, err := slot.Check(ctx, f.User, in.Password); err != nil || same {
		return "error.password.same", "", err
	}
	hash, err = slot.Hash(ctx, in.Password)
	return "", hash, err
}
