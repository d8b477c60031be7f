package admin

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/outbound"
	"github.com/latchkey-id/latchkey/internal/samlsp"
	"github.com/latchkey-id/latchkey/internal/store"
)

// Bounds of how often metadata is fetched, whatever it says of itself: one that
// says "a second" would have us call all day long, and one that says "a year"
// would keep a stolen key good for as long.
const (
	refreshLeast  = 15 * time.Minute
	refreshMost   = 24 * time.Hour
	refreshUsual  = 6 * time.Hour
	retryMost     = 6 * time.Hour
	leastGoodness = 3 * 24 * time.Hour // metadata is good for, also where it says less: nobody is to be locked out by a weekend
)

// Metadata keeps what we know of applications as they publish it.
type Metadata struct {
	DB     *store.DB
	Client *outbound.Client
}

// IsAddress reports whether a text is an address metadata is fetched from,
// rather than a file's name.
func IsAddress(text string) bool {
	return strings.HasPrefix(text, "https://") || strings.HasPrefix(text, "http://")
}

// Add adds a SAML service provider by the address of its metadata, from which
// it will be fetched again. An empty name takes the one in the metadata.
func (m Metadata) Add(ctx context.Context, who identity.Principal, tenant, address, name, home string) (identity.Application, error) {
	said, err := m.fetch(ctx, address, name)
	if err != nil {
		return identity.Application{}, err
	}
	app := said.Application
	err = m.DB.InTx(ctx, who, func(tx *store.Tx) error {
		app.Home, app.ValidUntil = home, goodUntil(said, tx.Now())
		if app, err = addApplication(ctx, tx, tenant, app); err != nil {
			return err
		}
		return point(ctx, tx, app, address, said)
	})
	return app, err
}

// Point makes address the one an application's metadata is fetched from, takes
// over what is there now, and returns what that changed.
func (m Metadata) Point(ctx context.Context, who identity.Principal, tenant, id, address string) ([]string, error) {
	said, err := m.fetch(ctx, address, "")
	if err != nil {
		return nil, err
	}
	var changes []string
	err = m.DB.InTx(ctx, who, func(tx *store.Tx) error {
		app, err := present(ctx, tx, tenant, id)
		if err != nil {
			return err
		}
		if changes, err = takeOver(ctx, tx, app, said, goodUntil(said, tx.Now()), address); err != nil {
			return err
		}
		return point(ctx, tx, app, address, said)
	})
	return changes, err
}

