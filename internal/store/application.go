package store

import (
	"context"
	"database/sql"
	"iter"

	"github.com/latchkey-id/latchkey/internal/identity"
)

const applicationColumns = `tenant_id, id, name, protocol, identifier, home, config, created_at, disabled_at, removed_at, good_until, cannot_show, plain_push`

func scanApplication(row scanner) (a identity.Application, err error) {
	var cannotShow, plainPush int64
	err = row.Scan(&a.Tenant, &a.ID, &a.Name, &a.Protocol, &a.Identifier, &a.Home, &a.Config,
		nullTime{&a.CreatedAt}, nullTime{&a.DisabledAt}, nullTime{&a.RemovedAt}, nullTime{&a.ValidUntil}, &cannotShow, &plainPush)
	a.CannotShowNumber, a.PushWithoutPresence = cannotShow != 0, plainPush != 0
	return a, err
}

// Applications reads and writes applications, and the subjects by which they know users.
type Applications struct {
	ApplicationReads
	tx *Tx
}

// Applications returns the view; what it writes is part of the transaction.
func (tx *Tx) Applications() Applications { return Applications{tx.Reader.Applications(), tx} }

// ApplicationReads are the reads of [Applications].
type ApplicationReads struct{ r Reader }

// Applications returns the view for reading.
func (r Reader) Applications() ApplicationReads { return ApplicationReads{r} }

// Get returns an application by id, a removed one too: earlier sign-ins refer to it.
func (v ApplicationReads) Get(ctx context.Context, tenant, id string) (identity.Application, error) {
	a, err := scanApplication(v.r.q.QueryRowContext(ctx, `
		SELECT `+applicationColumns+` FROM applications WHERE tenant_id = $1 AND id = $2`, tenant, id))
	if err != nil {
		return a, notFound("application "+id, err)
	}
	return a, nil
}

// ByIdentifier returns an application by its identifier in its protocol: a SAML
// entityID or an OIDC client_id. A disabled application is not found.
func (v ApplicationReads) ByIdentifier(ctx context.Context, tenant string, p identity.Protocol, identifier string) (identity.Application, error) {
	a, err := scanApplication(v.r.q.QueryRowContext(ctx, `
		SELECT `+applicationColumns+` FROM applications
		WHERE tenant_id = $1 AND protocol = $2 AND identifier = $3 AND disabled_at IS NULL`, tenant, string(p), identifier))
	if err != nil {
		return a, notFound("application by identifier", err)
	}
	return a, nil
}

// All yields a tenant's applications in the order of names, without removed ones.
func (v ApplicationReads) All(ctx context.Context, tenant string) iter.Seq2[identity.Application, error] {
	return list(ctx, v.r, "applications", scanApplication, `
		SELECT `+applicationColumns+` FROM applications WHERE tenant_id = $1 AND removed_at IS NULL ORDER BY name, id`, tenant)
}

// Add adds an application. It returns a Conflict if the identifier is taken.
func (v Applications) Add(ctx context.Context, a identity.Application) error {
	n, err := v.tx.exec(ctx, "add application", `
		INSERT INTO applications (tenant_id, id, name, protocol, identifier, home, config, created_at, good_until, cannot_show, plain_push)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING`,
		a.Tenant, a.ID, a.Name, string(a.Protocol), a.Identifier, a.Home, string(a.Config), at(v.tx.now()), at(a.ValidUntil),
		flag(a.CannotShowNumber), flag(a.PushWithoutPresence))
	if err != nil {
		return err
	}
	if n == 0 {
		return taken("application", a.Identifier)
	}
	return nil
}

// Change replaces the name, identifier, home, configuration, end and push settings of an
// application. If they were changed since before was read, or the application was
// removed, nothing is written and Change returns a Conflict: of two changes that were
// made from one state, none is lost. An identifier that another application has is a
// Conflict too, which names it.
func (v Applications) Change(ctx context.Context, before, after identity.Application) error {
	if after.Identifier != before.Identifier {
		if err := v.identifierFree(ctx, after); err != nil {
			return err
		}
	}
	n, err := v.tx.exec(ctx, "change application", `
		UPDATE applications SET name = $3, home = $4, config = $5, good_until = $6, cannot_show = $10, plain_push = $11, identifier = $14
		WHERE tenant_id = $1 AND id = $2 AND name = $7 AND home = $8 AND config = $9 AND cannot_show = $12 AND plain_push = $13
			AND identifier = $15 AND removed_at IS NULL`,
		before.Tenant, before.ID, after.Name, after.Home, string(after.Config), at(after.ValidUntil), before.Name, before.Home, string(before.Config),
		flag(after.CannotShowNumber), flag(after.PushWithoutPresence), flag(before.CannotShowNumber), flag(before.PushWithoutPresence),
		after.Identifier, before.Identifier)
	if err != nil {
		return err
	}
	if n == 0 {
		return &identity.Error{Kind: identity.Conflict, Key: "error.conflict"}
	}
	return nil
}

// identifierFree returns a Conflict if another application has the identifier of a. One
// that takes it at the same moment fails by the table's own constraint, which says less.
func (v Applications) identifierFree(ctx context.Context, a identity.Application) error {
	var n int64
	err := v.tx.q.QueryRowContext(ctx, `SELECT COUNT(*) FROM applications WHERE tenant_id = $1 AND protocol = $2 AND identifier = $3`,
		a.Tenant, string(a.Protocol), a.Identifier).Scan(&n)
	if err != nil {
		return notFound("application by identifier", err)
	}
	if n > 0 {
		return taken("application", a.Identifier)
	}
	return nil
}

