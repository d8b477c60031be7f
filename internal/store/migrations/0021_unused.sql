-- +goose Up
-- 0021: authenticators that are not used (CRED-15).
ALTER TABLE authenticators ADD COLUMN warned_at BIGINT; -- when its user was last told that it will become inactive
