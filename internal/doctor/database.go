package doctor

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
)

// slowCommit is the duration of a commit at which logins begin to wait for the disk.
const slowCommit = 200 * time.Millisecond

func (d *Doctor) database(ctx context.Context, c *report) error {
	if d.Database == nil {
		c.error("it cannot be opened: "+errorText(d.OpenError), "look at database and keys_file in the configuration, and whether the database server runs")
		return nil
	}
	pending, err := d.Database.Pending(ctx)
	switch {
	case errors.Is(err, store.ErrTooOld):
		c.error(err.Error(), "install the newer release on this machine too")
		return nil
	case err != nil:
		return err
	case len(pending) > 0:
		c.warning(fmt.Sprintf("%d migrations are pending; the first is %s", len(pending), pending[0]),
			"start the server, or run \"latchkey migrate\": both bring it up to date (\"latchkey migrate --dry-run\" lists them)")
		return nil
	}
	began := time.Now()
	if err := d.Database.Ping(ctx); err != nil {
		c.error("it cannot be written to: "+err.Error(), "look at the disk, its mode, and at who else holds it")
		return nil
	}
	took := time.Since(began)
	level := OK
	if took > slowCommit {
		level = Warning
	}
	c.atLevel(level, fmt.Sprintf("it is up to date, and a commit takes %s", took.Round(time.Millisecond/10)), "a login commits several times: look at the disk under it")
	tenants, err := store.Collect(d.Database.Tenants().All(ctx))
	if err != nil {
		return err
	}
	if len(tenants) == 0 {
		c.warning("there is no tenant yet", "latchkey tenant add SLUG --name NAME")
	}
	for _, t := range tenants {
		if t.Name == "default" { // as earlier releases named the first one
			c.warning(fmt.Sprintf("people read %q where the name of their organisation belongs: on pages, in mails and in their authenticators", t.Name),
				"latchkey tenant set "+t.Slug+" --name NAME")
		}
	}
	generation, err := d.Database.Installation().RestoreGeneration(ctx)
	switch {
	case err != nil || generation.Number == 0:
	case generation.CopiedAt.Equal(generation.BeganAt):
		c.ok("nothing that was used before %s counts: a replica was promoted", generation.BeganAt.Format(time.DateTime))
	default:
		c.ok("it was restored on %s from a backup of %s", generation.BeganAt.Format(time.DateTime), generation.CopiedAt.Format(time.DateTime))
	}
	return err
}

func errorText(err error) string {
	if err == nil {
		return "no reason is known"
	}
	return err.Error()
}

// databaseReady reports whether the database can be queried. If not, another check has said so.
func (d *Doctor) databaseReady(ctx context.Context) bool {
	if d.Database == nil {
		return false
	}
	pending, err := d.Database.Pending(ctx)
	return err == nil && len(pending) == 0
}

// Ages of keys from which they are reported. The certificates of signing keys are only containers,
// but applications may check their dates.
const (
	oldKey          = 3 * 365 * 24 * time.Hour
	certificateSoon = 60 * 24 * time.Hour
)

func (d *Doctor) keys(ctx context.Context, c *report) error {
	if _, err := d.Config.Keys(); err != nil {
		c.error("the roots cannot be read: "+err.Error(), "put the keys file back from its copy, or from a backup: without it the seeds in the database are lost")
		return nil
	}
	if !d.databaseReady(ctx) {
		c.ok("the roots can be read; the others are in the database")
		return nil
	}
	var wrong *store.KeyError
	if err := d.Database.CheckKeys(ctx); errors.As(err, &wrong) {
		c.error(wrong.Error()+": the keys file is that of another installation, or not whole; no server starts with it", "put back the keys file that belongs to this database")
	} else if err != nil {
		return err
	}
	oldest, n := d.Now(), 0
	for k, err := range d.Database.Installation().DataKeys(ctx) {
		if err != nil {
			return err
		}
		if !k.RootAvailable {
			c.error(fmt.Sprintf("data key %d of tenant %s needs root %d, which is not in the keys file", k.ID, k.Tenant, k.Root),
				"put back the keys file that belongs to this database")
		}
		if n++; k.CreatedAt.Before(oldest) {
			oldest = k.CreatedAt
		}
	}
	c.ok("%d data keys, the oldest made %s ago", n, ago(d.Now().Sub(oldest)))
	for t, err := range d.Database.Tenants().All(ctx) {
		if err != nil {
			return err
		}
		if err := d.signingKeys(ctx, c, t); err != nil {
			return err
		}
	}
	return nil
}

