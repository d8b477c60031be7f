-- +goose Up

-- 0025: passwords that must be changed in the next login, and logins in which a
-- forgotten one is set anew.

ALTER TABLE users ADD COLUMN password_due BIGINT NOT NULL DEFAULT 0; -- 1: is changed in the next login in which it is typed
ALTER TABLE journeys ADD COLUMN reset TEXT NOT NULL DEFAULT ''; -- where the setting anew of a forgotten password stands
