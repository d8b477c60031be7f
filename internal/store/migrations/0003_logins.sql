-- +goose Up
-- 0003: applications, requests, journeys, sessions and the keys they sign with.
CREATE TABLE applications (
	tenant_id   TEXT   NOT NULL REFERENCES tenants (id),
	id          TEXT   NOT NULL,
	name        TEXT   NOT NULL,
	protocol    TEXT   NOT NULL CHECK (protocol IN ('saml', 'oidc', 'portal')),
	identifier  TEXT   NOT NULL, -- entityID or client_id
	home        TEXT   NOT NULL DEFAULT '',
	config      TEXT   NOT NULL DEFAULT '{}', -- shape owned by the protocol's package
	created_at  BIGINT NOT NULL,
	disabled_at BIGINT,
	PRIMARY KEY (tenant_id, id),
	UNIQUE (tenant_id, protocol, identifier)
);

-- A protocol's request waits here, bound to nobody, for at most a minute.
CREATE TABLE requests (
	tenant_id      TEXT   NOT NULL,
	id             TEXT   NOT NULL,
	application_id TEXT   NOT NULL,
	wants          TEXT   NOT NULL, -- JSON, see idp.Request
	expires_at     BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, id),
	FOREIGN KEY (tenant_id, application_id) REFERENCES applications (tenant_id, id)
);
CREATE INDEX requests_expired ON requests (expires_at);

