-- +goose Up

-- Self-service: where a session was begun, for its user to recognise it, and
-- journeys that end with a further authenticator instead of a login.

ALTER TABLE sessions ADD COLUMN agent TEXT NOT NULL DEFAULT ''; -- what the browser called itself when something was last proved in it
ALTER TABLE sessions ADD COLUMN ip TEXT NOT NULL DEFAULT ''; -- from where
ALTER TABLE journeys ADD COLUMN adding BIGINT NOT NULL DEFAULT 0; -- 1: begun on the self-service pages, for a further authenticator
