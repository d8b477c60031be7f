-- +goose Up
-- 0006: what operators do to people, and reports of what people did.
--
-- A removed user leaves the row behind, without name or anything else of the
-- person: journeys, sessions and events refer to it, an id is never used
-- twice, and an app can still be told that its authenticator is revoked.
ALTER TABLE users ADD COLUMN locked_at BIGINT;  -- by an operator, until unlocked (CRED-13)
ALTER TABLE users ADD COLUMN removed_at BIGINT;

CREATE INDEX oidc_grants_of_user ON oidc_grants (tenant_id, user_id);
-- Reports ask for a few kinds of event, newest first, out of a million rows
-- (ADM-7): each kind is read in order by this, and the kinds are merged.
CREATE INDEX events_of_kind ON events (tenant_id, kind, at_ms, id);
