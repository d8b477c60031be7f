-- +goose Up
-- 0012: Web Push: the installation's key, where browsers can be rung, and what
-- is being rung.
--
-- The key belongs to no tenant: browsers ask for one before they know any, and a
-- subscription is bound to it. There is one, for ever; its private part is
-- sealed under a root, whose number stands beside it.
CREATE TABLE vapid_keys (
	id         BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
	root       BIGINT NOT NULL,
	public     BYTEA  NOT NULL, -- an uncompressed point of P-256
	private    BYTEA  NOT NULL, -- sealed
	created_at BIGINT NOT NULL
);

-- An authenticator has one subscription at most. Of the endpoint, which is a
-- capability, only the host is to be read.
CREATE TABLE push_subscriptions (
	tenant_id        TEXT   NOT NULL,
	authenticator_id TEXT   NOT NULL,
	host             TEXT   NOT NULL,
	endpoint         BYTEA  NOT NULL, -- sealed
	p256dh           BYTEA  NOT NULL,
	auth             BYTEA  NOT NULL, -- sealed
	created_at       BIGINT NOT NULL,
	sent_at          BIGINT,                   -- the last that the push service took
	failed_at        BIGINT,                   -- the last that it did not; NULL once it takes one again
	failure          TEXT   NOT NULL DEFAULT '', -- why, in a word
	PRIMARY KEY (tenant_id, authenticator_id),
	FOREIGN KEY (tenant_id, authenticator_id) REFERENCES authenticators (tenant_id, id)
);

-- What is to be rung for a push request, a row an authenticator. It is written
-- with the request, and swept out with its expiry. due_at is NULL while there is
-- nothing to do.
CREATE TABLE push_notifications (
	tenant_id        TEXT   NOT NULL,
	push_id          TEXT   NOT NULL,
	authenticator_id TEXT   NOT NULL,
	kind             TEXT   NOT NULL CHECK (kind IN ('request', 'ended')),
	due_at           BIGINT,
	expires_at       BIGINT NOT NULL, -- of the request
	attempts         BIGINT NOT NULL DEFAULT 0,
	leased_by        TEXT   NOT NULL DEFAULT '',
	leased_until     BIGINT NOT NULL DEFAULT 0,
	sent_at          BIGINT, -- when the request was rung
	PRIMARY KEY (tenant_id, push_id, authenticator_id),
	FOREIGN KEY (tenant_id, push_id) REFERENCES push_requests (tenant_id, id),
	FOREIGN KEY (tenant_id, authenticator_id) REFERENCES authenticators (tenant_id, id)
);
CREATE INDEX push_notifications_due ON push_notifications (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX push_notifications_expired ON push_notifications (expires_at);
