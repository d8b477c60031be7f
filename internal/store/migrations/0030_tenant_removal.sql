-- +goose Up
-- 0030: removing a tenant. Its rows go batch by batch; from this time on nobody
-- reaches it, and a removal that was interrupted is finished by the next.
ALTER TABLE tenants ADD COLUMN removed_at BIGINT;