CREATE TABLE journeys (
	tenant_id       TEXT   NOT NULL REFERENCES tenants (id),
	id              TEXT   NOT NULL,
	version         BIGINT NOT NULL,
	application_id  TEXT   NOT NULL,
	protocol        TEXT   NOT NULL,
	request         TEXT   NOT NULL,
	browser         TEXT   NOT NULL,
	fingerprint     TEXT   NOT NULL DEFAULT '',
	ip              TEXT   NOT NULL DEFAULT '',
	language        TEXT   NOT NULL DEFAULT '',
	user_id         TEXT,
	name            TEXT   NOT NULL DEFAULT '',
	decoy           BIGINT NOT NULL DEFAULT 0,
	known_browser   BIGINT NOT NULL DEFAULT 0,
	refused         TEXT   NOT NULL DEFAULT '',
	fresh_after     BIGINT,
	acr             TEXT   NOT NULL DEFAULT '[]',
	policy_version  BIGINT NOT NULL DEFAULT 0,
	method          TEXT   NOT NULL DEFAULT '',
	pushes          BIGINT NOT NULL DEFAULT 0,
	push_id         TEXT   NOT NULL DEFAULT '',
	push_at         BIGINT,
	notice          TEXT   NOT NULL DEFAULT '',
	enrol           TEXT   NOT NULL DEFAULT '',
	platform        TEXT   NOT NULL DEFAULT '',
	code_mac        BYTEA,
	code_root       BIGINT NOT NULL DEFAULT 0,
	code_sent_at    BIGINT,
	code_expires_at BIGINT,
	code_tries      BIGINT NOT NULL DEFAULT 0,
	code_sends      BIGINT NOT NULL DEFAULT 0,
	code_passed_at  BIGINT,
	started_at      BIGINT NOT NULL,
	expires_at      BIGINT NOT NULL,
	ended_at        BIGINT,
	outcome         TEXT   NOT NULL DEFAULT '',
	PRIMARY KEY (tenant_id, id),
	FOREIGN KEY (tenant_id, application_id) REFERENCES applications (tenant_id, id),
	FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE INDEX journeys_of_user ON journeys (tenant_id, user_id, started_at);

-- What a journey requires, and what it has passed: revoked by time, never
-- deleted; of those in force each stands here once (JRN-15).
CREATE TABLE journey_required (
	tenant_id  TEXT   NOT NULL,
	journey_id TEXT   NOT NULL,
	validation TEXT   NOT NULL,
	place      BIGINT NOT NULL,
	revoked_at BIGINT,
	FOREIGN KEY (tenant_id, journey_id) REFERENCES journeys (tenant_id, id)
);
CREATE UNIQUE INDEX journey_required_once ON journey_required (tenant_id, journey_id, validation) WHERE revoked_at IS NULL;

CREATE TABLE journey_passed (
	tenant_id        TEXT   NOT NULL,
	journey_id       TEXT   NOT NULL,
	validation       TEXT   NOT NULL,
	method           TEXT   NOT NULL,
	authenticator_id TEXT   NOT NULL DEFAULT '',
	passed_at        BIGINT NOT NULL,
	revoked_at       BIGINT,
	FOREIGN KEY (tenant_id, journey_id) REFERENCES journeys (tenant_id, id)
);
CREATE UNIQUE INDEX journey_passed_once ON journey_passed (tenant_id, journey_id, validation) WHERE revoked_at IS NULL;

CREATE TABLE sessions (
	tenant_id   TEXT   NOT NULL REFERENCES tenants (id),
	id          TEXT   NOT NULL,
	secret_hash TEXT   NOT NULL, -- SHA-256 of the cookie, hex
	user_id     TEXT   NOT NULL,
	browser     TEXT   NOT NULL,
	auth_time   BIGINT NOT NULL,
	created_at  BIGINT NOT NULL,
	seen_at     BIGINT NOT NULL,
	idle        BIGINT NOT NULL, -- seconds after which it ends unused
	expires_at  BIGINT NOT NULL,
	ended_at    BIGINT,
	PRIMARY KEY (tenant_id, id),
	UNIQUE (tenant_id, secret_hash),
	FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE INDEX sessions_of_user ON sessions (tenant_id, user_id);

CREATE TABLE session_validations (
	tenant_id        TEXT   NOT NULL,
	session_id       TEXT   NOT NULL,
	validation       TEXT   NOT NULL,
	method           TEXT   NOT NULL,
	authenticator_id TEXT   NOT NULL DEFAULT '',
	passed_at        BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, session_id, validation),
	FOREIGN KEY (tenant_id, session_id) REFERENCES sessions (tenant_id, id)
);

CREATE TABLE session_applications (
	tenant_id      TEXT   NOT NULL,
	session_id     TEXT   NOT NULL,
	application_id TEXT   NOT NULL,
	protocol       TEXT   NOT NULL,
	session_index  TEXT   NOT NULL,
	subject        TEXT   NOT NULL,
	started_at     BIGINT NOT NULL,
	ended_at       BIGINT,
	PRIMARY KEY (tenant_id, session_id, application_id),
	UNIQUE (tenant_id, session_index),
	FOREIGN KEY (tenant_id, session_id) REFERENCES sessions (tenant_id, id),
	FOREIGN KEY (tenant_id, application_id) REFERENCES applications (tenant_id, id)
);

-- Pairwise subjects and persistent NameIDs.
CREATE TABLE subjects (
	tenant_id      TEXT   NOT NULL,
	application_id TEXT   NOT NULL,
	user_id        TEXT   NOT NULL,
	subject        TEXT   NOT NULL,
	created_at     BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, application_id, user_id),
	UNIQUE (tenant_id, application_id, subject),
	FOREIGN KEY (tenant_id, application_id) REFERENCES applications (tenant_id, id),
	FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);

CREATE TABLE signing_keys (
	tenant_id   TEXT   NOT NULL REFERENCES tenants (id),
	id          TEXT   NOT NULL,
	purpose     TEXT   NOT NULL CHECK (purpose IN ('saml', 'oidc')),
	algorithm   TEXT   NOT NULL, -- RS256, ES256
	private_key BYTEA  NOT NULL, -- sealed PKCS #8
	certificate BYTEA,           -- DER, for SAML
	created_at  BIGINT NOT NULL,
	active_from BIGINT NOT NULL,
	retired_at  BIGINT,
	PRIMARY KEY (tenant_id, id)
);
CREATE INDEX signing_keys_for ON signing_keys (tenant_id, purpose, algorithm);
