-- +goose Up
-- 0004: activations, push requests and the outbox.
CREATE TABLE activations (
	tenant_id        TEXT   NOT NULL REFERENCES tenants (id),
	id               TEXT   NOT NULL,
	user_id          TEXT   NOT NULL,
	journey_id       TEXT   NOT NULL DEFAULT '',
	platform         TEXT   NOT NULL,
	template         TEXT   NOT NULL,
	push_allowed     BIGINT NOT NULL,
	language         TEXT   NOT NULL DEFAULT '',
	secret_hash      TEXT   NOT NULL, -- SHA-256 of the link's secret, hex
	short_mac        BYTEA  NOT NULL, -- HMAC of the short code under the root short_root
	short_root       BIGINT NOT NULL,
	sealed           BYTEA,           -- secret and short code, so that the page can be shown again
	thumbprint       TEXT   NOT NULL DEFAULT '', -- of the key that used it
	authenticator_id TEXT   NOT NULL DEFAULT '', -- pending or active, made by that key
	created_at       BIGINT NOT NULL,
	expires_at       BIGINT NOT NULL,
	used_at          BIGINT,
	finished_at      BIGINT,
	voided_at        BIGINT,
	PRIMARY KEY (tenant_id, id),
	FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
-- An app that holds a secret or a short code does not know the tenant yet, so
-- these two are unique over all tenants.
CREATE UNIQUE INDEX activations_secret ON activations (secret_hash);
CREATE UNIQUE INDEX activations_short ON activations (short_mac) WHERE voided_at IS NULL AND finished_at IS NULL;
CREATE UNIQUE INDEX activations_open ON activations (tenant_id, user_id) WHERE voided_at IS NULL AND finished_at IS NULL;
CREATE INDEX activations_of_journey ON activations (tenant_id, journey_id);
CREATE INDEX activations_of_authenticator ON activations (tenant_id, authenticator_id);

CREATE TABLE push_requests (
	tenant_id        TEXT   NOT NULL REFERENCES tenants (id),
	id               TEXT   NOT NULL,
	user_id          TEXT   NOT NULL,
	journey_id       TEXT   NOT NULL,
	browser          TEXT   NOT NULL,
	application      TEXT   NOT NULL, -- name, as shown on the phone
	name             TEXT   NOT NULL, -- user name as typed
	ip               TEXT   NOT NULL DEFAULT '',
	place            TEXT   NOT NULL DEFAULT '',
	presence         TEXT   NOT NULL,
	number           BYTEA,           -- sealed; NULL where presence is none
	nonce            TEXT   NOT NULL,
	login_at         BIGINT NOT NULL, -- when the login began
	created_at       BIGINT NOT NULL,
	expires_at       BIGINT NOT NULL,
	ended_at         BIGINT,
	outcome          TEXT   NOT NULL DEFAULT '',
	authenticator_id TEXT   NOT NULL DEFAULT '', -- which answered
	claimed_at       BIGINT,
	PRIMARY KEY (tenant_id, id),
	FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id),
	FOREIGN KEY (tenant_id, journey_id) REFERENCES journeys (tenant_id, id)
);
CREATE UNIQUE INDEX push_requests_open ON push_requests (tenant_id, user_id) WHERE ended_at IS NULL;
CREATE INDEX push_requests_of_user ON push_requests (tenant_id, user_id, created_at);

CREATE TABLE outbox (
	tenant_id  TEXT   NOT NULL REFERENCES tenants (id),
	id         TEXT   NOT NULL,
	kind       TEXT   NOT NULL,
	recipient  TEXT   NOT NULL,
	language   TEXT   NOT NULL,
	arguments  BYTEA,            -- sealed JSON; wiped once sent or expired
	dedupe     TEXT   NOT NULL,
	message_id TEXT   NOT NULL,
	created_at BIGINT NOT NULL,
	due_at     BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	attempts   BIGINT NOT NULL DEFAULT 0,
	last_error TEXT   NOT NULL DEFAULT '',
	leased_by  TEXT   NOT NULL DEFAULT '',
	leased_until BIGINT NOT NULL DEFAULT 0,
	sent_at    BIGINT,
	failed_at  BIGINT,
	PRIMARY KEY (tenant_id, id),
	UNIQUE (tenant_id, dedupe)
);
CREATE INDEX outbox_due ON outbox (due_at) WHERE sent_at IS NULL AND failed_at IS NULL;
