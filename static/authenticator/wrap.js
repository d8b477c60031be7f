// What a PIN does to a seed (protocol, section 5.13). The PIN is stretched; one
// thing made of that is the proof which the server compares, another, together
// with the server's half, the key that the seed is wrapped with. Whoever copies
// what is kept here has the seed wrapped, and no way to try a PIN without the
// server, which counts.

import { base64url, bytes, encode } from "./bytes.js";

// iterations of PBKDF2: what OWASP's password storage cheat sheet asks of it with
// SHA-256. It slows down who has both the server's half and what is kept here.
const iterations = 600_000;

export const random = (size) => crypto.getRandomValues(new Uint8Array(size));

// stretch makes 32 bytes of a PIN. salt is in base64url.
export async function stretch(pin, { salt, iterations }) {
	const key = await crypto.subtle.importKey("raw", encode(pin), "PBKDF2", false, ["deriveBits"]);
	return new Uint8Array(await crypto.subtle.deriveBits({ name: "PBKDF2", hash: "SHA-256", salt: bytes(salt), iterations }, key, 256));
}

const hkdf = (info) => ({ name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info: encode(info) });

// proof is what the server is told of a stretched PIN.
export async function proof(stretched) {
	const key = await crypto.subtle.importKey("raw", stretched, "HKDF", false, ["deriveBits"]);
	return base64url(await crypto.subtle.deriveBits(hkdf("latchkey pin proof v1"), key, 256));
}

// keyOf makes the key of a seed of what is known here and, where there is one,
// the server's half.
export async function keyOf(known, half = new Uint8Array()) {
	const key = await crypto.subtle.importKey("raw", new Uint8Array([...known, ...half]), "HKDF", false, ["deriveKey"]);
	return crypto.subtle.deriveKey(hkdf("latchkey pin key v1"), key, { name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt", "unwrapKey"]);
}

// The authenticator's id goes into each, so that one account's does not open in
// another's place.
const gcm = (id, iv) => ({ name: "AES-GCM", iv, additionalData: encode(id) });

// wrap encrypts the bytes of an authenticator's seed.
export async function wrap(id, seed, key) {
	const iv = random(12);
	return { iv: base64url(iv), seed: base64url(await crypto.subtle.encrypt(gcm(id, iv), key, seed)) };
}

// open turns a wrapped seed into a key that makes passcodes and cannot be
// exported: its bytes are never seen.
export const open = ({ id, hash }, { iv, seed }, key) =>
	crypto.subtle.unwrapKey("raw", bytes(seed), key, gcm(id, bytes(iv)), { name: "HMAC", hash }, false, ["sign"]);

// unwrap returns a seed's bytes, to be wrapped anew.
export async function unwrap({ id }, { iv, seed }, key) {
	return new Uint8Array(await crypto.subtle.decrypt(gcm(id, bytes(iv)), key, bytes(seed)));
}

// choose wraps a seed under a PIN. It returns what is kept here, and what the
// server is told, a half of the key that is new with every PIN among it.
export async function choose(id, seed, pin) {
	const made = { salt: base64url(random(16)), iterations };
	const half = random(32);
	const stretched = await stretch(pin, made);
	return {
		kept: { ...made, ...await wrap(id, seed, await keyOf(stretched, half)) },
		told: { ...made, proof: await proof(stretched), half: base64url(half) },
	};
}
