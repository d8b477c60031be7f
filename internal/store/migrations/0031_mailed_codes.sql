-- +goose Up
-- 0031: a journey asks for a mailed code by a row that is the same for every name. Then
-- the code is made and mailed (T-LOG-02).

-- What a journey asked for last. The row is deleted in the transaction in which its
-- mail is queued.
CREATE TABLE code_requests (
	tenant_id  TEXT   NOT NULL,
	journey_id TEXT   NOT NULL,
	sealed     BYTEA  NOT NULL, -- of one size, whoever it is about
	expires_at BIGINT NOT NULL, -- as the code
	PRIMARY KEY (tenant_id, journey_id),
	FOREIGN KEY (tenant_id, journey_id) REFERENCES journeys (tenant_id, id)
);
CREATE INDEX code_requests_expired ON code_requests (expires_at);

-- The newest code of a journey. It is a row beside the journey, so that making it
-- changes no journey that somebody is taking a step of.
CREATE TABLE mailed_codes (
	tenant_id  TEXT   NOT NULL,
	journey_id TEXT   NOT NULL,
	number     BIGINT NOT NULL, -- which of the codes that the journey asked for
	mac        BYTEA  NOT NULL, -- of nobody's code, the MAC of what was sent to nobody
	root       BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, journey_id),
	FOREIGN KEY (tenant_id, journey_id) REFERENCES journeys (tenant_id, id)
);
CREATE INDEX mailed_codes_expired ON mailed_codes (expires_at);

-- Columns code_mac and code_root of journeys are no longer used. They stay for nodes
-- of the release before; codes that were mailed by those are good here too.
INSERT INTO mailed_codes (tenant_id, journey_id, number, mac, root, expires_at)
SELECT tenant_id, id, code_sends, code_mac, code_root, code_expires_at FROM journeys
WHERE code_mac IS NOT NULL AND code_expires_at IS NOT NULL AND ended_at IS NULL;
