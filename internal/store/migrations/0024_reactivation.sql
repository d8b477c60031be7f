-- +goose Up
-- 0024: an activation may be for an authenticator that exists, on a new phone: the
-- old one is revoked in the moment in which the new one is ready.
ALTER TABLE activations ADD COLUMN replaces TEXT NOT NULL DEFAULT '';
