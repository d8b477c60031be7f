package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
)

// A RestoreGeneration is the time since a backup was imported into the database, or since
// a replica became the database.
type RestoreGeneration struct {
	Number   int64
	BeganAt  time.Time
	CopiedAt time.Time // when the backup was made; BeganAt for a replica
}

// A setback is why the database may be older than what was done with it.
type setback struct {
	copied time.Time
	kind   audit.Kind
	reason string // of mails that are given up
	note   string // on these mails
}

func restored(copied time.Time) setback {
	return setback{copied, audit.BackupRestored, "restored", "restored from a backup"}
}

func promoted(now time.Time) setback {
	return setback{now, audit.DatabasePromoted, "promoted", "a replica was promoted"}
}

// AfterPromotion begins a restore generation in a database that was a replica until now.
// Transactions that the former server had committed may be missing from it, so it is like
// a backup: it does not say what was used.
func (db *DB) AfterPromotion(ctx context.Context, who identity.Principal) (ended RestoreReport, err error) {
	err = db.InTx(onWhole(ctx), who, func(tx *Tx) (err error) {
		ended, err = tx.beginGeneration(ctx, promoted(tx.now()), func(string, string) bool { return true })
		return err
	})
	return ended, err
}

// RestoreGeneration returns the present generation; the zero value if no backup was
// ever imported.
func (v InstallationReads) RestoreGeneration(ctx context.Context) (RestoreGeneration, error) {
	for e, err := range list(ctx, v.r, "restore generation", func(row scanner) (e RestoreGeneration, err error) {
		return e, row.Scan(&e.Number, nullTime{&e.BeganAt}, nullTime{&e.CopiedAt})
	}, `SELECT number, began_at, copied_at FROM epochs ORDER BY number DESC LIMIT 1`) {
		return e, err
	}
	return RestoreGeneration{}, nil
}

// A RestoreReport says what the beginning of a restore generation invalidated, in all
// tenants.
type RestoreReport struct {
	Generation  int64 `json:"epoch"`
	Sessions    int64 `json:"sessions"`
	Grants      int64 `json:"grants"`   // of OpenID Connect: codes and all tokens
	Journeys    int64 `json:"journeys"` // with the codes mailed in them
	Pushes      int64 `json:"push_requests"`
	Activations int64 `json:"activations"`
	Invitations int64 `json:"invitations"`
	Devices     int64 `json:"devices"`   // remembered ones
	Passcodes   int64 `json:"passcodes"` // authenticators whose passcodes up to now, and a little beyond, count as used
	Locked      int64 `json:"locked"`    // event-based authenticators
	Mails       int64 `json:"mails"`     // given up
	Recovery    int64 `json:"recovery_codes"`
	Temporary   int64 `json:"temporary_passcodes"`
}

// driftMargin is how many time steps after the present one the passcodes of a
// restored authenticator count as used. One step is the window in which they are
// accepted. The other is for the clock of an app that ran further ahead after the
// backup was made: that drift was learned after the backup, and is lost.
const driftMargin = `2`