// ApplicationUse counts what the removal of an application ends.
type ApplicationUse struct {
	Sessions int64 `json:"sessions"` // signed in to it
	Offline  int64 `json:"offline"`  // refresh tokens that could still be used
	Journeys int64 `json:"journeys"` // sign-ins to it in progress
}

// Use counts what the removal of an application would end now.
func (v ApplicationReads) Use(ctx context.Context, tenant, id string) (u ApplicationUse, err error) {
	for _, count := range []struct {
		to    *int64
		query string
	}{
		{&u.Sessions, `/* full scan */ SELECT COUNT(*) FROM session_applications a JOIN sessions s ON s.tenant_id = a.tenant_id AND s.id = a.session_id
			WHERE a.tenant_id = $1 AND a.application_id = $2 AND a.ended_at IS NULL
				AND s.ended_at IS NULL AND s.expires_at > $3 AND s.seen_at + s.idle > $3`},
		{&u.Offline, `/* full scan */ SELECT COUNT(*) FROM oidc_tokens t JOIN oidc_grants g ON g.tenant_id = t.tenant_id AND g.id = t.grant_id
			WHERE g.tenant_id = $1 AND g.application_id = $2 AND g.revoked_at IS NULL
				AND t.kind = 'refresh' AND t.used_at IS NULL AND t.expires_at > $3`},
		{&u.Journeys, `/* full scan */ SELECT COUNT(*) FROM journeys WHERE tenant_id = $1 AND application_id = $2 AND ended_at IS NULL AND expires_at > $3`},
	} {
		if err := v.r.q.QueryRowContext(ctx, count.query, tenant, id, v.r.now().Unix()).Scan(count.to); err != nil {
			return u, notFound("use of application "+id, err)
		}
	}
	return u, nil
}

// Remove removes an application for good, with all its tokens, codes, parts in
// sessions, journeys, waiting requests, and the fetching of its metadata. It returns
// a NotFound if the application was removed before.
func (v Applications) Remove(ctx context.Context, tenant, id string) error {
	now := at(v.tx.now())
	// The row is changed first: a sign-in at this moment holds no lock on it, but
	// reads from now on that the application is removed.
	n, err := v.tx.exec(ctx, "remove application", `
		UPDATE applications SET removed_at = $3, disabled_at = COALESCE(disabled_at, $3),
			identifier = identifier || ' (removed ' || id || ')'
		WHERE tenant_id = $1 AND id = $2 AND removed_at IS NULL`, tenant, id, now)
	if err != nil {
		return err
	}
	if n == 0 {
		return notFound("application "+id, sql.ErrNoRows)
	}
	journeys, err := Collect(list(ctx, v.tx.Reader, "journeys of application", scanID, `
		/* full scan */ UPDATE journeys SET ended_at = $3, outcome = $4, version = version + 1
		WHERE tenant_id = $1 AND application_id = $2 AND ended_at IS NULL RETURNING id`, tenant, id, now, string(identity.Cancelled)))
	if err != nil {
		return err
	}
	for _, journey := range journeys {
		v.tx.Notify(JourneyTopic(journey))
	}
	for _, query := range []string{
		`/* full scan */ UPDATE push_requests SET ended_at = $3, outcome = '` + string(PushCancelled) + `', number = NULL, options = NULL WHERE ended_at IS NULL AND tenant_id = $1
			AND journey_id IN (SELECT j.id FROM journeys j WHERE j.tenant_id = $1 AND j.application_id = $2)`,
		`/* full scan */ UPDATE session_applications SET ended_at = $3 WHERE tenant_id = $1 AND application_id = $2 AND ended_at IS NULL`,
		`/* full scan */ UPDATE oidc_grants SET revoked_at = $3 WHERE tenant_id = $1 AND application_id = $2 AND revoked_at IS NULL`,
	} {
		if _, err := v.tx.exec(ctx, "remove application", query, tenant, id, now); err != nil {
			return err
		}
	}
	if _, err := v.tx.exec(ctx, "remove application", `DELETE FROM refused_requests WHERE tenant_id = $1 AND application_id = $2`, tenant, id); err != nil {
		return err
	}
	if _, err := v.tx.exec(ctx, "remove application", `/* full scan */ DELETE FROM requests WHERE tenant_id = $1 AND application_id = $2`, tenant, id); err != nil {
		return err
	}
	_, err = v.tx.Metadata().RemoveSource(ctx, tenant, id)
	return err
}

// Subject returns the pairwise subject of a user at an application. The first time it
// is fresh.
func (v Applications) Subject(ctx context.Context, tenant, application, user, fresh string) (string, error) {
	// The first INSERT wins; the others read its row.
	if _, err := v.tx.exec(ctx, "subject", `
		INSERT INTO subjects (tenant_id, application_id, user_id, subject, created_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT DO NOTHING`, tenant, application, user, fresh, at(v.tx.now())); err != nil {
		return "", err
	}
	var subject string
	err := v.tx.q.QueryRowContext(ctx, `
		SELECT subject FROM subjects WHERE tenant_id = $1 AND application_id = $2 AND user_id = $3`,
		tenant, application, user).Scan(&subject)
	if err != nil {
		return "", notFound("subject", err)
	}
	return subject, nil
}
