-- +goose Up
-- 0005: what OpenID Connect applications were given.
--
-- A grant is what one login gave one application. It begins with a code and is
-- the family of all tokens that came of it: revoking it ends every one of
-- them. Codes and tokens are random secrets of 256 bits, kept as SHA-256.
CREATE TABLE oidc_grants (
	tenant_id       TEXT   NOT NULL,
	id              TEXT   NOT NULL,
	application_id  TEXT   NOT NULL,
	user_id         TEXT   NOT NULL,
	session_id      TEXT   NOT NULL,
	subject         TEXT   NOT NULL,            -- sub
	sid             TEXT   NOT NULL,            -- session_applications.session_index
	scope           TEXT   NOT NULL,
	offline         BIGINT NOT NULL,            -- 1: outlives the session (offline_access)
	nonce           TEXT   NOT NULL DEFAULT '',
	acr             TEXT   NOT NULL,
	amr             TEXT   NOT NULL DEFAULT '', -- parted by spaces
	auth_time       BIGINT NOT NULL,
	redirect_uri    TEXT   NOT NULL,
	challenge       TEXT   NOT NULL DEFAULT '', -- PKCE, S256; empty when none was sent
	code_hash       TEXT   NOT NULL,
	code_expires_at BIGINT NOT NULL,
	code_used_at    BIGINT,                     -- shown at the token endpoint, rightly or not
	created_at      BIGINT NOT NULL,
	expires_at      BIGINT NOT NULL,            -- no token of it lives longer
	revoked_at      BIGINT,
	PRIMARY KEY (tenant_id, id),
	UNIQUE (tenant_id, code_hash),
	FOREIGN KEY (tenant_id, application_id) REFERENCES applications (tenant_id, id),
	FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id),
	FOREIGN KEY (tenant_id, session_id) REFERENCES sessions (tenant_id, id)
);
CREATE INDEX oidc_grants_expired ON oidc_grants (expires_at);

-- A refresh token stays after its use, until it would have expired, so that
-- showing it again is recognised.
CREATE TABLE oidc_tokens (
	tenant_id  TEXT   NOT NULL,
	token_hash TEXT   NOT NULL,
	grant_id   TEXT   NOT NULL,
	kind       TEXT   NOT NULL CHECK (kind IN ('access', 'refresh')),
	scope      TEXT   NOT NULL,
	expires_at BIGINT NOT NULL,
	used_at    BIGINT, -- refreshed with, or revoked by itself
	PRIMARY KEY (tenant_id, token_hash),
	FOREIGN KEY (tenant_id, grant_id) REFERENCES oidc_grants (tenant_id, id)
);
CREATE INDEX oidc_tokens_of ON oidc_tokens (tenant_id, grant_id);
CREATE INDEX oidc_tokens_expired ON oidc_tokens (expires_at);
