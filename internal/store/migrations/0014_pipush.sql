-- +goose Up
-- 0014: authenticators that speak another push protocol than ours: the
-- privacyIDEA Authenticator (PUSH-24). Theirs is an RSA key in public_key, DER in
-- Base64; they have no thumbprint, so that no key of theirs signs a call of our
-- own apps' API, and no seed. The server has a key of its own for each.
ALTER TABLE authenticators ADD COLUMN protocol TEXT NOT NULL DEFAULT 'latchkey' CHECK (protocol IN ('latchkey', 'pipush'));
ALTER TABLE authenticators ADD COLUMN server_key BYTEA; -- sealed PKCS #8, DER
