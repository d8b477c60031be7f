-- +goose Up
-- 0019: hardware tokens, recovery codes, and an operator's temporary passcodes.
--
-- A hardware token lies here before anybody has it: imported_at tells it from
-- what people set up themselves, inactive_at is set while nobody has it, and only
-- such a one is handed on to somebody else. expires_at is when its maker says its
-- key ends (RFC 6030, section 5).
ALTER TABLE authenticators ADD COLUMN algorithm TEXT NOT NULL DEFAULT 'SHA1' CHECK (algorithm IN ('SHA1', 'SHA256', 'SHA512'));
ALTER TABLE authenticators ADD COLUMN manufacturer TEXT NOT NULL DEFAULT '';
ALTER TABLE authenticators ADD COLUMN imported_at BIGINT;
ALTER TABLE authenticators ADD COLUMN expires_at BIGINT;
CREATE INDEX authenticators_unassigned ON authenticators (tenant_id, serial)
	WHERE imported_at IS NOT NULL AND inactive_at IS NOT NULL AND revoked_at IS NULL;
CREATE INDEX authenticators_expiring ON authenticators (expires_at) WHERE expires_at IS NOT NULL AND inactive_at IS NULL AND revoked_at IS NULL;

-- A set of recovery codes is the rows of a user: a new set deletes the old.
CREATE TABLE recovery_codes (
	tenant_id TEXT   NOT NULL,
	user_id   TEXT   NOT NULL,
	mac       BYTEA  NOT NULL, -- HMAC of the code under the root root; the code itself is nowhere
	root      BIGINT NOT NULL,
	made_at   BIGINT NOT NULL,
	used_at   BIGINT,
	PRIMARY KEY (tenant_id, user_id, mac),
	FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);

-- A user has one temporary passcode: a new one takes the place of the old.
CREATE TABLE temporary_passcodes (
	tenant_id  TEXT   NOT NULL,
	user_id    TEXT   NOT NULL,
	mac        BYTEA  NOT NULL, -- HMAC of the passcode under the root root
	root       BIGINT NOT NULL,
	many       BIGINT NOT NULL, -- 1 where it may be used until it expires, 0 where once
	made_at    BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	uses       BIGINT NOT NULL DEFAULT 0,
	wrong      BIGINT NOT NULL DEFAULT 0, -- wrong passcodes while it was open
	ended_at   BIGINT,                    -- used up, guessed at too often, or revoked
	PRIMARY KEY (tenant_id, user_id),
	FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
