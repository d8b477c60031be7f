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

// A PasswordChange is a person's own: the present password and the one to be.
type PasswordChange struct {
	User         identity.User
	Session      string // id of the one at hand, which goes on
	Organisation string
	Old, New     string // in clear
	EndOthers    bool   // end every other session
	From         templates.Origin
	Who          identity.Principal
}

// ChangeOwnPassword gives a user another password, who knows the present one. A
// wrong one counts as in a login and may lock (CRED-20): a session left open is no
// place to guess it. What was proved with the old one in logins under way is
// taken back, remembered devices are forgotten, other sessions end if that was
// wanted, and the user is told by mail.
func (d *Directory) ChangeOwnPassword(ctx context.Context, c PasswordChange) error {
	u, tally := c.User, store.FailureCounter{Tenant: c.User.Tenant, User: c.User.ID}
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
		if err := d.Judge(rules, u, c.Organisation, c.New); err != nil {
			return err // said before anything is evaluated, and no try
		}
		rate := store.Rate{Kind: "own password", Max: 20, Per: 5 * time.Minute}
		if err := tx.Allow(ctx, u.Tenant, rate, u.ID); err != nil {
			return err
		}
		evaluate, err = tx.Attempts().Reserve(ctx, tally, lockout.Threshold)
		return err
	})
	if err != nil {
		return err
	}
	var candidate identity.User
	if evaluate {
		candidate = u
	}
	giveBack := func(tx *store.Tx) error {
		if lockout.Threshold == 0 {
			return nil // nothing was reserved
		}
		return tx.Attempts().Refund(ctx, tally)
	}
	right, err := d.CheckPassword(ctx, candidate, c.Old)
	if err != nil {
		if evaluate { // nothing was, for want of time
			err = errors.Join(err, d.db.InTx(ctx, c.Who, giveBack))
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
			return LockIfExceeded(ctx, tx, lockout, tally, u, "", c.From)
		})
		if err == nil {
			err = invalid("error.password.old")
		}
		return err
	}
	hashed, err := d.HashPassword(ctx, c.New)
	if err != nil {
		return errors.Join(err, d.db.InTx(ctx, c.Who, giveBack))
	}
	return d.db.InTx(ctx, c.Who, func(tx *store.Tx) error {
		if err := giveBack(tx); err != nil {
			return err
		}
		return replaceOwn(ctx, tx, c, hashed)
	})
}

// replaceOwn puts the new password in the place of the one that was checked; of
// two changes at once one is made.
func replaceOwn(ctx context.Context, tx *store.Tx, c PasswordChange, hashed string) error {
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
		ended, err := endOthers(ctx, tx, u, c.Session)
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
	return tell(ctx, tx, u, "", templates.PasswordChanged{Name: u.Name, Origin: c.From})
}

// A Renewal is a password that its user sets in the middle of a login.
type Renewal struct {
	User      identity.User // with the password that is replaced
	Hash      string        // of the new one
	Journey   string        // id of the login, which goes on
	Forgotten bool          // set anew by a mailed code and a second factor; else changed because it was due
	From      templates.Origin
}

// Renew puts the new password in the place of the old one, as it was looked at:
// another that was set meanwhile is a Conflict. Remembered devices are forgotten,
// and other logins under way ask for the new one. Where the old one was forgotten,
// all that it opened ends too: who sets it anew may be about to throw somebody out.
func Renew(ctx context.Context, tx *store.Tx, r Renewal) error {
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
		err = endWhatItOpened(ctx, tx, u, r.Journey, data)
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
	return tell(ctx, tx, u, "", templates.PasswordChanged{Name: u.Name, How: how, Origin: r.From})
}
