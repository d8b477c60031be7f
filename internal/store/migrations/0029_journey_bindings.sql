-- +goose Up

-- 0029: each journey is bound to whoever began it by a secret of its own, which a
-- cookie of the journey's holds. Journeys begun before this have none, and are over.
ALTER TABLE journeys ADD COLUMN binding BYTEA; -- SHA-256 of the secret
