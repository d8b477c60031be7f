package admin

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/oidcclient"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/signingkey"
	"github.com/latchkey-id/latchkey/internal/store"
)

// AddApplication adds an application, which a protocol's package made, to a
// tenant.
func AddApplication(ctx context.Context, db *store.DB, who identity.Principal, tenant string, app identity.Application) (identity.Application, error) {
	err := db.InTx(ctx, who, func(tx *store.Tx) (err error) {
		app, err = addApplication(ctx, tx, tenant, app)
		return err
	})
	return app, err
}

func addApplication(ctx context.Context, tx *store.Tx, tenant string, app identity.Application) (identity.Application, error) {
	app.Tenant = tenant
	if err := cleanName(&app); err != nil {
		return app, err
	}
	if err := ensureKey(ctx, tx, app); err != nil {
		return app, err
	}
	if err := tx.Applications().Add(ctx, app); err != nil {
		return app, err
	}
	err := tx.Event(ctx, audit.Event{Tenant: tenant, Kind: audit.ApplicationAdded, Application: app.ID, Data: map[string]string{
		"name": app.Name, "protocol": string(app.Protocol), "identifier": app.Identifier, "after": string(app.Config)}})
	if err != nil {
		return app, err
	}
	return tx.Applications().Get(ctx, tenant, app.ID)
}

// cleanName cleans and checks the name of an application, here for all protocols and all
// acts.
func cleanName(app *identity.Application) error {
	app.Name = strings.TrimSpace(app.Name)
	if app.Name == "" || len(app.Name) > identity.MaxName || identity.CleanTyped(app.Name) != app.Name {
		return invalid("a name has 1 to %d bytes, and no control characters", identity.MaxName)
	}
	return nil
}

// ensureKey makes the key that an application's ID tokens are to be signed with, if its
// tenant has none of that kind.
func ensureKey(ctx context.Context, tx *store.Tx, app identity.Application) error {
	if app.Protocol != identity.OIDC {
		return nil
	}
	c, err := oidcclient.Read(app)
	if err != nil {
		return err
	}
	return signingkey.Ensure(ctx, tx, app.Tenant, c.Algorithm)
}

// ChangeApplication changes an application into what next makes of the present one,
// and reports whether anything is different. The event has the values before and
// after; kind is audit.ApplicationChanged or audit.ClientSecretMade. The application
// that stands for the tenant's own pages cannot be changed: an identity.Invalid.
func ChangeApplication(ctx context.Context, db *store.DB, who identity.Principal, tenant, id string, kind audit.Kind,
	next func(present identity.Application) (identity.Application, error)) (app identity.Application, changed bool, err error) {
	err = db.InTx(ctx, who, func(tx *store.Tx) error {
		before, err := existing(ctx, tx, tenant, id)
		if err != nil {
			return err
		}
		after, err := next(before)
		if err != nil {
			return err
		}
		if changed, err = changeApplication(ctx, tx, before, after, kind, nil); err != nil {
			return err
		}
		app, err = tx.Applications().Get(ctx, tenant, id)
		return err
	})
	return app, changed, err
}

// changeApplication replaces before by after, with an event unless nothing that an
// operator could see is different. more is further data for the event.
func changeApplication(ctx context.Context, tx *store.Tx, before, after identity.Application, kind audit.Kind, more map[string]string) (bool, error) {
	if after.Name != before.Name { // one that was stored by other rules keeps nobody from other changes
		if err := cleanName(&after); err != nil {
			return false, err
		}
	}
	if err := ensureKey(ctx, tx, after); err != nil {
		return false, err
	}
	data := map[string]string{}
	differ := func(name, old, now string) {
		if old != now {
			data[name+"before"], data[name+"after"] = old, now
		}
	}
	differ("name_", before.Name, after.Name)
	differ("identifier_", before.Identifier, after.Identifier)
	differ("home_", before.Home, after.Home)
	differ("cannot_show_number_", strconv.FormatBool(before.CannotShowNumber), strconv.FormatBool(after.CannotShowNumber))
	differ("push_without_presence_", strconv.FormatBool(before.PushWithoutPresence), strconv.FormatBool(after.PushWithoutPresence))
	differ("", string(before.Config), string(after.Config))
	if len(data) == 0 && before.ValidUntil.Equal(after.ValidUntil) {
		return false, nil
	}
	if err := tx.Applications().Change(ctx, before, after); err != nil || len(data) == 0 {
		return false, err
	}
	maps.Copy(data, more)
	return true, tx.Event(ctx, audit.Event{Tenant: before.Tenant, Kind: kind, Application: before.ID, Data: data})
}

// RemoveApplication removes an application. Its tokens, its part in sessions and the
// logins to it that are under way end; what these were is returned. An application
// that the access policy names is a Conflict, since taking it out of a rule is a
// decision about who may log in to what.
func RemoveApplication(ctx context.Context, db *store.DB, who identity.Principal, tenant, id string) (use store.ApplicationUse, err error) {
	err = db.InTx(ctx, who, func(tx *store.Tx) error {
		app, err := existing(ctx, tx, tenant, id)
		if err != nil {
			return err
		}
		if err := checkNotInPolicy(ctx, tx, app); err != nil {
			return err
		}
		if use, err = tx.Applications().Use(ctx, tenant, id); err != nil {
			return err
		}
		if err := tx.Applications().Remove(ctx, tenant, id); err != nil {
			return err
		}
		return tx.Event(ctx, audit.Event{Tenant: tenant, Kind: audit.ApplicationRemoved, Application: id, Data: map[string]string{
			"name": app.Name, "protocol": string(app.Protocol), "identifier": app.Identifier, "home": app.Home, "before": string(app.Config),
			"sessions": fmt.Sprint(use.Sessions), "refresh_tokens": fmt.Sprint(use.Offline), "logins": fmt.Sprint(use.Journeys)}})
	})
	return use, err
}

// existing returns an application that was not removed and is not the tenant's own
// pages.
func existing(ctx context.Context, tx *store.Tx, tenant, id string) (identity.Application, error) {
	app, err := tx.Applications().Get(ctx, tenant, id)
	switch {
	case err != nil:
		return app, err
	case !app.RemovedAt.IsZero():
		return app, &identity.Error{Kind: identity.NotFound, Key: "error.notfound", Err: fmt.Errorf("application %s was removed", app.Name)}
	case app.Protocol == identity.Portal:
		return app, invalid("%q is the tenant's own pages, which stay as they are", app.Name)
	}
	return app, nil
}

// checkNotInPolicy returns a Conflict while a rule of the access policy names app.
func checkNotInPolicy(ctx context.Context, tx *store.Tx, app identity.Application) error {
	set, err := tx.Policies().Get(ctx, app.Tenant, policy.KindAccess)
	if err != nil {
		return err
	}
	access, err := policy.Read[policy.Access](set.Document)
	if err != nil {
		return err
	}
	var rules []string
	for _, r := range access.Rules {
		if slices.Contains(r.Applications, app.ID) {
			rules = append(rules, fmt.Sprintf("%q", r.Name))
		}
	}
	if len(rules) == 0 {
		return nil
	}
	return &identity.Error{Kind: identity.Conflict, Key: "error.conflict",
		Err: fmt.Errorf("the access policy names %q in %s: take it out there first", app.Name, strings.Join(rules, ", "))}
}

func invalid(format string, args ...any) error {
	return &identity.Error{Kind: identity.Invalid, Key: "error.invalid", Err: fmt.Errorf(format, args...)}
}
