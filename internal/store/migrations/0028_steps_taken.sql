-- +goose Up

-- What was done in a journey, for the diagram of its session: a JSON object a
-- line, one for each step. It is a column and not a table, so that recording a
-- step costs no write beside the step's own; nothing but the diagram reads it.
ALTER TABLE journeys ADD COLUMN steps_taken TEXT NOT NULL DEFAULT '';
