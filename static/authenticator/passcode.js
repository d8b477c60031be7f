// Passcodes by time (RFC 6238) or by a counter (RFC 4226), and responses to
// challenges (RFC 6287). The seed is a key the browser keeps and does not show,
// not even to us; and the time is the device's own, never corrected: the server
// learns its drift from the passcodes.
//
// Where a PIN guards it, only the wrapped seed is kept; its key is here, in
// memory, for a minute after an unlock, and no longer than the app is seen.

import { base32, encode, sha256 } from "./bytes.js";
import * as vault from "./vault.js";

const lent = new Map(); // seeds that a PIN opened, by account

// lend has the seed of an account at hand for a minute.
export function lend({ id }, seed) {
	clearTimeout(lent.get(id)?.timer);
	lent.set(id, { seed, timer: setTimeout(() => lent.delete(id), 60_000) });
}

// withdraw shuts what was opened.
export function withdraw() {
	lent.forEach(({ timer }) => clearTimeout(timer));
	lent.clear();
}

// closed says of an account that it must be unlocked before it makes passcodes.
export const closed = ({ id, seed }) => !seed && !lent.has(id);

// hashOf is the browser's name of an algorithm.
export function hashOf(algorithm) {
	const hash = { SHA1: "SHA-1", SHA256: "SHA-256", SHA512: "SHA-512" }[algorithm];
	if (!hash) throw new Error(`unknown algorithm ${algorithm}`);
	return hash;
}

// keep turns a seed into a key that makes passcodes and cannot be exported.
export const keep = (seed, algorithm) =>
	crypto.subtle.importKey("raw", base32(seed), { name: "HMAC", hash: hashOf(algorithm) }, false, ["sign"]);

// step counts the periods since 1970.
export const step = (account) => Math.floor(Date.now() / 1000 / account.period);

// left is how many seconds the passcode of now still has.
export const left = (account) => account.period - Math.floor(Date.now() / 1000) % account.period;

// byTime, byCounter and answers say what an account makes: one of them is true.
export const answers = ({ mode }) => mode === "challenge";
export const byTime = (account) => !answers(account) && account.period > 0;
export const byCounter = (account) => !answers(account) && !byTime(account);

// passcode is the one of a step or counter (RFC 4226, section 5.3).
export async function passcode(account, at = step(account)) {
	const counter = new DataView(new ArrayBuffer(8));
	counter.setBigUint64(0, BigInt(at));
	return truncated(account, counter.buffer);
}

// next is the passcode of the next counter, which is used up by it whether or not
// anybody types it.
export const next = async (account) => passcode(account, await vault.count(account.id));

// response answers a challenge that was typed, of eight digits.
export const response = (account, challenge) =>
	answer(account, `OCRA-1:HOTP-SHA256-${account.digits}:QN08`, BigInt(challenge).toString(16));

// consent is what goes with an approval: a passcode, or the response to the
// request's nonce, by a suite in which nothing is typed.
export async function consent(account, nonce) {
	if (byTime(account)) return passcode(account);
	if (byCounter(account)) return next(account);
	const sum = new Uint8Array(await sha256(encode(nonce)));
	return answer(account, `OCRA-1:HOTP-SHA256-${account.digits}:QH64`, hex(sum));
}

const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");

// answer is the response to a question in hexadecimal, which fills 128 bytes from
// the left (RFC 6287, section 5.1).
function answer(account, suite, question) {
	const filled = question.padEnd(256, "0").match(/../g).map((pair) => parseInt(pair, 16));
	return truncated(account, new Uint8Array([...encode(suite), 0, ...filled]));
}

// truncated makes digits of what the seed signs (RFC 4226, section 5.3).
async function truncated(account, data) {
	const mac = new DataView(await crypto.subtle.sign("HMAC", account.seed ?? lent.get(account.id).seed, data));
	const offset = mac.getUint8(mac.byteLength - 1) & 0xf;
	const number = (mac.getUint32(offset) & 0x7fffffff) % 10 ** account.digits;
	return String(number).padStart(account.digits, "0");
}

// grouped parts a passcode in halves, as people read it.
export const grouped = (code) => `${code.slice(0, code.length / 2)}\u00a0${code.slice(code.length / 2)}`;
