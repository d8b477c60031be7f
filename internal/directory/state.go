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

// Lock locks a user's logins, in all browsers, until an operator unlocks them.
// What is open stays open; Disable ends that too. Locking who is locked changes
// nothing, and no event says otherwise.
func (d *Directory) Lock(ctx context.Context, who identity.Principal, tenant, user string) (identity.User, error) {
	return d.alter(ctx, who, tenant, user, func(tx *store.Tx, u identity.User) error {
		done, err := tx.Users().Lock(ctx, tenant, u.ID)
		if err != nil || !done {
			return err
		}
		return tx.Event(ctx, audit.Event{Tenant: tenant, Kind: audit.UserLocked, User: u.ID, Reason: "operator"})
	})
}

// Unlock ends every lock of a user's logins, whatever locked them (CRED-20), and
// those of push (PUSH-9) and of passcodes (CRED-12).
func (d *Directory) Unlock(ctx context.Context, who identity.Principal, tenant, user string) (identity.User, error) {
	return d.alter(ctx, who, tenant, user, func(tx *store.Tx, u identity.User) error {
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
		if err := TellUnlocked(ctx, tx, rules, u, templates.Origin{At: tx.Now()}); err != nil {
			return err
		}
		return tx.Event(ctx, audit.Event{Tenant: tenant, Kind: audit.UserUnlocked, User: u.ID})
	})
}

// Disable keeps a user from logging in until Enable, and ends all there is
// open: sessions, journeys, push requests, the tokens of applications. To who
// tries to log in, the name is from then on like one nobody has (ENR-4).
func (d *Directory) Disable(ctx context.Context, who identity.Principal, tenant, user string) (identity.User, error) {
	return d.alter(ctx, who, tenant, user, func(tx *store.Tx, u identity.User) error {
		done, err := tx.Users().Disable(ctx, tenant, u.ID)
		if err != nil || !done {
			return err
		}
		ended, err := tx.Users().RevokeAllAccess(ctx, tenant, u.ID)
		if err != nil {
			return err
		}
		return tx.Event(ctx, audit.Event{Tenant: tenant, Kind: audit.UserDisabled, User: u.ID, Data: counted(ended)})
	})
}

// Enable lets a disabled user log in again. A single sign-on that was under way
// on another node while the user was disabled may have left something behind;
// it ends first, so that nothing from before comes to life again.
func (d *Directory) Enable(ctx context.Context, who identity.Principal, tenant, user string) (identity.User, error) {
	return d.alter(ctx, who, tenant, user, func(tx *store.Tx, u identity.User) error {
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

// alter changes the user of a name and returns what came of it.
func (d *Directory) alter(ctx context.Context, who identity.Principal, tenant, user string,
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

// counted tells in an event what was ended; what there was none of is left out.
func counted(e store.RevokedAccess) map[string]string {
	data := map[string]string{"sessions": "", "journeys": "", "pushes": "", "grants": ""}
	for name, n := range map[string]int64{"sessions": e.Sessions, "journeys": e.Journeys, "pushes": e.Pushes, "grants": e.Grants} {
		if n > 0 {
			data[name] = strconv.FormatInt(n, 10)
		}
	}
	maps.DeleteFunc(data, func(_, n string) bool { return n == "" })
	return data
}
