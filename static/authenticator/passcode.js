// Passcodes by time (RFC 6238) or by a counter (RFC 4226), and responses to
// challenges (RFC 6287). The seed is a key of the browser that cannot be exported.
// The time is the device's own, never corrected: the server learns its drift from
// the passcodes.
//
// Where a PIN protects it, only the wrapped seed is stored. Its key is in memory for
// a minute after an unlock, and no longer than the app is visible.

import { base32, encode, sha256 } from "./bytes.js";
import * as keyStore from "./key-store.js";

const unlockedSeeds = new Map(); // seeds unlocked by a PIN, by account

// keepUnlocked keeps the unlocked seed of an account in memory for a minute.
export function keepUnlocked({ id }, seed) {
	clearTimeout(unlockedSeeds.get(id)?.timer);
	unlockedSeeds.set(id, { seed, timer: setTimeout(() => unlockedSeeds.delete(id), 60_000) });
}

// lockAll forgets all unlocked seeds.
export function lockAll() {
	unlockedSeeds.forEach(({ timer }) => clearTimeout(timer));
	unlockedSeeds.clear();
}

// isLocked reports whether an account must be unlocked before it makes passcodes.
export const isLocked = ({ id, seed }) => !seed && !unlockedSeeds.has(id);

// hashOf is WebCrypto's name of an algorithm.
export function hashOf(algorithm) {
	const hash = { SHA1: "SHA-1", SHA256: "SHA-256", SHA512: "SHA-512" }[algorithm];
	if (!hash) throw new Error(`unknown algorithm ${algorithm}`);
	return hash;
}

// importSeed turns a seed into a key that makes passcodes and cannot be exported.
export const importSeed = (seed, algorithm) =>
	crypto.subtle.importKey("raw", base32(seed), { name: "HMAC", hash: hashOf(algorithm) }, false, ["sign"]);

// timeStep is how many periods have passed since 1970.
export const timeStep = (account) => Math.floor(Date.now() / 1000 / account.period);

// secondsLeft is for how many seconds the current passcode is still shown.
export const secondsLeft = (account) => account.period - Math.floor(Date.now() / 1000) % account.period;

// isChallengeResponse, isTimeBased and isCounterBased tell the kind of an account:
// one of them is true.
export const isChallengeResponse = ({ mode }) => mode === "challenge";
export const isTimeBased = (account) => !isChallengeResponse(account) && account.period > 0;
export const isCounterBased = (account) => !isChallengeResponse(account) && !isTimeBased(account);

// passcode is that of a time step or counter (RFC 4226, section 5.3).
export async function passcode(account, at = timeStep(account)) {
	const counter = new DataView(new ArrayBuffer(8));
	counter.setBigUint64(0, BigInt(at));
	return truncate(account, counter.buffer);
}

// nextPasscode is the passcode of the next counter. It uses the counter up, whether
// or not anybody types the passcode.
export const nextPasscode = async (account) => passcode(account, await keyStore.nextCounter(account.id));

// challengeResponse is the response to a typed challenge of eight digits.
export const challengeResponse = (account, challenge) =>
	ocra(account, `OCRA-1:HOTP-SHA256-${account.digits}:QN08`, BigInt(challenge).toString(16));

// approvalCode is the code that an approval carries: a passcode, or the response to
// the request's nonce.
export async function approvalCode(account, nonce) {
	if (isTimeBased(account)) return passcode(account);
	if (isCounterBased(account)) return nextPasscode(account);
	const sum = new Uint8Array(await sha256(encode(nonce)));
	return ocra(account, `OCRA-1:HOTP-SHA256-${account.digits}:QH64`, hex(sum));
}

const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");

// ocra is the response to a question in hexadecimal, which is padded on the right to
// 128 bytes (RFC 6287, section 5.1).
function ocra(account, suite, question) {
	const padded = question.padEnd(256, "0").match(/../g).map((pair) => parseInt(pair, 16));
	return truncate(account, new Uint8Array([...encode(suite), 0, ...padded]));
}

// truncate makes digits of the HMAC of data under the seed (RFC 4226, section 5.3).
async function truncate(account, data) {
	const mac = new DataView(await crypto.subtle.sign("HMAC", account.seed ?? unlockedSeeds.get(account.id).seed, data));
	const offset = mac.getUint8(mac.byteLength - 1) & 0xf;
	const number = (mac.getUint32(offset) & 0x7fffffff) % 10 ** account.digits;
	return String(number).padStart(account.digits, "0");
}

// inGroups writes a passcode in two groups, as people read it.
export const inGroups = (code) => `${code.slice(0, code.length / 2)}\u00a0${code.slice(code.length / 2)}`;
