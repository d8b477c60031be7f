// Biometric unlock in place of the PIN (CRED-8): a WebAuthn credential that the
// device uses only after it has verified its user. The server checks the assertion
// and returns its half of the key; the other half is here.
//
// Where the browser has the PRF extension, the key of the seed is derived from the
// credential itself, and neither the server nor a network is needed. Where it has
// not, it is derived from a key that cannot be exported and the server's half.

import { base64url, bytes, encode } from "./bytes.js";
import { keepUnlocked } from "./passcode.js";
import { deriveKey, randomBytes, unwrapKey, wrap } from "./pin-crypto.js";
import { call, Failure } from "./protocol.js";

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

// setUp makes a credential, registers it with the server, and returns what is
// stored of it here. proof is the proof of the PIN, half the server's half of the
// key.
export async function setUp(account, seed, proof, half) {
	const salt = randomBytes(32);
	const { challenge } = await call(account, "challenge", { for: "register" });
	const made = await navigator.credentials.create({ publicKey: {
		rp: { name: document.title }, user: { id: randomBytes(32), name: account.user, displayName: `${account.user}, ${account.organisation}` },
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
	// Some authenticators return a PRF result only for an assertion.
	const secret = prf?.results?.first ?? (prf?.enabled ? (await getAssertion(entry, randomBytes(32))).secret : undefined);
	if (secret) return { ...entry, ...await wrap(account.id, seed, await deriveKey(new Uint8Array(secret))) };
	const local = await crypto.subtle.generateKey({ name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
	return { ...entry, local, ...await wrap(account.id, seed, await deriveKey(await localSecret(local), half)) };
}

// localSecret derives bytes from a key that cannot be exported.
const localSecret = async (local) => new Uint8Array(await crypto.subtle.sign("HMAC", local, encode("latchkey biometric v1")));

// getAssertion has the device verify its user and sign a challenge.
async function getAssertion({ credential, salt }, challenge) {
	const asserted = await navigator.credentials.get({ publicKey: {
		challenge, allowCredentials: [{ type: "public-key", id: bytes(credential), transports: ["internal"] }],
		userVerification: "required", timeout: 60_000, extensions: { prf: { eval: { first: bytes(salt) } } },
	} });
	const { authenticatorData, clientDataJSON, signature } = asserted.response;
	return {
		secret: asserted.getClientExtensionResults().prf?.results?.first,
		assertion: { id: asserted.id, rawId: asserted.id, type: asserted.type, clientExtensionResults: {}, response: {
			authenticatorData: base64url(authenticatorData), clientDataJSON: base64url(clientDataJSON), signature: base64url(signature) } },
	};
}

// unlock unlocks the seed by biometrics; with a request, for its approval.
// Passcodes need no server where the browser has PRF.
export async function unlock(account, request) {
	const entry = account.biometric;
	const { challenge } = await call(account, "challenge", { for: "unlock", request }).catch((failure) => {
		if (request || entry.local || !(failure instanceof Failure && failure.code === "network")) throw failure;
		return {};
	});
	const { secret, assertion } = await getAssertion(entry, challenge ? bytes(challenge) : randomBytes(32));
	const half = challenge && bytes((await call(account, "unlock", { assertion, request })).half);
	const key = entry.local ? await deriveKey(await localSecret(entry.local), half) : await deriveKey(new Uint8Array(secret));
	keepUnlocked(account, await unwrapKey(account, entry, key));
}
