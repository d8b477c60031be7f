-- +goose Up

-- 0027: rate limits are one integer each; those of which a rule names the count are rows.

-- Column hits is no longer used. It stays for nodes of the release before.
ALTER TABLE rates ADD COLUMN arrival_us BIGINT NOT NULL DEFAULT 0; -- theoretical arrival time (GCRA), in microseconds

CREATE TABLE rate_counts (
	tenant_id  TEXT   NOT NULL,
	kind       TEXT   NOT NULL,
	subject    TEXT   NOT NULL,
	counted_at BIGINT NOT NULL,
	n          BIGINT NOT NULL, -- in that second
	until      BIGINT NOT NULL, -- from then on of no use
	PRIMARY KEY (tenant_id, kind, subject, counted_at)
);
CREATE INDEX rate_counts_until ON rate_counts (until);
