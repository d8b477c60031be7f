-- +goose Up
-- 0023: remembered devices (JRN-9).
--
-- A browser that need not be asked for one user's one-time password. The secret
-- in its cookie stands here as its hash alone, and the one before it, by which a
-- stolen copy shows. A browser is remembered for one user at a time.
CREATE TABLE remembered_devices (
	tenant_id     TEXT   NOT NULL,
	id            TEXT   NOT NULL,
	user_id       TEXT   NOT NULL,
	browser       TEXT   NOT NULL,            -- hash of the browser's cookie
	secret_hash   TEXT   NOT NULL,            -- SHA-256 of the secret, hex
	replaced_hash TEXT   NOT NULL DEFAULT '', -- of the secret before
	replaced_at   BIGINT,
	agent         TEXT   NOT NULL DEFAULT '', -- what the browser called itself when last used
	ip            TEXT   NOT NULL DEFAULT '', -- from where
	created_at    BIGINT NOT NULL,            -- when the second factor was given
	used_at       BIGINT NOT NULL,
	idle          BIGINT NOT NULL,            -- seconds after which it ends unused
	expires_at    BIGINT NOT NULL,
	forgotten_at  BIGINT,
	PRIMARY KEY (tenant_id, id),
	FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE INDEX remembered_devices_of ON remembered_devices (tenant_id, user_id) WHERE forgotten_at IS NULL;
CREATE UNIQUE INDEX remembered_devices_here ON remembered_devices (tenant_id, browser) WHERE forgotten_at IS NULL;

-- Whether this login may remember its device, and whether that was ticked.
ALTER TABLE journeys ADD COLUMN remember TEXT NOT NULL DEFAULT '';