// beginGeneration invalidates, in a database that may be older than what was done with
// it, everything that may have been used since and works only once. The database does not
// say what was used.
//
// All of it is ended, or marked as used, in its own row, so that no later query can
// forget to compare it with the generation. The statements run on the schema of the
// backup, so that they are part of the one transaction; tables and columns that were
// created later do not exist yet, and has says so. An empty column is the whole table.
func (tx *Tx) beginGeneration(ctx context.Context, why setback, has func(table, column string) bool) (RestoreReport, error) {
	var ended RestoreReport
	now := at(tx.now())
	const spentUntil = `$1 / step + drift + ` + driftMargin
	for _, end := range []struct {
		count *int64
		table string // and a column behind a dot, if the query has one that came later
		query string
		args  []any
	}{
		{&ended.Sessions, "sessions", `UPDATE sessions SET ended_at = $1 WHERE ended_at IS NULL`, []any{now}},
		{nil, "session_applications", `UPDATE session_applications SET ended_at = $1 WHERE ended_at IS NULL`, []any{now}},
		{&ended.Grants, "oidc_grants", `UPDATE oidc_grants SET revoked_at = $1 WHERE revoked_at IS NULL`, []any{now}},
		{nil, "push_requests.options", `UPDATE push_requests SET options = NULL WHERE ended_at IS NULL`, nil},
		{&ended.Pushes, "push_requests", `UPDATE push_requests SET ended_at = $1, outcome = $2, number = NULL WHERE ended_at IS NULL`,
			[]any{now, string(PushCancelled)}},
		{&ended.Journeys, "journeys", `UPDATE journeys SET ended_at = $1, outcome = $2, version = version + 1, code_mac = NULL
			WHERE ended_at IS NULL`, []any{now, string(identity.Cancelled)}},
		{&ended.Activations, "activations", `UPDATE activations SET voided_at = $1, sealed = NULL
			WHERE voided_at IS NULL AND finished_at IS NULL`, []any{now}},
		{nil, "authenticators", `UPDATE authenticators SET revoked_at = $1, seed = NULL
			WHERE activated_at IS NULL AND revoked_at IS NULL`, []any{now}},
		{&ended.Invitations, "invitations", `UPDATE invitations SET revoked_at = $1 WHERE ` + openInvitation, []any{now}},
		// Their secrets may have been replaced since; then the right secret would
		// look stolen.
		{&ended.Devices, "remembered_devices", `UPDATE remembered_devices SET forgotten_at = $1 WHERE forgotten_at IS NULL`, []any{now}},
		// An accepted passcode uses up all older ones. The clock of these
		// authenticators is known, so all passcodes of the past can be marked as
		// used.
		{&ended.Passcodes, "authenticators", `UPDATE authenticators SET last_step = ` + spentUntil + `
			WHERE step > 0 AND revoked_at IS NULL AND last_step < ` + spentUntil, []any{now}},
		// How far an event-based authenticator has counted is not known. None of its
		// passcodes is accepted until an operator unlocks it together with its owner.
		{&ended.Locked, "authenticators", `UPDATE authenticators SET locked_at = $1
			WHERE kind = $2 AND revoked_at IS NULL AND locked_at IS NULL`, []any{now, string(identity.HOTP)}},
		// These locks do not end by themselves.
		{nil, "passing_locks", `DELETE FROM passing_locks`, nil},
		// Counting app tokens came with the table of challenges.
		{&ended.Locked, "challenges", `UPDATE authenticators SET locked_at = $1
			WHERE kind = $2 AND protocol = $3 AND step = 0 AND suite = '' AND revoked_at IS NULL AND locked_at IS NULL`,
			[]any{now, string(identity.AppToken), string(identity.LatchkeyApp)}},
		{nil, "challenges", `DELETE FROM challenges`, nil}, // their journeys are ended
		{nil, "code_requests", `DELETE FROM code_requests`, nil},
		{nil, "mailed_codes", `DELETE FROM mailed_codes`, nil},
		// Which codes were used since the backup is not known; users create new ones.
		{&ended.Recovery, "recovery_codes", `DELETE FROM recovery_codes`, nil},
		{&ended.Temporary, "temporary_passcodes", `UPDATE temporary_passcodes SET ended_at = $1 WHERE ended_at IS NULL`, []any{now}},
		{nil, "push_notifications", `DELETE FROM push_notifications`, nil}, // their requests are ended
		{nil, "users", `UPDATE users SET may_enroll_at = NULL`, nil},       // works once, and may have been used
		{nil, "requests", `DELETE FROM requests`, nil},
		{nil, "leases", `DELETE FROM leases`, nil},
	} {
		if table, column, _ := strings.Cut(end.table, "."); !has(table, column) {
			continue
		}
		n, err := tx.exec(ctx, "begin restore generation", end.query, end.args...)
		if err != nil {
			return ended, err
		}
		if end.count != nil {
			*end.count += n
		}
	}
	var err error
	if ended.Mails, err = tx.giveUpMails(ctx, why); err != nil {
		return ended, err
	}
	before, err := tx.Installation().RestoreGeneration(ctx)
	if err != nil {
		return ended, err
	}
	ended.Generation = before.Number + 1
	if _, err := tx.exec(ctx, "begin restore generation", `INSERT INTO epochs (number, began_at, copied_at) VALUES ($1, $2, $3)`,
		ended.Generation, now, at(why.copied)); err != nil {
		return ended, err
	}
	return ended, tx.recordRestore(ctx, ended, why)
}

// giveUpMails gives up the mails that wait in an outbox that may be older than what was
// sent from it. They may have been sent since, and the codes and links in them no longer work. A
// notice that came twice would teach people to ignore notices.
func (tx *Tx) giveUpMails(ctx context.Context, why setback) (int64, error) {
	waiting, err := Collect(list(ctx, tx.Reader, "mails", func(row scanner) (m Message, err error) {
		return m, row.Scan(&m.Tenant, &m.ID, &m.Kind, &m.Recipient)
	}, `
		UPDATE outbox SET failed_at = $1, arguments = NULL, last_error = $2
		WHERE sent_at IS NULL AND failed_at IS NULL RETURNING tenant_id, id, kind, recipient`, at(tx.now()), why.note))
	if err != nil {
		return 0, err
	}
	for _, m := range waiting {
		err := tx.Event(ctx, audit.Event{Tenant: m.Tenant, Kind: audit.MailFailed, Reason: why.reason,
			Data: map[string]string{"message": m.ID, "kind": m.Kind}, Personal: map[string]string{"to": m.Recipient}})
		if err != nil {
			return 0, err
		}
	}
	return int64(len(waiting)), nil
}

// recordRestore writes the event of the generation for each tenant.
func (tx *Tx) recordRestore(ctx context.Context, ended RestoreReport, why setback) error {
	text, err := json.Marshal(ended)
	if err != nil {
		return fmt.Errorf("store: begin restore generation: %w", err)
	}
	// By id alone: an earlier schema has not all that a tenant has today.
	tenants, err := Collect(list(ctx, tx.Reader, "tenants", scanID, `SELECT id FROM tenants`))
	if err != nil {
		return err
	}
	for _, id := range tenants {
		err := tx.Event(ctx, audit.Event{Tenant: id, Kind: why.kind,
			Data: map[string]string{"copied": why.copied.UTC().Format(time.RFC3339), "ended": string(text)}})
		if err != nil {
			return err
		}
	}
	return nil
}
