-- +goose Up
-- 0007: where applications' metadata comes from, and applications that are gone.
--
-- One that was removed stays as a disabled row, since logins and events of
-- before refer to it; its identifier is free for another.
ALTER TABLE applications ADD COLUMN removed_at BIGINT;
ALTER TABLE applications ADD COLUMN good_until BIGINT; -- no request is taken from then on; NULL is never

CREATE TABLE metadata_sources (
	tenant_id      TEXT   NOT NULL,
	application_id TEXT   NOT NULL,
	url            TEXT   NOT NULL,
	fetched_at     BIGINT NOT NULL,            -- the last that was good
	tried_at       BIGINT NOT NULL,
	due_at         BIGINT NOT NULL,            -- of the next try
	failures       BIGINT NOT NULL DEFAULT 0,  -- in a row
	failure        TEXT   NOT NULL DEFAULT '', -- of the last try; empty when it was good
	PRIMARY KEY (tenant_id, application_id),
	FOREIGN KEY (tenant_id, application_id) REFERENCES applications (tenant_id, id)
);
CREATE INDEX metadata_sources_due ON metadata_sources (due_at);
