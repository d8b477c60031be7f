-- +goose Up
-- 0020: passkeys and security keys (WebAuthn). Each is an authenticator of one
-- user, with what is known of its credential here.
CREATE TABLE passkeys (
	tenant_id        TEXT    NOT NULL,
	authenticator_id TEXT    NOT NULL,
	user_id          TEXT    NOT NULL,
	credential_id    TEXT    NOT NULL, -- base64url
	public_key       BYTEA   NOT NULL, -- COSE
	sign_count       BIGINT  NOT NULL, -- as it said last; 0 of one that has none
	aaguid           TEXT    NOT NULL DEFAULT '', -- the model, in hexadecimal; nobody attests it
	transports       TEXT    NOT NULL DEFAULT '', -- as the browser told them, with spaces between
	backup_eligible  BIGINT  NOT NULL DEFAULT 0, -- may be copied to other devices; never changes
	backed_up        BIGINT  NOT NULL DEFAULT 0,
	PRIMARY KEY (tenant_id, authenticator_id),
	UNIQUE (tenant_id, credential_id),
	FOREIGN KEY (tenant_id, authenticator_id) REFERENCES authenticators (tenant_id, id),
	FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE INDEX passkeys_by_user ON passkeys (tenant_id, user_id, authenticator_id);
