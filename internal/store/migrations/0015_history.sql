-- +goose Up
-- 0015: the push history, newest first (ADM-7). Most pushes are approved, and
-- ended by the UPDATE that their answer is: what ended otherwise has an index of
-- its own, so that the usual answer writes none for it.
CREATE INDEX push_requests_by_time ON push_requests (tenant_id, created_at, id);
CREATE INDEX push_requests_by_outcome ON push_requests (tenant_id, outcome, created_at, id) WHERE outcome NOT IN ('', 'approved', 'expired');
CREATE INDEX push_requests_refused ON push_requests (tenant_id, created_at, id) WHERE refused_at IS NOT NULL;
