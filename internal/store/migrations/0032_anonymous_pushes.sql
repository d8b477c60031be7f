-- +goose Up
-- 0032: push requests asked for before a password was proved, in a browser that the
-- user has not signed in from, are counted apart from the user's own (PUSH-9).
ALTER TABLE push_requests ADD COLUMN anonymous BIGINT NOT NULL DEFAULT 0;
