// Passcodes by time (RFC 6238). The seed is a key the browser keeps and does
// not show, not even to us; and the time is the device's own, never corrected:
// the server learns its drift from the passcodes.
//
// Where a PIN guards it, only the wrapped seed is kept; its key is here, in
// memory, for a minute after an unlock, and no longer than the app is seen.

import { base32 } from "./bytes.js";

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

// passcode is the one of a step (RFC 4226, section 5.3).
export async function passcode(account, at = step(account)) {
	const counter = new DataView(new ArrayBuffer(8));
	counter.setBigUint64(0, BigInt(at));
	const mac = new DataView(await crypto.subtle.sign("HMAC", account.seed ?? lent.get(account.id).seed, counter.buffer));
	const offset = mac.getUint8(mac.byteLength - 1) & 0xf;
	const number = (mac.getUint32(offset) & 0x7fffffff) % 10 ** account.digits;
	return String(number).padStart(account.digits, "0");
}

// grouped parts a passcode in halves, as people read it.
export const grouped = (code) => `${code.slice(0, code.length / 2)}\u00a0${code.slice(code.length / 2)}`;
