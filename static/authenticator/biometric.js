// A finger or a face in place of the PIN (CRED-8): a credential of WebAuthn that
// the device uses only after it has verified its user. The server checks that and
// gives its half of the key; the other half is here.
//
// Where the browser has the PRF extension, what opens the seed comes out of the
// credential itself, so that it does without the server, and without a network.
// Where it has not, it comes from a key that cannot be exported, and the server's
// half is needed.

import { base64url, bytes, encode } from "./bytes.js";
import { lend } from "./passcode.js";
import { call, Failure } from "./protocol.js";
import { keyOf, open, random, wrap } from "./wrap.js";

// available reports whether this device can verify its user.
export async function available() {
	try {
		return await PublicKeyCredential.isUserVerifyingPlatformAuthenticatorAvailable();
	} catch {
		return false;
	}
}

// The algorithms of COSE that the server takes: ES256, EdDSA, RS256.
const algorithms = [-7, -8, -257].map((alg) => ({ type: "public-key", alg }));

// setUp makes a credential, tells the server, and returns what is kept of it
// here. proof is that of the PIN, half the server's.
export async function setUp(account, seed, proof, half) {
	const salt = random(32);
	const { challenge } = await call(account, "challenge", { for: "register" });
	const made = await navigator.credentials.create({ publicKey: {
		rp: { name: document.title }, user: { id: random(32), name: account.user, displayName: `${account.user}, ${account.organisation}` },
		challenge: bytes(challenge), pubKeyCredParams: algorithms, attestation: "none", timeout: 60_000,
		authenticatorSelection: { authenticatorAttachment: "platform", userVerification: "required", residentKey: "discouraged" },
		extensions: { prf: { eval: { first: salt } } },
	} });
	await call(account, "biometric", { proof, credential: {
		id: made.id, rawId: made.id, type: made.type, clientExtensionResults: {},
		response: { clientDataJSON: base64url(made.response.clientDataJSON), attestationObject: base64url(made.response.attestationObject) },
	} });
	const entry = { credential: made.id, salt: base64url(salt) };
	const { prf } = made.getClientExtensionResults();
	// Some say what it yields only when it is used.
	const secret = prf?.results?.first ?? (prf?.enabled ? (await show(entry, random(32))).secret : undefined);
	if (secret) return { ...entry, ...await wrap(account.id, seed, await keyOf(new Uint8Array(secret))) };
	const local = await crypto.subtle.generateKey({ name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
	return { ...entry, local, ...await wrap(account.id, seed, await keyOf(await known(local), half)) };
}

// known is what a key that cannot be exported knows.
const known = async (local) => new Uint8Array(await crypto.subtle.sign("HMAC", local, encode("latchkey biometric v1")));

// show has a finger or a face verified for a challenge.
async function show({ credential, salt }, challenge) {
	const shown = await navigator.credentials.get({ publicKey: {
		challenge, allowCredentials: [{ type: "public-key", id: bytes(credential), transports: ["internal"] }],
		userVerification: "required", timeout: 60_000, extensions: { prf: { eval: { first: bytes(salt) } } },
	} });
	const { authenticatorData, clientDataJSON, signature } = shown.response;
	return {
		secret: shown.getClientExtensionResults().prf?.results?.first,
		assertion: { id: shown.id, rawId: shown.id, type: shown.type, clientExtensionResults: {}, response: {
			authenticatorData: base64url(authenticatorData), clientDataJSON: base64url(clientDataJSON), signature: base64url(signature) } },
	};
}

// unlock opens the seed by a finger or a face: for a request, if there is one,
// which may then be approved. Passcodes do without the server where PRF is.
export async function unlock(account, request) {
	const entry = account.biometric;
	const { challenge } = await call(account, "challenge", { for: "unlock", request }).catch((failure) => {
		if (request || entry.local || !(failure instanceof Failure && failure.code === "network")) throw failure;
		return {};
	});
	const { secret, assertion } = await show(entry, challenge ? bytes(challenge) : random(32));
	const half = challenge && bytes((await call(account, "unlock", { assertion, request })).half);
	const key = entry.local ? await keyOf(await known(entry.local), half) : await keyOf(new Uint8Array(secret));
	lend(account, await open(account, entry, key));
}
