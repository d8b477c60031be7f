-- +goose Up
-- 0002: users, groups, authenticators and whom they belong to.
CREATE TABLE users (
	tenant_id           TEXT   NOT NULL REFERENCES tenants (id),
	id                  TEXT   NOT NULL,
	name                TEXT   NOT NULL,
	name_folded         TEXT   NOT NULL, -- identity.FoldName
	display_name        TEXT   NOT NULL DEFAULT '',
	mail                TEXT   NOT NULL DEFAULT '',
	language            TEXT   NOT NULL DEFAULT '',
	password            TEXT   NOT NULL DEFAULT '', -- argon2id, PHC form
	password_changed_at BIGINT,
	failures            BIGINT NOT NULL DEFAULT 0, -- failed logins in a row (CRED-20)
	locked_until        BIGINT,
	disabled_at         BIGINT,
	may_enroll_at       BIGINT, -- an operator's leave (ENR-1)
	ever_enrolled_at    BIGINT,
	created_at          BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, id),
	UNIQUE (tenant_id, name_folded)
);

-- A browser in which a user has logged in counts its failures by itself, so
-- that a stranger who knows the name cannot lock the person out there.
CREATE TABLE browser_users (
	tenant_id    TEXT   NOT NULL,
	browser      TEXT   NOT NULL, -- SHA-256 of the browser's cookie, hex
	user_id      TEXT   NOT NULL,
	failures     BIGINT NOT NULL DEFAULT 0,
	locked_until BIGINT,
	last_method  TEXT   NOT NULL DEFAULT '',
	logged_in_at BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, user_id, browser),
	FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);

CREATE TABLE groups (
	tenant_id   TEXT   NOT NULL REFERENCES tenants (id),
	id          TEXT   NOT NULL,
	name        TEXT   NOT NULL,
	name_folded TEXT   NOT NULL,
	created_at  BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, id),
	UNIQUE (tenant_id, name_folded)
);

CREATE TABLE group_members (
	tenant_id TEXT NOT NULL,
	group_id  TEXT NOT NULL,
	user_id   TEXT NOT NULL,
	PRIMARY KEY (tenant_id, user_id, group_id),
	FOREIGN KEY (tenant_id, group_id) REFERENCES groups (tenant_id, id),
	FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE INDEX group_members_of ON group_members (tenant_id, group_id, user_id);

CREATE TABLE authenticators (
	tenant_id    TEXT   NOT NULL REFERENCES tenants (id),
	id           TEXT   NOT NULL,
	serial       TEXT   NOT NULL,
	kind         TEXT   NOT NULL CHECK (kind IN ('app', 'totp', 'hotp', 'sms', 'grid', 'passkey', 'recovery')),
	name         TEXT   NOT NULL,
	platform     TEXT   NOT NULL DEFAULT '',
	seed         BYTEA,                      -- sealed; see seal.go
	digits       BIGINT NOT NULL DEFAULT 6,
	step         BIGINT NOT NULL DEFAULT 30, -- seconds; 0 for event-based
	last_step    BIGINT NOT NULL DEFAULT -1, -- last accepted; -1 before first use
	drift        BIGINT NOT NULL DEFAULT 0,
	invalid      BIGINT NOT NULL DEFAULT 0,  -- wrong passcodes in a row (CRED-11)
	public_key   TEXT   NOT NULL DEFAULT '', -- JWK
	thumbprint   TEXT   NOT NULL DEFAULT '', -- RFC 7638
	template     TEXT   NOT NULL DEFAULT '{}',
	app_version  TEXT   NOT NULL DEFAULT '',
	capabilities TEXT   NOT NULL DEFAULT '[]',
	enrolled_at  BIGINT NOT NULL,
	activated_at BIGINT,                     -- NULL while pending
	locked_at    BIGINT,
	suspended_at BIGINT,
	inactive_at  BIGINT,
	revoked_at   BIGINT,
	last_used_at BIGINT,
	push_on_at   BIGINT,
	push_off_at  BIGINT,
	push_locked_until BIGINT,
	PRIMARY KEY (tenant_id, id),
	UNIQUE (tenant_id, serial)
);

CREATE TABLE authenticator_users (
	tenant_id        TEXT NOT NULL,
	authenticator_id TEXT NOT NULL,
	user_id          TEXT NOT NULL,
	PRIMARY KEY (tenant_id, user_id, authenticator_id),
	FOREIGN KEY (tenant_id, authenticator_id) REFERENCES authenticators (tenant_id, id),
	FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE INDEX authenticator_users_of ON authenticator_users (tenant_id, authenticator_id);
-- The apps' API serves all tenants and is told an id alone.
CREATE INDEX authenticators_by_id ON authenticators (id);
