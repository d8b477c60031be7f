-- +goose Up
-- 0010: invitations, the enrolment mails an operator sends.
--
-- The link's secret stands here as its hash alone. A state is the time at which
-- it began; of a user's invitations at most one can still be used. Who an
-- invitation is for is said by the user, so that nothing here names a person.
CREATE TABLE invitations (
	tenant_id   TEXT   NOT NULL REFERENCES tenants (id),
	id          TEXT   NOT NULL,
	user_id     TEXT   NOT NULL,
	secret_hash TEXT   NOT NULL, -- SHA-256 of the link's secret, hex
	created_at  BIGINT NOT NULL,
	expires_at  BIGINT NOT NULL,
	used_at     BIGINT,          -- by an authenticator that became active
	journey_id  TEXT   NOT NULL DEFAULT '', -- in which it was
	revoked_at  BIGINT,          -- by an operator
	replaced_at BIGINT,          -- by a newer one
	PRIMARY KEY (tenant_id, id),
	UNIQUE (tenant_id, secret_hash),
	FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE UNIQUE INDEX invitations_open ON invitations (tenant_id, user_id)
	WHERE used_at IS NULL AND revoked_at IS NULL AND replaced_at IS NULL;
CREATE INDEX invitations_newest ON invitations (tenant_id, created_at, id);

-- The invitation a journey was begun by; empty in one begun by an application.
ALTER TABLE journeys ADD COLUMN invitation_id TEXT NOT NULL DEFAULT '';
