-- +goose Up
-- 0033: whose rows are read, and thrown away, where a name is nobody's: reading none
-- would take less time (T-LOG-02).
ALTER TABLE journeys ADD COLUMN stand_in TEXT NOT NULL DEFAULT ''; -- id of a user
