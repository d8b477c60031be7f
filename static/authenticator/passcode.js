// Passcodes by time (RFC 6238). The seed is a key the browser keeps and does
// not show, not even to us; and the time is the device's own, never corrected:
// the server learns its drift from the passcodes.

import { base32 } from "./bytes.js";

// keep turns a seed into a key that makes passcodes and cannot be exported.
export function keep(seed, algorithm) {
	const hash = { SHA1: "SHA-1", SHA256: "SHA-256", SHA512: "SHA-512" }[algorithm];
	if (!hash) throw new Error(`unknown algorithm ${algorithm}`);
	return crypto.subtle.importKey("raw", base32(seed), { name: "HMAC", hash }, false, ["sign"]);
}

// step counts the periods since 1970.
export const step = (account) => Math.floor(Date.now() / 1000 / account.period);

// left is how many seconds the passcode of now still has.
export const left = (account) => account.period - Math.floor(Date.now() / 1000) % account.period;

// passcode is the one of a step (RFC 4226, section 5.3).
export async function passcode(account, at = step(account)) {
	const counter = new DataView(new ArrayBuffer(8));
	counter.setBigUint64(0, BigInt(at));
	const mac = new DataView(await crypto.subtle.sign("HMAC", account.seed, counter.buffer));
	const offset = mac.getUint8(mac.byteLength - 1) & 0xf;
	const number = (mac.getUint32(offset) & 0x7fffffff) % 10 ** account.digits;
	return String(number).padStart(account.digits, "0");
}

// grouped parts a passcode in halves, as people read it.
export const grouped = (code) => `${code.slice(0, code.length / 2)}\u00a0${code.slice(code.length / 2)}`;
