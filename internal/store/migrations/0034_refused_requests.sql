-- +goose Up
-- 0034: why requests of an application were refused, the last of each reason, for the
-- operator who is asked why nobody can log in there.
CREATE TABLE refused_requests (
	tenant_id      TEXT   NOT NULL,
	application_id TEXT   NOT NULL,
	reason         TEXT   NOT NULL, -- such as signature, destination, time
	detail         TEXT   NOT NULL, -- of the last one
	count          BIGINT NOT NULL,
	refused_at     BIGINT NOT NULL, -- the last one
	PRIMARY KEY (tenant_id, application_id, reason)
);
