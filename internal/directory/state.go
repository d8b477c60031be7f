package directory

import (
	"context"
	"fmt"
	"maps"
	"strconv"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/push"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/templates"
)

// Lock locks a user's logins in all browsers until an operator unlocks them. Open sessions
// continue; Disable ends them too. It does nothing, and writes no event, if the user is locked
// already.
func (d *Directory) Lock(ctx context.Context, who identity.Principal, tenant, user string) (identity.User, error) {
	return d.changeUser(ctx, who, tenant, user, func(tx *store.Tx, u identity.User) error {
		done, err := tx.Users().Lock(ctx, tenant, u.ID)
		if err != nil || !done {
			return err
		}
		return tx.Event(ctx, audit.Event{Tenant: tenant, Kind: audit.UserLocked, User: u.ID, Reason: "operator"})
	})
}

// Unlock ends all locks of a user: of logins (CRED-20), of push (PUSH-9) and of passcodes
// (CRED-12).
func (d *Directory) Unlock(ctx context.Context, who identity.Principal, tenant, user string) (identity.User, error) {
	return d.changeUser(ctx, who, tenant, user, func(tx *store.Tx, u identity.User) error {
		if err := tx.Users().Unlock(ctx, tenant, u.ID); err != nil {
			return fmt.Errorf("directory: unlock: %w", err)
		}
		if _, err := push.Unlock(ctx, tx, tenant, u.ID); err != nil {
			return err
		}
		row, err := tx.Policies().Get(ctx, tenant, policy.KindLockout)
		if err != nil {
			return err
		}
		rules, err := policy.Read[policy.Lockout](row.Document)
		if err != nil {
			return fmt.Errorf("directory: unlock: %w", err)
		}
		if err := NotifyUnlocked(ctx, tx, rules, u, templates.Origin{At: tx.Now()}); err != nil {
			return err
		}
		return tx.Event(ctx, audit.Event{Tenant: tenant, Kind: audit.UserUnlocked, User: u.ID})
	})
}

// Disable prevents a user from logging in until Enable, and ends everything that is open:
// sessions, journeys, push requests and tokens of applications. Logins with the name then
// look like those with an unknown name (ENR-4).
func (d *Directory) Disable(ctx context.Context, who identity.Principal, tenant, user string) (identity.User, error) {
	return d.changeUser(ctx, who, tenant, user, func(tx *store.Tx, u identity.User) error {
		done, err := tx.Users().Disable(ctx, tenant, u.ID)
		if err != nil || !done {
			return err
		}
		ended, err := tx.Users().RevokeAllAccess(ctx, tenant, u.ID)
		if err != nil {
			return err
		}
		return tx.Event(ctx, audit.Event{Tenant: tenant, Kind: audit.UserDisabled, User: u.ID, Data: revokedData(ended)})
	})
}

// Enable lets a disabled user log in again. A login that was in progress on another node when
// the user was disabled may have left something open. It is ended first, so that nothing from
// before becomes valid again.
func (d *Directory) Enable(ctx context.Context, who identity.Principal, tenant, user string) (identity.User, error) {
	return d.changeUser(ctx, who, tenant, user, func(tx *store.Tx, u identity.User) error {
		if u.Enabled() {
			return nil
		}
		if _, err := tx.Users().RevokeAllAccess(ctx, tenant, u.ID); err != nil {
			return err
		}
		done, err := tx.Users().Enable(ctx, tenant, u.ID)
		if err != nil || !done {
			return err
		}
		return tx.Event(ctx, audit.Event{Tenant: tenant, Kind: audit.UserEnabled, User: u.ID})
	})
}

// changeUser changes the user with a name in a transaction and returns the changed user.
func (d *Directory) changeUser(ctx context.Context, who identity.Principal, tenant, user string,
	change func(tx *store.Tx, u identity.User) error) (identity.User, error) {
	var u identity.User
	err := d.db.InTx(ctx, who, func(tx *store.Tx) (err error) {
		if u, err = tx.Users().ByName(ctx, tenant, user); err != nil {
			return err
		}
		if err = change(tx, u); err != nil {
			return err
		}
		u, err = tx.Users().Get(ctx, tenant, u.ID)
		return err
	})
	return u, err
}

// revokedData returns the counts of what was ended as data of an event, without zero counts.
func revokedData(e store.RevokedAccess) map[string]string {
	data := map[string]string{"sessions": "", "journeys": "", "pushes": "", "grants": ""}
	for name, n := range map[string]int64{"sessions": e.Sessions, "journeys": e.Journeys, "pushes": e.Pushes, "grants": e.Grants} {
		if n > 0 {
			data[name] = strconv.FormatInt(n, 10)
		}
	}
	maps.DeleteFunc(data, func(_, n string) bool { return n == "" })
	return data
}
