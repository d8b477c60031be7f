-- +goose Up

-- 0026: PINs that the server checks, typed together with a passcode (CRED-5, CRED-6).

ALTER TABLE authenticators ADD COLUMN server_pin BIGINT NOT NULL DEFAULT 0; -- 1: its passcodes count with its PIN alone
CREATE INDEX authenticators_server_pin ON authenticators (tenant_id) WHERE server_pin = 1 AND revoked_at IS NULL;

CREATE TABLE server_pins (
	tenant_id        TEXT   NOT NULL,
	authenticator_id TEXT   NOT NULL,
	mac              BYTEA  NOT NULL,           -- HMAC of the PIN under the root root
	root             BIGINT NOT NULL,
	initial          BYTEA,                     -- sealed, to be shown; NULL once it was used, or another chosen
	due              BIGINT NOT NULL,           -- 1: another must be chosen at its first use
	failures         BIGINT NOT NULL DEFAULT 0, -- wrong ones in a row that came with approvals
	PRIMARY KEY (tenant_id, authenticator_id),
	FOREIGN KEY (tenant_id, authenticator_id) REFERENCES authenticators (tenant_id, id)
);

-- The last ones it had, the present one among them, which none may be chosen of.
CREATE TABLE server_pin_history (
	tenant_id        TEXT   NOT NULL,
	authenticator_id TEXT   NOT NULL,
	place            BIGINT NOT NULL, -- counts up
	mac              BYTEA  NOT NULL,
	root             BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, authenticator_id, place),
	FOREIGN KEY (tenant_id, authenticator_id) REFERENCES authenticators (tenant_id, id)
);
