-- +goose Up
-- 0011: what push needs beyond a request and its answer.
--
-- Too many requests lock push for a user (PUSH-9), and so for every app
-- authenticator of theirs, one enrolled during the lock too: until when stands
-- on the user. authenticators.push_locked_until of 0002 was never written.
ALTER TABLE users ADD COLUMN push_locked_until BIGINT;

ALTER TABLE push_requests ADD COLUMN options BYTEA;       -- sealed JSON list, as the phone shows it; NULL where nothing is picked, and once ended
ALTER TABLE push_requests ADD COLUMN forgiven_at BIGINT;  -- since when it does not count towards the lock any more
ALTER TABLE push_requests ADD COLUMN refused_at BIGINT;   -- when its approval was to be claimed, and could not count any more
ALTER TABLE push_requests ADD COLUMN resync_step BIGINT;  -- with resync-required: whose passcode came, the next is asked for
ALTER TABLE push_requests ADD COLUMN resync_drift BIGINT;

-- An application that cannot show a number gets no push with a presence check
-- (PUSH-21): none at all, unless its operator allows one without.
ALTER TABLE applications ADD COLUMN cannot_show BIGINT NOT NULL DEFAULT 0;
ALTER TABLE applications ADD COLUMN plain_push BIGINT NOT NULL DEFAULT 0;

-- What the journey definition in force names, parted by blanks; empty is all.
ALTER TABLE journeys ADD COLUMN steps TEXT NOT NULL DEFAULT '';
-- A passcode in the outer window came: the next one is asked for (CRED-10).
ALTER TABLE journeys ADD COLUMN resync_authenticator TEXT NOT NULL DEFAULT '';
ALTER TABLE journeys ADD COLUMN resync_step BIGINT NOT NULL DEFAULT 0;
ALTER TABLE journeys ADD COLUMN resync_drift BIGINT NOT NULL DEFAULT 0;
ALTER TABLE journeys ADD COLUMN resync_until BIGINT;
ALTER TABLE journeys ADD COLUMN resync_tries BIGINT NOT NULL DEFAULT 0;
