package store

import (
	"context"
	"iter"
	"time"
)

// RefusedRequests are those that were refused for one reason.
type RefusedRequests struct {
	Reason string    `json:"reason"`
	Detail string    `json:"detail"` // of the last one
	Count  int64     `json:"count"`
	Last   time.Time `json:"last"`
}

// CountRefusal adds refused requests to those of an application that were refused for the
// same reason before.
func (v Applications) CountRefusal(ctx context.Context, tenant, application string, refused RefusedRequests) error {
	_, err := v.tx.exec(ctx, "count refused request", `
		INSERT INTO refused_requests (tenant_id, application_id, reason, detail, count, refused_at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (tenant_id, application_id, reason) DO UPDATE SET detail = excluded.detail,
			count = refused_requests.count + excluded.count, refused_at = excluded.refused_at`,
		tenant, application, refused.Reason, refused.Detail, refused.Count, at(v.tx.now()))
	return err
}

// Refused yields why requests of an application were refused, the last reason first.
func (v ApplicationReads) Refused(ctx context.Context, tenant, application string) iter.Seq2[RefusedRequests, error] {
	return list(ctx, v.r, "refused requests", func(row scanner) (r RefusedRequests, err error) {
		return r, row.Scan(&r.Reason, &r.Detail, &r.Count, nullTime{&r.Last})
	}, `SELECT reason, detail, count, refused_at FROM refused_requests WHERE tenant_id = $1 AND application_id = $2
		ORDER BY refused_at DESC, reason`, tenant, application)
}
