-- +goose Up
-- 0001: tenants, their keys and policies, and the events of all of them.
--
-- One file for SQLite and PostgreSQL. Keep to the words both know: TEXT,
-- BIGINT, BYTEA; times are unix seconds, milliseconds in columns that end in
-- _ms. A state is a time at which it began, not a flag. Migrations only add:
-- the release before this one must still run against the result.
CREATE TABLE tenants (
	id           TEXT   NOT NULL PRIMARY KEY,
	slug         TEXT   NOT NULL UNIQUE,
	name         TEXT   NOT NULL,
	organisation TEXT   NOT NULL DEFAULT '',
	language     TEXT   NOT NULL DEFAULT '',
	help_contact TEXT   NOT NULL DEFAULT '',
	alerts       TEXT   NOT NULL DEFAULT '[]', -- JSON list of operators' addresses
	created_at   BIGINT NOT NULL
);

-- The least release that may open this database; see store.SchemaTooNew.
CREATE TABLE meta (
	name  TEXT NOT NULL PRIMARY KEY,
	value TEXT NOT NULL
);

-- One data key a tenant, wrapped under a root that is not in the database.
CREATE TABLE data_keys (
	tenant_id  TEXT   NOT NULL REFERENCES tenants (id),
	id         BIGINT NOT NULL,
	root       BIGINT NOT NULL,
	wrapped    BYTEA  NOT NULL,
	created_at BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, id)
);

CREATE TABLE policies (
	tenant_id  TEXT   NOT NULL REFERENCES tenants (id),
	kind       TEXT   NOT NULL,
	version    BIGINT NOT NULL,
	document   TEXT   NOT NULL,
	changed_at BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, kind)
);

-- Whatever works once leaves its key here, in the transaction of its effect.
CREATE TABLE used_once (
	tenant_id TEXT   NOT NULL,
	kind      TEXT   NOT NULL,
	used_key  TEXT   NOT NULL,
	until     BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, kind, used_key)
);
CREATE INDEX used_once_until ON used_once (until);

-- Rates: the moments of the latest hits of a subject, newest last.
CREATE TABLE rates (
	tenant_id TEXT   NOT NULL,
	kind      TEXT   NOT NULL,
	subject   TEXT   NOT NULL,
	hits      TEXT   NOT NULL,
	until     BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, kind, subject)
);
CREATE INDEX rates_until ON rates (until);

-- Audit and activity in one. seq and mac stay empty until the sealer, which
-- one node at a time holds the lease of, assigns them: the order of commits is
-- not the order of ids. Erasing a person blanks salt and personal.
CREATE TABLE events (
	tenant_id        TEXT   NOT NULL,
	id               TEXT   NOT NULL,
	at_ms            BIGINT NOT NULL,
	kind             TEXT   NOT NULL,
	actor_kind       TEXT   NOT NULL,
	actor_id         TEXT   NOT NULL DEFAULT '',
	user_id          TEXT   NOT NULL DEFAULT '',
	application_id   TEXT   NOT NULL DEFAULT '',
	authenticator_id TEXT   NOT NULL DEFAULT '',
	journey_id       TEXT   NOT NULL DEFAULT '',
	reason           TEXT   NOT NULL DEFAULT '',
	data             TEXT   NOT NULL DEFAULT '{}',
	personal         TEXT,
	salt             BYTEA,
	digest           BYTEA  NOT NULL, -- SHA-256(salt || personal)
	seq              BIGINT,
	mac              BYTEA,
	root             BIGINT,
	PRIMARY KEY (tenant_id, id)
);
CREATE INDEX events_newest ON events (tenant_id, at_ms, id);
CREATE INDEX events_of_user ON events (tenant_id, user_id, at_ms);
CREATE INDEX events_of_journey ON events (tenant_id, journey_id, at_ms);
CREATE UNIQUE INDEX events_chain ON events (tenant_id, seq) WHERE seq IS NOT NULL;
CREATE INDEX events_unsealed ON events (tenant_id, at_ms) WHERE seq IS NULL;

-- Work one node at a time does: the outbox, the sealer, the sweeper.
CREATE TABLE leases (
	name    TEXT   NOT NULL PRIMARY KEY,
	holder  TEXT   NOT NULL,
	until   BIGINT NOT NULL
);