// Replace takes over metadata that an operator has in a file, and vouches for:
// from now on none is fetched. It returns what that changed.
func (m Metadata) Replace(ctx context.Context, who identity.Principal, tenant, id string, metadata []byte) ([]string, error) {
	said, err := samlsp.ReadMetadata(metadata, "", m.DB.Now())
	if err != nil {
		return nil, err
	}
	var changes []string
	err = m.DB.InTx(ctx, who, func(tx *store.Tx) error {
		app, err := present(ctx, tx, tenant, id)
		if err != nil {
			return err
		}
		if changes, err = takeOver(ctx, tx, app, said, time.Time{}, "a file"); err != nil {
			return err
		}
		source, err := tx.Metadata().Source(ctx, tenant, id)
		if errors.Is(err, identity.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := tx.Metadata().RemoveSource(ctx, tenant, id); err != nil {
			return err
		}
		return tx.Event(ctx, audit.Event{Tenant: tenant, Kind: audit.MetadataSource, Application: id, Data: map[string]string{"before": source.URL, "after": ""}})
	})
	return changes, err
}

// Refresh fetches an application's metadata anew, takes it over, and returns
// what that changed. If that fails, the last that was good stays in force, and
// the failure is kept and returned.
func (m Metadata) Refresh(ctx context.Context, who identity.Principal, tenant, id string) ([]string, error) {
	source, err := m.DB.Metadata().Source(ctx, tenant, id)
	if errors.Is(err, identity.NotFound) {
		return nil, invalid("the metadata of this application is not fetched from anywhere; an address is set by --metadata")
	}
	if err != nil {
		return nil, err
	}
	said, failure := m.fetch(ctx, source.URL, "")
	if ctx.Err() != nil {
		return nil, ctx.Err() // stopping is no failure of theirs
	}
	var changes []string
	if failure == nil {
		failure = m.DB.InTx(ctx, who, func(tx *store.Tx) error {
			app, err := unmoved(ctx, tx, source)
			if err != nil {
				return err
			}
			if changes, err = takeOver(ctx, tx, app, said, goodUntil(said, tx.Now()), source.URL); err != nil {
				return err
			}
			return tx.Metadata().SetSource(ctx, store.MetadataSource{Tenant: tenant, Application: id, URL: source.URL,
				FetchedAt: tx.Now(), TriedAt: tx.Now(), DueAt: due(said, tx.Now())})
		})
	}
	if failure == nil || errors.Is(failure, identity.Conflict) || errors.Is(failure, identity.NotFound) || errors.Is(failure, identity.Unavailable) {
		return changes, failure // of ours; it stays due
	}
	err = m.DB.InTx(ctx, who, func(tx *store.Tx) error {
		if _, err := unmoved(ctx, tx, source); err != nil {
			return err
		}
		return failed(ctx, tx, source, failure)
	})
	return nil, errors.Join(failure, err)
}

// unmoved returns the application of a source, unless the source has become
// another since it was read, or was tried by somebody else.
func unmoved(ctx context.Context, tx *store.Tx, source store.MetadataSource) (identity.Application, error) {
	app, err := present(ctx, tx, source.Tenant, source.Application)
	if err != nil {
		return app, err
	}
	now, err := tx.Metadata().Source(ctx, source.Tenant, source.Application)
	if err == nil && now != source {
		err = &identity.Error{Kind: identity.Conflict, Key: "error.conflict"}
	}
	return app, err
}

// failed keeps what went wrong. The first failure is an event, and each that
// goes wrong otherwise than the last; a server that is away for a week is one.
func failed(ctx context.Context, tx *store.Tx, source store.MetadataSource, failure error) error {
	text := explained(failure)
	before := source.Failure
	source.Failures++
	source.Failure, source.TriedAt = text, tx.Now()
	source.DueAt = tx.Now().Add(min(refreshLeast<<min(source.Failures-1, 8), retryMost))
	if err := tx.Metadata().SetSource(ctx, source); err != nil || before == text {
		return err
	}
	return tx.Event(ctx, audit.Event{Tenant: source.Tenant, Kind: audit.MetadataFailed, Application: source.Application,
		Data: map[string]string{"address": source.URL, "failure": text, "last_good": source.FetchedAt.Format(time.RFC3339)}})
}

// explained is what went wrong, in a line that fits a row.
func explained(err error) string {
	if e, ok := errors.AsType[*identity.Error](err); ok && e.Err != nil {
		err = e.Err
	}
	return identity.CleanTyped(err.Error())
}

// RefreshDue refreshes what is due, at most so many, and tells each of how it
// went. An error is of the database.
func (m Metadata) RefreshDue(ctx context.Context, who identity.Principal, most int, tell func(source store.MetadataSource, changes []string, err error)) error {
	sources, err := store.Collect(m.DB.Metadata().Due(ctx, most))
	if err != nil {
		return err
	}
	for _, source := range sources {
		who.Tenant = source.Tenant
		changes, err := m.Refresh(ctx, who, source.Tenant, source.Application)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		tell(source, changes, err)
	}
	return nil
}

func (m Metadata) fetch(ctx context.Context, address, name string) (samlsp.Metadata, error) {
	if u, err := url.Parse(address); err != nil || !IsAddress(address) || len(address) > 2048 || u.Fragment != "" {
		return samlsp.Metadata{}, invalid("%q is no address metadata could be fetched from", address)
	}
	answer, err := m.Client.Get(ctx, address, "application/samlmetadata+xml, application/xml;q=0.9, text/xml;q=0.8", samlsp.MaxMetadata)
	if err != nil {
		return samlsp.Metadata{}, fmt.Errorf("metadata: %w", err)
	}
	return samlsp.ReadMetadata(answer.Body, name, m.DB.Now())
}

// takeOver writes what metadata says over an application, with an event of what
// was and what is.
func takeOver(ctx context.Context, tx *store.Tx, app identity.Application, said samlsp.Metadata, until time.Time, from string) ([]string, error) {
	if app.Protocol != identity.SAML {
		return nil, invalid("%q is no SAML service provider: it has no metadata", app.Name)
	}
	next, err := said.Onto(app)
	if err != nil {
		return nil, err
	}
	next.ValidUntil = until
	changes, err := samlsp.Changes(app, next)
	if err != nil {
		return nil, err
	}
	_, err = changeApplication(ctx, tx, app, next, audit.ApplicationChanged,
		map[string]string{"cause": "metadata from " + from, "changes": strings.Join(changes, "\n")})
	return changes, err
}

// point keeps an address, with an event if it is another than before.
func point(ctx context.Context, tx *store.Tx, app identity.Application, address string, said samlsp.Metadata) error {
	before, err := tx.Metadata().Source(ctx, app.Tenant, app.ID)
	if err != nil && !errors.Is(err, identity.NotFound) {
		return err
	}
	if err := tx.Metadata().SetSource(ctx, store.MetadataSource{Tenant: app.Tenant, Application: app.ID, URL: address,
		FetchedAt: tx.Now(), TriedAt: tx.Now(), DueAt: due(said, tx.Now())}); err != nil || before.URL == address {
		return err
	}
	return tx.Event(ctx, audit.Event{Tenant: app.Tenant, Kind: audit.MetadataSource, Application: app.ID,
		Data: map[string]string{"before": before.URL, "after": address}})
}

// due is when to ask again: as the metadata says, within bounds, and in time
// for a second try before it ends.
func due(said samlsp.Metadata, now time.Time) time.Time {
	wait := refreshUsual
	if said.CacheFor > 0 {
		wait = said.CacheFor
	}
	if !said.ValidUntil.IsZero() {
		wait = min(wait, said.ValidUntil.Sub(now)/2)
	}
	return now.Add(max(refreshLeast, min(wait, refreshMost)))
}

// goodUntil is when metadata that cannot be fetched anew is no longer gone by:
// when it says, but not in the next days; never, if it does not say.
func goodUntil(said samlsp.Metadata, now time.Time) time.Time {
	least := now.Add(leastGoodness)
	if said.ValidUntil.IsZero() || said.ValidUntil.After(least) {
		return said.ValidUntil
	}
	return least
}
