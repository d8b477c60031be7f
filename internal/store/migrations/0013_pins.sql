-- +goose Up
-- 0013: PINs of app tokens, and biometric unlock in their place (CRED-5 to CRED-8).
--
-- The server holds no PIN. It holds a MAC of the proof that the app makes of
-- one, and its half of the key that unwraps the seed in the app. failures counts
-- wrong ones in a row; locked_at is set by the last that is allowed, and nothing
-- clears it but setting the authenticator up anew.
CREATE TABLE authenticator_pins (
	tenant_id        TEXT   NOT NULL,
	authenticator_id TEXT   NOT NULL,
	salt             BYTEA  NOT NULL, -- what the app makes the proof with
	iterations       BIGINT NOT NULL,
	proof_mac        BYTEA  NOT NULL, -- HMAC of the proof under the root proof_root
	proof_root       BIGINT NOT NULL,
	half             BYTEA,           -- sealed; NULL while the initial PIN is not changed
	initial          BYTEA,           -- sealed initial PIN, to be shown; NULL once it is changed
	failures         BIGINT NOT NULL DEFAULT 0,
	locked_at        BIGINT,
	changed_at       BIGINT,
	unlocked_for     TEXT   NOT NULL DEFAULT '', -- the push request that may be approved ...
	unlocked_until   BIGINT NOT NULL DEFAULT 0,  -- ... and until when
	challenge        BYTEA,                      -- of WebAuthn, open until challenge_until ...
	challenge_for    TEXT   NOT NULL DEFAULT '', -- ... for one thing
	challenge_until  BIGINT NOT NULL DEFAULT 0,
	credential       TEXT   NOT NULL DEFAULT '', -- of WebAuthn, as JSON; empty without biometric unlock
	PRIMARY KEY (tenant_id, authenticator_id),
	FOREIGN KEY (tenant_id, authenticator_id) REFERENCES authenticators (tenant_id, id)
);
