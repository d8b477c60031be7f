// The client of the authenticator apps' API, version 1
// (docs/protocol-authenticator.md): every call is signed with the account's key, a
// wrong clock is corrected once, and errors are told by their code.

import { base64url, encode, sha256 } from "./bytes.js";
import { language } from "./texts.js";

export const version = "latchkey-web/1.2.0";
const capabilities = ["presence:none", "presence:enter", "presence:pick", "presence:six-digits", "push:web", "pin:app", "pin:server", "biometric", "challenge", "counter"];
const base = `${location.origin}/api/authenticator/v1/`;

const methods = { activate: "POST", finish: "POST", status: "GET", settings: "POST", remove: "POST",
	pending: "GET", answer: "POST", pin: "POST", unlock: "POST", challenge: "POST", biometric: "POST", stream: "GET", subscribe: "POST", unsubscribe: "POST", test: "POST" };

// The difference between the server's clock and ours, for signing only.
let correction = 0;

// A Failure is a call that did not succeed: code is the protocol's, or
// "network" where nothing was answered.
export class Failure extends Error {
	constructor(code, status, detail = {}) {
		super(detail.message || code);
		this.code = code;
		this.status = status;
		this.detail = detail;
	}
}

// makeKey makes the key pair of a new account. Its private key cannot be exported.
export async function makeKey() {
	const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]);
	const { x, y } = await crypto.subtle.exportKey("jwk", pair.publicKey);
	// The thumbprint of RFC 7638: these members, in this order, and no space.
	const thumbprint = await sha256(encode(`{"crv":"P-256","kty":"EC","x":"${x}","y":"${y}"}`));
	return { key: pair.privateKey, jwk: { kty: "EC", crv: "P-256", x, y }, thumbprint: base64url(thumbprint) };
}

// call makes a call for an account: an object with a key and, once it has been
// activated, an id. It returns the answer or throws a Failure.
export async function call(account, type, body) {
	const reply = await send(account, type, body);
	return reply.json();
}

// open opens the account's stream.
export async function open(account, signal) {
	return (await send(account, "stream", undefined, signal)).body;
}

async function send(account, type, body, signal) {
	for (let retried = false; ; retried = true) {
		let reply;
		const text = body === undefined ? "" : JSON.stringify(body);
		try {
			reply = await fetch(base + type, {
				method: methods[type],
				headers: {
					"Latchkey-Signature": await sign(account, type, text),
					"Accept-Language": language(),
					...(text && { "Content-Type": "application/json" }),
				},
				body: text || undefined,
				credentials: "omit", cache: "no-store", redirect: "error", referrerPolicy: "no-referrer",
				signal: signal ?? AbortSignal.timeout(20_000),
			});
		} catch (error) {
			throw new Failure("network", 0, { message: error.message });
		}
		if (reply.ok) return reply;
		const detail = await reply.json().catch(() => ({}));
		if (detail.error === "clock" && Number.isInteger(detail.time) && !retried) {
			correction = detail.time - Math.floor(Date.now() / 1000);
			continue;
		}
		throw new Failure(detail.error ?? "internal", reply.status, detail);
	}
}

// sign makes the compact JWS that authenticates a call: who, what, and when.
async function sign(account, type, body) {
	const part = (object) => base64url(encode(JSON.stringify(object)));
	const header = part({
		alg: "ES256", typ: "latchkey-app+jwt",
		...(type === "activate" ? { jwk: account.jwk } : { kid: account.thumbprint }),
	});
	const payload = part({
		typ: type,
		sub: type === "activate" ? undefined : account.id,
		htm: methods[type],
		htu: base + type,
		bsh: base64url(await sha256(encode(body))),
		iat: Math.floor(Date.now() / 1000) + correction,
		jti: base64url(crypto.getRandomValues(new Uint8Array(16))),
		ver: version,
		cap: capabilities,
	});
	const input = `${header}.${payload}`;
	const signature = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, account.key, encode(input));
	return `${input}.${base64url(signature)}`;
}
