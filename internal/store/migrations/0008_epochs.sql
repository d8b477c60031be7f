-- +goose Up
-- 0008: epochs. One begins each time the database is filled from a backup.
--
-- What was used up after the copy was made stands in it as unused. Beginning an
-- epoch ends all of that in the transaction that fills the database; the row
-- says when, for what is judged by its time.
CREATE TABLE epochs (
	number    BIGINT NOT NULL PRIMARY KEY,
	began_at  BIGINT NOT NULL,
	copied_at BIGINT NOT NULL -- when the backup was made
);
