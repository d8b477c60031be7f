-- +goose Up
-- 0017: challenges that authenticators answer (RFC 6287).
--
-- The suite is what an authenticator makes its responses by; one that makes
-- passcodes has none.
ALTER TABLE authenticators ADD COLUMN suite TEXT NOT NULL DEFAULT '';
CREATE INDEX authenticators_answering ON authenticators (tenant_id) WHERE suite <> '' AND revoked_at IS NULL;

-- A journey has one challenge, which is deleted when a response comes: a new one
-- takes its place.
CREATE TABLE challenges (
	tenant_id  TEXT   NOT NULL,
	journey_id TEXT   NOT NULL,
	sealed     BYTEA  NOT NULL, -- so that its page can be shown again
	expires_at BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, journey_id),
	FOREIGN KEY (tenant_id, journey_id) REFERENCES journeys (tenant_id, id)
);
CREATE INDEX challenges_expired ON challenges (expires_at);
