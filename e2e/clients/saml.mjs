// A service provider on node-saml, written as its documentation says: signed
// requests by Redirect, and answers by POST of which response and assertion
// must both be signed, and be for a request of ours not answered before.
import { readFileSync } from "node:fs"
import { SAML, ValidateInResponseTo } from "@node-saml/node-saml"
import { file, given, redirect, serve, told } from "./site.mjs"

const certificate = readFileSync(given.certificate, "utf8")
const saml = new SAML({
	issuer: given.base + "/metadata",
	callbackUrl: given.base + "/acs",
	entryPoint: given.idp.sso,
	idpIssuer: given.idp.entity_id,
	idpCert: readFileSync(given.idp.certificate, "utf8"),
	privateKey: readFileSync(given.key, "utf8"),
	publicCert: certificate,
	signatureAlgorithm: "sha256",
	digestAlgorithm: "sha256",
	identifierFormat: "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
	authnContext: ["https://refeds.org/profile/mfa"],
	wantAssertionsSigned: true,
	wantAuthnResponseSigned: true,
	validateInResponseTo: ValidateInResponseTo.always,
	maxAssertionAgeMs: 5 * 60 * 1000,
})

// login asks who somebody is. The test may want the answer spoilt on the way
// back; the RelayState says how.
const login = async (url) => redirect(await saml.getAuthorizeUrlAsync(url.searchParams.get("spoil") ?? "", undefined, {}))

async function acs(_, form) {
	const how = form.get("RelayState")
	const xml = Buffer.from(form.get("SAMLResponse"), "base64").toString()
	const changed = spoil[how] ? spoil[how](xml) : xml
	if (spoil[how] && changed === xml) throw new Error("the test changed nothing")
	const answer = { SAMLResponse: Buffer.from(changed).toString("base64") }
	const { profile } = await saml.validatePostResponseAsync(answer)
	if (how === "replay") await saml.validatePostResponseAsync(answer)
	const { Assertion } = profile.getAssertion()
	return told({
		name_id: profile.nameID,
		format: profile.nameIDFormat,
		issuer: profile.issuer,
		session: profile.sessionIndex,
		context: Assertion.AuthnStatement[0].AuthnContext[0].AuthnContextClassRef[0]._,
		attributes: profile.attributes,
		response: xml,
	})
}

// What somebody in between might do to an answer.
const unsigned = (xml) => xml.replace(/<ds:Signature[ >].*?<\/ds:Signature>/gs, "")
const assertion = /<saml:Assertion.*<\/saml:Assertion>/s
const forge = (xml) => unsigned(xml).replace(/ID="_/, 'ID="_0').replaceAll("anna", "mallory")
const spoil = {
	name: (xml) => xml.replace("anna", "mallory"),
	unsigned,
	"response-unsigned": (xml) => xml.replace(/<ds:Signature[ >].*?<\/ds:Signature>/s, ""),
	"assertion-unsigned": (xml) => xml.replace(assertion, unsigned),
	wrapped: (xml) => xml.replace(assertion, (a) => forge(a) + a),
	audience: (xml) => xml.replace(/<saml:Audience>[^<]*/, "<saml:Audience>https://other.example.com"),
}

serve({
	"/": login,
	"/acs": acs,
	"/metadata": () => file("application/samlmetadata+xml", saml.generateServiceProviderMetadata(null, certificate)),
})