func (d *Doctor) signingKeys(ctx context.Context, c *report, t identity.Tenant) error {
	for _, purpose := range []identity.Protocol{identity.SAML, identity.OIDC} {
		keys, err := d.Database.SigningKeys().Active(ctx, t.ID, purpose)
		if err != nil {
			c.error(fmt.Sprintf("tenant %s cannot sign for %s: %v", t.Slug, purpose, err), "put back the keys file that belongs to this database")
			continue
		}
		if len(keys) == 0 {
			c.error(fmt.Sprintf("tenant %s has no key to sign with for %s", t.Slug, purpose), "restore the database from a backup: it was damaged")
		}
		for _, k := range keys {
			if err := d.signingKey(c, t, k); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *Doctor) signingKey(c *report, t identity.Tenant, k store.SigningKey) error {
	const do = "applications hold its public half: plan the change with them. Keys do not roll over by themselves yet"
	age := d.Now().Sub(k.CreatedAt)
	what := fmt.Sprintf("%s key of tenant %s for %s: %s old", k.Algorithm, t.Slug, k.Purpose, ago(age))
	level := OK
	if age > oldKey {
		level = Warning
	}
	if k.Certificate != nil {
		cert, err := x509.ParseCertificate(k.Certificate)
		if err != nil {
			return err
		}
		what += ", certificate until " + cert.NotAfter.Format(time.DateOnly)
		if cert.NotAfter.Sub(d.Now()) < certificateSoon {
			level = Warning
		}
	}
	c.atLevel(level, what, do)
	return nil
}

// staleBackup is the age of the newest backup from which it is reported.
const staleBackup = 8 * 24 * time.Hour

func (d *Doctor) backup(ctx context.Context, c *report) error {
	if !d.databaseReady(ctx) {
		return nil
	}
	const do = "latchkey backup FILE, by a timer, and FILE taken to another place"
	latest, err := d.Database.Events().Latest(ctx, audit.BackupMade)
	if err != nil {
		return err
	}
	age := d.Now().Sub(latest)
	switch {
	case latest.IsZero():
		c.warning("none was ever made by \"latchkey backup\"", do+"; nothing to do if the database is backed up by other means, and the keys with it")
	case age > staleBackup:
		c.warning(fmt.Sprintf("the newest is %s old", ago(age)), do)
	default:
		c.ok("the newest is %s old", ago(age))
	}
	return nil
}

func (d *Doctor) webAuthenticators(ctx context.Context, c *report) error {
	base, err := d.Config.Authenticator()
	if err != nil || !d.databaseReady(ctx) {
		return nil // reported by other checks
	}
	since, before := d.Now(), "" // if no server was started with this address yet
	for o, err := range d.Database.Installation().Origins(ctx) {
		if err != nil {
			return err
		}
		if o.Address == base.String() {
			since = o.Since
			break
		}
		before = o.Address
	}
	if before == "" {
		c.ok("people have always come to %s", base)
		return nil
	}
	n, err := d.Database.Installation().WebAuthenticatorsBefore(ctx, since)
	if err != nil {
		return err
	}
	if n == 0 {
		c.ok("people came to %s before; no authenticator in a browser is left from then", before)
		return nil
	}
	c.warning(fmt.Sprintf("authenticators in browsers that were made at another address (%[2]s): %[1]d; browsers keep them there, so their owners cannot use them at %[3]s", n, before, base),
		"put base_url, or authenticator_url, back; or revoke them (\"latchkey authenticator list\") so that their owners enrol anew")
	return nil
}
