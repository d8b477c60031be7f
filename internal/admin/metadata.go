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

// Bounds of how often metadata is fetched, whatever its cacheDuration says: with one
// second we would fetch it all day long, and with one year a stolen key would be
// accepted for a year.
const (
	minRefresh     = 15 * time.Minute
	maxRefresh     = 24 * time.Hour
	defaultRefresh = 6 * time.Hour
	maxRetry       = 6 * time.Hour
	minValidity    = 3 * 24 * time.Hour // metadata is good for, also where it says less: nobody is to be locked out by a weekend
)

// Metadata fetches the metadata of service providers and applies it to their
// applications.
type Metadata struct {
	DB     *store.DB
	Client *outbound.Client
}

// IsAddress reports whether a text is an address to fetch metadata from, and not the
// name of a file.
func IsAddress(text string) bool {
	return strings.HasPrefix(text, "https://") || strings.HasPrefix(text, "http://")
}

// Add adds a SAML service provider by the address of its metadata, from which
// it will be fetched again. An empty name takes the one in the metadata, and an empty
// format of NameIDs the one that requests and metadata say.
func (m Metadata) Add(ctx context.Context, who identity.Principal, tenant, address, name, home, nameID string) (identity.Application, error) {
	said, err := m.fetch(ctx, address, name)
	if err != nil {
		return identity.Application{}, err
	}
	app, err := samlsp.WithNameID(said.Application, nameID)
	if err != nil {
		return app, err
	}
	err = m.DB.InTx(ctx, who, func(tx *store.Tx) error {
		app.Home, app.ValidUntil = home, goodUntil(said, tx.Now())
		if app, err = addApplication(ctx, tx, tenant, app); err != nil {
			return err
		}
		return keepSource(ctx, tx, app, address, said)
	})
	return app, err
}

// SetSource sets the address from which an application's metadata is fetched, applies
// the metadata that is there now, and returns what that changed.
func (m Metadata) SetSource(ctx context.Context, who identity.Principal, tenant, id, address string) ([]string, error) {
	said, err := m.fetch(ctx, address, "")
	if err != nil {
		return nil, err
	}
	var changes []string
	err = m.DB.InTx(ctx, who, func(tx *store.Tx) error {
		app, err := existing(ctx, tx, tenant, id)
		if err != nil {
			return err
		}
		if changes, err = applyMetadata(ctx, tx, app, said, goodUntil(said, tx.Now()), address); err != nil {
			return err
		}
		return keepSource(ctx, tx, app, address, said)
	})
	return changes, err
}

// Replace applies metadata from a file that an operator vouches for, and returns what
// that changed. From then on none is fetched.
func (m Metadata) Replace(ctx context.Context, who identity.Principal, tenant, id string, metadata []byte) ([]string, error) {
	said, err := samlsp.ReadMetadata(metadata, "", m.DB.Now())
	if err != nil {
		return nil, err
	}
	var changes []string
	err = m.DB.InTx(ctx, who, func(tx *store.Tx) error {
		app, err := existing(ctx, tx, tenant, id)
		if err != nil {
			return err
		}
		if changes, err = applyMetadata(ctx, tx, app, said, time.Time{}, "a file"); err != nil {
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

// Refresh fetches an application's metadata, applies it, and returns what that
// changed. If that fails, the last good metadata stays in force, and the failure is
// recorded and returned.
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
			app, err := checkSourceUnchanged(ctx, tx, source)
			if err != nil {
				return err
			}
			if changes, err = applyMetadata(ctx, tx, app, said, goodUntil(said, tx.Now()), source.URL); err != nil {
				return err
			}
			return tx.Metadata().SetSource(ctx, store.MetadataSource{Tenant: tenant, Application: id, URL: source.URL,
				FetchedAt: tx.Now(), TriedAt: tx.Now(), DueAt: nextFetch(said, tx.Now())})
		})
	}
	if failure == nil || errors.Is(failure, identity.Conflict) || errors.Is(failure, identity.NotFound) || errors.Is(failure, identity.Unavailable) {
		return changes, failure // of ours; it stays due
	}
	err = m.DB.InTx(ctx, who, func(tx *store.Tx) error {
		if _, err := checkSourceUnchanged(ctx, tx, source); err != nil {
			return err
		}
		return recordFailure(ctx, tx, source, failure)
	})
	return nil, errors.Join(failure, err)
}

