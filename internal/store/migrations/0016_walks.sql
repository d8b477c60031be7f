-- +goose Up
-- 0016: indexes for what each push and each passcode asks. SQLite prefers one
-- that holds all columns a query wants, however little of it the query names:
-- with the primary key alone, "whose authenticator is this" read every row of
-- the tenant.
CREATE INDEX authenticator_users_whose ON authenticator_users (tenant_id, authenticator_id, user_id);
DROP INDEX authenticator_users_of;
CREATE INDEX push_requests_of_journey ON push_requests (tenant_id, journey_id);
