// Encryption of a seed under a PIN (protocol, section 5.13). The PIN is stretched.
// From the result come the proof, which the server compares, and, together with the
// server's half, the key that wraps the seed. Whoever copies what is stored here has
// the wrapped seed, and cannot try a PIN without the server, which counts attempts.

import { base64url, bytes, encode } from "./bytes.js";

// iterations of PBKDF2 with SHA-256, as in OWASP's password storage cheat sheet. They
// slow down an attacker who has both the server's half and what is stored here.
const iterations = 600_000;

export const randomBytes = (size) => crypto.getRandomValues(new Uint8Array(size));

// stretch derives 32 bytes from a PIN. salt is in base64url.
export async function stretch(pin, { salt, iterations }) {
	const key = await crypto.subtle.importKey("raw", encode(pin), "PBKDF2", false, ["deriveBits"]);
	return new Uint8Array(await crypto.subtle.deriveBits({ name: "PBKDF2", hash: "SHA-256", salt: bytes(salt), iterations }, key, 256));
}

const hkdfParams = (info) => ({ name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info: encode(info) });

// proof derives from a stretched PIN what the server compares.
export async function proof(stretched) {
	const key = await crypto.subtle.importKey("raw", stretched, "HKDF", false, ["deriveBits"]);
	return base64url(await crypto.subtle.deriveBits(hkdfParams("latchkey pin proof v1"), key, 256));
}

// deriveKey derives the key of a seed from a secret of this browser and, where there
// is one, the server's half.
export async function deriveKey(secret, half = new Uint8Array()) {
	const key = await crypto.subtle.importKey("raw", new Uint8Array([...secret, ...half]), "HKDF", false, ["deriveKey"]);
	return crypto.subtle.deriveKey(hkdfParams("latchkey pin key v1"), key, { name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt", "unwrapKey"]);
}

// gcmParams binds a ciphertext to the authenticator's id, so that one account's
// cannot be decrypted in the place of another's.
const gcmParams = (id, iv) => ({ name: "AES-GCM", iv, additionalData: encode(id) });

// wrap encrypts the bytes of an authenticator's seed.
export async function wrap(id, seed, key) {
	const iv = randomBytes(12);
	return { iv: base64url(iv), seed: base64url(await crypto.subtle.encrypt(gcmParams(id, iv), key, seed)) };
}

// unwrapKey turns a wrapped seed into a key that makes passcodes and cannot be
// exported, without its bytes passing through scripts.
export const unwrapKey = ({ id, hash }, { iv, seed }, key) =>
	crypto.subtle.unwrapKey("raw", bytes(seed), key, gcmParams(id, bytes(iv)), { name: "HMAC", hash }, false, ["sign"]);

// unwrap decrypts the bytes of a seed, to be wrapped anew.
export async function unwrap({ id }, { iv, seed }, key) {
	return new Uint8Array(await crypto.subtle.decrypt(gcmParams(id, bytes(iv)), key, bytes(seed)));
}

// wrapUnderNewPIN wraps a seed under a new PIN. It returns what is stored here, and
// what is sent to the server, with a new half of the key for it.
export async function wrapUnderNewPIN(id, seed, pin) {
	const params = { salt: base64url(randomBytes(16)), iterations };
	const half = randomBytes(32);
	const stretched = await stretch(pin, params);
	return {
		stored: { ...params, ...await wrap(id, seed, await deriveKey(stretched, half)) },
		sent: { ...params, proof: await proof(stretched), half: base64url(half) },
	};
}