// checkSourceUnchanged returns the application of a source. A source that was changed
// or tried by somebody else since it was read is a Conflict.
func checkSourceUnchanged(ctx context.Context, tx *store.Tx, source store.MetadataSource) (identity.Application, error) {
	app, err := existing(ctx, tx, source.Tenant, source.Application)
	if err != nil {
		return app, err
	}
	now, err := tx.Metadata().Source(ctx, source.Tenant, source.Application)
	if err == nil && now != source {
		err = &identity.Error{Kind: identity.Conflict, Key: "error.conflict"}
	}
	return app, err
}

// recordFailure records why metadata could not be fetched. It writes an event only if
// the failure is another than the last one, so that a server that is unreachable for
// a week is one event.
func recordFailure(ctx context.Context, tx *store.Tx, source store.MetadataSource, failure error) error {
	text := failureText(failure)
	before := source.Failure
	source.Failures++
	source.Failure, source.TriedAt = text, tx.Now()
	source.DueAt = tx.Now().Add(min(minRefresh<<min(source.Failures-1, 8), maxRetry))
	if err := tx.Metadata().SetSource(ctx, source); err != nil || before == text {
		return err
	}
	return tx.Event(ctx, audit.Event{Tenant: source.Tenant, Kind: audit.MetadataFailed, Application: source.Application,
		Data: map[string]string{"address": source.URL, "failure": text, "last_good": source.FetchedAt.Format(time.RFC3339)}})
}

// failureText is what went wrong, in one line that is short enough for a row.
func failureText(err error) string {
	if e, ok := errors.AsType[*identity.Error](err); ok && e.Err != nil {
		err = e.Err
	}
	return identity.CleanTyped(err.Error())
}

// RefreshDue refreshes the metadata that is due, at most most of them, and calls tell
// with the outcome of each. Its error is that of the database.
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

// applyMetadata changes an application into what its metadata says, with an event that
// has the values before and after.
func applyMetadata(ctx context.Context, tx *store.Tx, app identity.Application, said samlsp.Metadata, until time.Time, from string) ([]string, error) {
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

// keepSource stores the address of an application's metadata, with an event if it is
// another than before.
func keepSource(ctx context.Context, tx *store.Tx, app identity.Application, address string, said samlsp.Metadata) error {
	before, err := tx.Metadata().Source(ctx, app.Tenant, app.ID)
	if err != nil && !errors.Is(err, identity.NotFound) {
		return err
	}
	if err := tx.Metadata().SetSource(ctx, store.MetadataSource{Tenant: app.Tenant, Application: app.ID, URL: address,
		FetchedAt: tx.Now(), TriedAt: tx.Now(), DueAt: nextFetch(said, tx.Now())}); err != nil || before.URL == address {
		return err
	}
	return tx.Event(ctx, audit.Event{Tenant: app.Tenant, Kind: audit.MetadataSource, Application: app.ID,
		Data: map[string]string{"before": before.URL, "after": address}})
}

// nextFetch is when to fetch the metadata again: as its cacheDuration says, within
// bounds, and early enough for a second try before its validUntil.
func nextFetch(said samlsp.Metadata, now time.Time) time.Time {
	wait := defaultRefresh
	if said.CacheFor > 0 {
		wait = said.CacheFor
	}
	if !said.ValidUntil.IsZero() {
		wait = min(wait, said.ValidUntil.Sub(now)/2)
	}
	return now.Add(max(minRefresh, min(wait, maxRefresh)))
}

// goodUntil is until when metadata is used that cannot be fetched any more: its
// validUntil, but at least minValidity from now; the zero time, which is no end, if it
// has none.
func goodUntil(said samlsp.Metadata, now time.Time) time.Time {
	least := now.Add(minValidity)
	if said.ValidUntil.IsZero() || said.ValidUntil.After(least) {
		return said.ValidUntil
	}
	return least
}
