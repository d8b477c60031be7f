// A relying party on openid-client, written as its documentation says: discovery,
// the code flow with PKCE, state and nonce, the ID token's signature, userinfo,
// introspection, refresh and RP-initiated logout.
import * as client from "openid-client"
import { given, redirect, serve, told } from "./site.mjs"

const config = await client.discovery(new URL(given.issuer), given.client_id, {}, client.ClientSecretBasic(given.client_secret),
	{ execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks] })

const mfa = "https://refeds.org/profile/mfa"
const begun = new Map() // logins under way, by state
let tokens, spent // of the last login, and the refresh token used up

// login begins a login. The test may want its answer spoilt on the way back.
async function login(url) {
	const l = { state: client.randomState(), nonce: client.randomNonce(), verifier: client.randomPKCECodeVerifier(), spoil: url.searchParams.get("spoil") }
	begun.set(l.state, l)
	return redirect(client.buildAuthorizationUrl(config, {
		redirect_uri: given.base + "/callback",
		scope: "openid profile email groups offline_access",
		prompt: l.spoil ? "none" : "consent",
		acr_values: mfa,
		state: l.state,
		nonce: l.nonce,
		code_challenge: await client.calculatePKCECodeChallenge(l.verifier),
		code_challenge_method: "S256",
	}))
}

async function callback(url) {
	const l = begun.get(url.searchParams.get("state"))
	begun.delete(l.state)
	const expected = { expectedState: l.state, expectedNonce: l.nonce, pkceCodeVerifier: l.verifier, idTokenExpected: true }
	spoil[l.spoil]?.(url, expected)
	try {
		tokens = await client.authorizationCodeGrant(config, url, expected)
	} finally {
		config[client.customFetch] = fetch
	}
	const claims = tokens.claims()
	return told({ claims, userinfo: await client.fetchUserInfo(config, tokens.access_token, claims.sub), scope: tokens.scope, expires_in: tokens.expiresIn() })
}

// What somebody in between might do to an answer.
const spoil = {
	state: (url) => url.searchParams.set("state", client.randomState()),
	issuer: (url) => url.searchParams.set("iss", "https://login.example.com"),
	"no-issuer": (url) => url.searchParams.delete("iss"),
	code: (url) => url.searchParams.set("code", client.randomState()),
	verifier: (_, expected) => { expected.pkceCodeVerifier = client.randomPKCECodeVerifier() },
	nonce: (_, expected) => { expected.expectedNonce = client.randomNonce() },
	subject: () => rewriteToken((claims) => { claims.sub += "x" }),
	audience: () => rewriteToken((claims) => { claims.aud = "another" }),
}

// rewriteToken changes the claims of the next ID token and leaves its signature.
function rewriteToken(change) {
	config[client.customFetch] = async (url, options) => {
		const res = await fetch(url, options)
		if (url !== config.serverMetadata().token_endpoint) return res
		const answer = await res.json()
		const parts = answer.id_token.split(".")
		const claims = JSON.parse(Buffer.from(parts[1], "base64url"))
		change(claims)
		parts[1] = Buffer.from(JSON.stringify(claims)).toString("base64url")
		return Response.json({ ...answer, id_token: parts.join(".") }, { status: res.status })
	}
}

async function refresh() {
	spent = tokens.refresh_token
	const before = tokens
	tokens = await client.refreshTokenGrant(config, spent)
	return told({
		claims: tokens.claims(),
		userinfo: await client.fetchUserInfo(config, tokens.access_token, before.claims().sub),
		rotated: Boolean(tokens.refresh_token) && tokens.refresh_token !== spent,
	})
}

const userinfo = async () => told(await client.fetchUserInfo(config, tokens.access_token, client.skipSubjectCheck))

serve({
	"/": login,
	"/callback": callback,
	"/refresh": refresh,
	"/reuse": async () => told(await client.refreshTokenGrant(config, spent)),
	"/userinfo": userinfo,
	"/introspect": async () => told(await client.tokenIntrospection(config, tokens.access_token)),
	"/logout": () => redirect(client.buildEndSessionUrl(config, { id_token_hint: tokens.id_token, post_logout_redirect_uri: given.base + "/goodbye", state: "out" })),
	"/goodbye": (url) => told({ state: url.searchParams.get("state") }),
})
