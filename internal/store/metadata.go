package store

import (
	"context"
	"iter"
	"time"
)

// A MetadataSource is the address from which an application's metadata is fetched
// regularly.
type MetadataSource struct {
	Tenant      string
	Application string
	URL         string
	FetchedAt   time.Time // the last success
	TriedAt     time.Time
	DueAt       time.Time // of the next try
	Failures    int64     // in a row
	Failure     string    // of the last try; empty after a success
}

const metadataSourceColumns = `tenant_id, application_id, url, fetched_at, tried_at, due_at, failures, failure`

func scanMetadataSource(row scanner) (m MetadataSource, err error) {
	return m, row.Scan(&m.Tenant, &m.Application, &m.URL, nullTime{&m.FetchedAt}, nullTime{&m.TriedAt}, nullTime{&m.DueAt}, &m.Failures, &m.Failure)
}

// Metadata reads and writes the addresses from which metadata is fetched.
type Metadata struct {
	MetadataReads
	tx *Tx
}

// Metadata returns the view; what it writes is part of the transaction.
func (tx *Tx) Metadata() Metadata { return Metadata{tx.Reader.Metadata(), tx} }

// MetadataReads are the reads of [Metadata].
type MetadataReads struct{ r Reader }

// Metadata returns the view for reading.
func (r Reader) Metadata() MetadataReads { return MetadataReads{r} }

// Source returns the source of an application's metadata. It returns a NotFound if an
// operator provided the metadata.
func (v MetadataReads) Source(ctx context.Context, tenant, application string) (MetadataSource, error) {
	m, err := scanMetadataSource(v.r.q.QueryRowContext(ctx, `
		SELECT `+metadataSourceColumns+` FROM metadata_sources WHERE tenant_id = $1 AND application_id = $2`, tenant, application))
	if err != nil {
		return m, notFound("metadata source of "+application, err)
	}
	return m, nil
}

// Due yields the sources that are due, those that wait longest first. It crosses
// tenants: one worker serves all.
func (v MetadataReads) Due(ctx context.Context, most int) iter.Seq2[MetadataSource, error] {
	return list(ctx, v.r, "due metadata", scanMetadataSource, `
		SELECT `+metadataSourceColumns+` FROM metadata_sources WHERE due_at <= $1
		ORDER BY due_at, tenant_id, application_id LIMIT $2`, at(v.r.now()), most)
}

// SetSource writes the source of an application's metadata, and the result of the
// last try.
func (v Metadata) SetSource(ctx context.Context, m MetadataSource) error {
	_, err := v.tx.exec(ctx, "keep metadata source", `
		INSERT INTO metadata_sources (`+metadataSourceColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (tenant_id, application_id) DO UPDATE SET url = excluded.url, fetched_at = excluded.fetched_at,
			tried_at = excluded.tried_at, due_at = excluded.due_at, failures = excluded.failures, failure = excluded.failure`,
		m.Tenant, m.Application, m.URL, at(m.FetchedAt), at(m.TriedAt), at(m.DueAt), m.Failures, m.Failure)
	return err
}

// RemoveSource removes the source of an application's metadata, and reports whether
// there was one.
func (v Metadata) RemoveSource(ctx context.Context, tenant, application string) (bool, error) {
	n, err := v.tx.exec(ctx, "drop metadata source", `
		DELETE FROM metadata_sources WHERE tenant_id = $1 AND application_id = $2`, tenant, application)
	return n == 1, err
}
