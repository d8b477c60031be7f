package admin

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/text/language"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/signingkey"
	"github.com/latchkey-id/latchkey/internal/store"
)

// slug is what can be part of an address and of a cookie's name without escaping.
var slug = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$`)

// AddTenant adds a tenant with all that its first login needs: a data key, signing
// keys, and the application that stands for its self-service pages.
func AddTenant(ctx context.Context, db *store.DB, who identity.Principal, t identity.Tenant) (identity.Tenant, error) {
	return addTenant(ctx, db, who, t, func(*store.Tx) error { return nil })
}

// AddFirstTenant is AddTenant for an installation that has none. If it has one, it
// returns a Conflict.
func AddFirstTenant(ctx context.Context, db *store.DB, who identity.Principal, t identity.Tenant) (identity.Tenant, error) {
	return addTenant(ctx, db, who, t, func(tx *store.Tx) error { return tx.Installation().Claim(ctx) })
}

func addTenant(ctx context.Context, db *store.DB, who identity.Principal, t identity.Tenant, may func(tx *store.Tx) error) (identity.Tenant, error) {
	if err := CheckTenant(t); err != nil {
		return t, err
	}
	t.ID = identity.NewID(identity.TenantID)
	err := db.InTx(ctx, who, func(tx *store.Tx) error {
		if err := may(tx); err != nil {
			return err
		}
		if err := tx.Tenants().Add(ctx, t); err != nil {
			return err
		}
		err := tx.Event(ctx, audit.Event{Tenant: t.ID, Kind: audit.TenantAdded, Data: map[string]string{"slug": t.Slug, "name": t.Name}})
		if err != nil {
			return err
		}
		if err := signingkey.Make(ctx, tx, t); err != nil {
			return err
		}
		if err := tx.Applications().Add(ctx, identity.PortalApplication(t)); err != nil {
			return err
		}
		t, err = tx.Tenants().Get(ctx, t.ID)
		return err
	})
	return t, err
}

// A TenantChange says what of a tenant is to change; nil leaves it. Its slug never
// changes.
type TenantChange struct {
	Name, Organisation, Language, HelpContact, NameLabel *string

	MailNames *bool // whether a typed mail address stands for the user who has it

	Alerts []string // mail addresses of operators; nil leaves them
}

// ChangeTenant changes a tenant, and its name as that of its own pages. The event has
// the values before and after.
func ChangeTenant(ctx context.Context, db *store.DB, who identity.Principal, tenant string, change TenantChange) (t identity.Tenant, err error) {
	err = db.InTx(ctx, who, func(tx *store.Tx) error {
		before, err := tx.Tenants().Get(ctx, tenant)
		if err != nil {
			return err
		}
		after, data := before, map[string]string{}
		for _, one := range []struct {
			name string
			to   *string
			new  *string
		}{
			{"name", &after.Name, change.Name},
			{"organisation", &after.Organisation, change.Organisation},
			{"language", &after.Language, change.Language},
			{"help_contact", &after.HelpContact, change.HelpContact},
			{"name_label", &after.NameLabel, change.NameLabel},
		} {
			if one.new != nil && *one.new != *one.to {
				data[one.name+"_before"], data[one.name+"_after"] = *one.to, *one.new
				*one.to = *one.new
			}
		}
		if may := change.MailNames; may != nil && *may == before.NoMailNames {
			after.NoMailNames = !*may
			data["mail_names_before"], data["mail_names_after"] = strconv.FormatBool(!*may), strconv.FormatBool(*may)
		}
		if err := CheckTenant(after); err != nil {
			return err
		}
		if len(data) > 0 {
			if err := tx.Tenants().Change(ctx, before, after); err != nil {
				return err
			}
			if err := renamePortal(ctx, tx, after); err != nil {
				return err
			}
			if err := tx.Event(ctx, audit.Event{Tenant: tenant, Kind: audit.TenantChanged, Data: data}); err != nil {
				return err
			}
		}
		if change.Alerts != nil {
			if err := setAlerts(ctx, tx, tenant, change.Alerts); err != nil {
				return err
			}
		}
		t, err = tx.Tenants().Get(ctx, tenant)
		return err
	})
	return t, err
}

// renamePortal gives the application of a tenant's own pages the tenant's name.
func renamePortal(ctx context.Context, tx *store.Tx, t identity.Tenant) error {
	before, err := tx.Applications().ByIdentifier(ctx, t.ID, identity.Portal, identity.PortalIdentifier)
	if err != nil {
		return err
	}
	after := before
	if after.Name = identity.PortalApplication(t).Name; after.Name == before.Name {
		return nil
	}
	return tx.Applications().Change(ctx, before, after)
}

// CheckTenant returns an error if a tenant cannot be added as it is.
func CheckTenant(t identity.Tenant) error {
	refuse := func(format string, args ...any) error {
		return &identity.Error{Kind: identity.Invalid, Key: "error.invalid", Err: fmt.Errorf(format, args...)}
	}
	if !slug.MatchString(t.Slug) {
		return refuse("%q cannot be part of an address for ever: small letters, digits and hyphens, 40 at most", t.Slug)
	}
	if t.Name == "" {
		return refuse("a tenant has a name")
	}
	for _, text := range []string{t.Name, t.Organisation, t.HelpContact, t.NameLabel} {
		if identity.CleanTyped(text) != text {
			return refuse("%q has control characters, spaces at its ends, or more than %d bytes", text, identity.MaxName)
		}
	}
	if t.Language != "" {
		if _, err := language.Parse(t.Language); err != nil {
			return refuse("%q is no language tag, such as de or pt-BR", t.Language)
		}
	}
	return checkAddresses(t.Alerts)
}

func checkAddresses(all []string) error {
	for _, address := range all {
		if _, err := identity.ParseMailAddress(address); err != nil {
			return err
		}
	}
	return nil
}

// setAlerts sets the addresses at which a tenant's operators are alerted. They are
// personal data, so the event has them as such.
func setAlerts(ctx context.Context, tx *store.Tx, tenant string, addresses []string) error {
	if err := checkAddresses(addresses); err != nil {
		return err
	}
	t, err := tx.Tenants().Get(ctx, tenant)
	if err != nil || slices.Equal(t.Alerts, addresses) {
		return err
	}
	if err := tx.Tenants().SetAlerts(ctx, tenant, addresses); err != nil {
		return err
	}
	return tx.Event(ctx, audit.Event{Tenant: tenant, Kind: audit.TenantChanged, Data: map[string]string{"setting": "alerts"},
		Personal: map[string]string{"before": strings.Join(t.Alerts, " "), "after": strings.Join(addresses, " ")}})
}
