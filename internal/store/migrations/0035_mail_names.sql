-- +goose Up
-- 0035: who types a mail address signs in as the one user who has it. A tenant may
-- switch that off, and say in its own words what the field asks for.
ALTER TABLE users ADD COLUMN mail_folded TEXT NOT NULL DEFAULT ''; -- identity.FoldMailAddress
UPDATE users SET mail_folded = lower(mail) WHERE mail <> '';
CREATE INDEX users_mail_folded ON users (tenant_id, mail_folded) WHERE mail_folded <> '';

ALTER TABLE tenants ADD COLUMN no_mail_names BIGINT NOT NULL DEFAULT 0;
ALTER TABLE tenants ADD COLUMN name_label TEXT NOT NULL DEFAULT '';
