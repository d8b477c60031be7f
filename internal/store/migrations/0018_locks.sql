-- +goose Up
-- 0018: locks that end by themselves, and wrong passcodes counted per user
-- (CRED-12, CRED-13).
--
-- A row stands here as long as an authenticator's lock will end by itself. It is
-- a table of its own so that a restore can make all such locks last: what was
-- used since the copy was made, the copy does not know.
CREATE TABLE passing_locks (
	tenant_id        TEXT   NOT NULL,
	authenticator_id TEXT   NOT NULL,
	until            BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, authenticator_id),
	FOREIGN KEY (tenant_id, authenticator_id) REFERENCES authenticators (tenant_id, id)
);
CREATE INDEX passing_locks_until ON passing_locks (until);

ALTER TABLE users ADD COLUMN passcode_failures BIGINT NOT NULL DEFAULT 0; -- wrong passcodes in a row, where they are counted per user
ALTER TABLE users ADD COLUMN passcode_locks BIGINT NOT NULL DEFAULT 0;    -- locks of passcodes since the last right one
ALTER TABLE users ADD COLUMN passcodes_locked_until BIGINT;
ALTER TABLE users ADD COLUMN unlock_due BIGINT NOT NULL DEFAULT 0;        -- 1: was told of a lock of logins, and not yet of its end
