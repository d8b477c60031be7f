package directory

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/templates"
)

// A PasswordChange is a user's change of the own password.
type PasswordChange struct {
	User         identity.User
	Session      string // id of the present session, which continues
	Organisation string
	Old, New     string // plain text
	EndOthers    bool   // end all other sessions
	From         templates.Origin
	Who          identity.Principal
}

// ChangeOwnPassword changes the password of a user who knows the present one, for another. A wrong one
// counts as in a login and may lock the user (CRED-20), so that an open session cannot be
// used to guess it. What was proved with the old password in open journeys is invalidated,
// remembered devices are forgotten, other sessions end if requested, and the user is notified
// by mail.
func (d *Directory) ChangeOwnPassword(ctx context.Context, c PasswordChange) error {
	u, counter := c.User, store.FailureCounter{Tenant: c.User.Tenant, User: c.User.ID}
	var lockout policy.Lockout
	var rules policy.Passwords
	var evaluate bool
	err := d.db.InTx(ctx, c.Who, func(tx *store.Tx) error {
		all, err := tx.Policies().All(ctx, u.Tenant)
		if err != nil {
			return err
		}
		var errLockout, errRules error
		lockout, errLockout = policy.Read[policy.Lockout](all[policy.KindLockout].Document)
		rules, errRules = policy.Read[policy.Passwords](all[policy.KindPasswords].Document)
		if err := errors.Join(errLockout, errRules); err != nil {
			return err
		}
		if err := d.CheckNewPassword(rules, u, c.Organisation, c.New); err != nil {
			return err // before anything is checked; not counted as an attempt
		}
		rate := store.Rate{Kind: "own password", Max: 20, Per: 5 * time.Minute}
		if err := tx.Allow(ctx, u.Tenant, rate, u.ID); err != nil {
			return err
		}
		evaluate, err = tx.Attempts().Reserve(ctx, counter, lockout.Threshold)
		return err
	})
	if err != nil {
		return err
	}
	var candidate identity.User
	if evaluate {
		candidate = u
	}
	refund := func(tx *store.Tx) error {
		if lockout.Threshold == 0 {
			return nil // nothing was reserved
		}
		return tx.Attempts().Refund(ctx, counter)
	}
	right, err := d.CheckPassword(ctx, candidate, c.Old)
	if err != nil {
		if evaluate { // the check did not happen, because the server is busy
			err = errors.Join(err, d.db.InTx(ctx, c.Who, refund))
		}
		return err
	}
	if !right {
		err := d.db.InTx(context.WithoutCancel(ctx), c.Who, func(tx *store.Tx) error {
			err := tx.Event(ctx, audit.Event{Tenant: u.Tenant, Kind: audit.PasswordWrong, User: u.ID, Reason: "to change it",
				Personal: map[string]string{"name": u.Name}})
			if err != nil {
				return err
			}
			return LockIfExceeded(ctx, tx, lockout, counter, u, "", c.From)
		})
		if err == nil {
			err = invalid("error.password.old")
		}
		return err
	}
	if samePassword(c.Old, c.New) {
		return errors.Join(invalid("error.password.same"), d.db.InTx(ctx, c.Who, refund))
	}
	hashed, err := d.HashPassword(ctx, c.New)
	if err != nil {
		return errors.Join(err, d.db.InTx(ctx, c.Who, refund))
	}
	return d.db.InTx(ctx, c.Who, func(tx *store.Tx) error {
		if err := refund(tx); err != nil {
			return err
		}
		return replaceOwnPassword(ctx, tx, c, hashed)
	})
}

// samePassword reports whether two typed texts are the same password.
func samePassword(one, other string) bool {
	a, okA := canonical(one)
	b, okB := canonical(other)
	return okA && okB && a == b
}

// replaceOwnPassword replaces the password that was checked. Of concurrent changes only one
// succeeds.
func replaceOwnPassword(ctx context.Context, tx *store.Tx, c PasswordChange, hashed string) error {
	u := c.User
	replaced, err := tx.Users().ReplacePassword(ctx, u.Tenant, u.ID, u.Password, hashed)
	if err != nil {
		return err
	}
	if !replaced {
		return &identity.Error{Kind: identity.Conflict, Key: "error.conflict"}
	}
	data := map[string]string{"password": "changed", "by": "its user"}
	if c.EndOthers {
		ended, err := endOtherSessions(ctx, tx, u, c.Session)
		if err != nil {
			return err
		}
		data["sessions"] = strconv.Itoa(ended)
	}
	if _, err := tx.Devices().ForgetAll(ctx, u.Tenant, u.ID, "password changed"); err != nil {
		return err
	}
	if err := tx.Journeys().RevokePassword(ctx, u.Tenant, u.ID, ""); err != nil {
		return err
	}
	if err := tx.Event(ctx, audit.Event{Tenant: u.Tenant, Kind: audit.UserChanged, User: u.ID, Data: data}); err != nil {
		return err
	}
	return queueMail(ctx, tx, u, "", templates.PasswordChanged{Name: u.Name, Origin: c.From})
}

// A PasswordRenewal is a new password that its user sets during a login.
type PasswordRenewal struct {
	User      identity.User // with the hash of the password to be replaced
	Hash      string        // of the new password
	Journey   string        // id of the login, which continues
	Forgotten bool          // replaced by a mailed code and a second factor; otherwise changed because it was due
	From      templates.Origin
}

// RenewPassword replaces a password. If it was changed meanwhile, it returns a Conflict.
// Remembered devices are forgotten, and other open journeys ask for the new password. If the
// old one was forgotten, everything that it opened ends too, because the user may be
// replacing it to stop an intruder.
func RenewPassword(ctx context.Context, tx *store.Tx, r PasswordRenewal) error {
	u, how, data := r.User, templates.PasswordDue, map[string]string{"password": "changed", "by": "its user, when it was due"}
	replaced, err := tx.Users().ReplacePassword(ctx, u.Tenant, u.ID, u.Password, r.Hash)
	if err != nil {
		return err
	}
	if !replaced {
		return &identity.Error{Kind: identity.Conflict, Key: "error.conflict"}
	}
	if r.Forgotten {
		how, data["by"] = templates.PasswordForgotten, "its user, who had forgotten it"
		err = revokeOldPassword(ctx, tx, u, r.Journey, data)
	} else {
		_, err = tx.Devices().ForgetAll(ctx, u.Tenant, u.ID, "password changed")
		if err == nil {
			err = tx.Journeys().RevokePassword(ctx, u.Tenant, u.ID, r.Journey)
		}
	}
	if err != nil {
		return err
	}
	if err := tx.Event(ctx, audit.Event{Tenant: u.Tenant, Kind: audit.UserChanged, User: u.ID, Journey: r.Journey, Data: data}); err != nil {
		return err
	}
	return queueMail(ctx, tx, u, "", templates.PasswordChanged{Name: u.Name, How: how, Origin: r.From})
}
