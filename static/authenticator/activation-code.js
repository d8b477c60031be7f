// Codes that activate an authenticator: scanned, opened as a link, pasted or typed
// (protocol, section 2).

import { digits } from "./dom.js";

// takeLinkFromAddress removes the activation from the page's address, so that it
// stays neither there nor in the history, and returns it as parseFragment does.
export function takeLinkFromAddress() {
	const fragment = location.hash.slice(1);
	if (fragment === "") return undefined;
	history.replaceState(null, "", location.pathname);
	return parseFragment(fragment);
}

// parseFragment reads the fragment of an activation link. It returns the secret;
// {newer: true} if the link has a version that this app does not know, {newer:
// false} if it is malformed; and undefined if it is no activation link at all.
function parseFragment(fragment) {
	const [version, secret] = [fragment.slice(0, fragment.indexOf(".")), fragment.slice(fragment.indexOf(".") + 1)];
	if (!/^v\d+$/.test(version)) return undefined;
	return version === "v1" && /^[\w-]{26,128}$/.test(secret) ? { secret } : { newer: version !== "v1" };
}

// parseShortCode reads a code as it was typed: in Crockford's base32, which takes
// O for 0 and I and L for 1, and with the digits of any script.
export function parseShortCode(typed) {
	const code = digits(typed).toUpperCase().replaceAll("O", "0").replace(/[IL]/g, "1");
	return /^[0-9A-HJKMNP-TV-Z]{8}$/.test(code) ? code : undefined;
}

// parseScanned says what a text from a QR code is: an activation of this server,
// as parseFragment returns it, or else a kind of foreign code, with its host if it
// is an address. No address is opened: a code that somebody put up must not lead
// people anywhere.
export function parseScanned(text) {
	let address;
	try {
		address = new URL(text.trim());
	} catch {
		return { foreign: /^WIFI:/i.test(text) ? "wifi" : "text" };
	}
	switch (address.protocol) {
	case "otpauth:": case "pia:": return { foreign: "otpauth" };
	case "wifi:": return { foreign: "wifi" };
	case "https:": case "http:": break;
	default: return { foreign: "text" };
	}
	const code = /^\/authenticator\/?$/.test(address.pathname) && parseFragment(address.hash.slice(1));
	if (!code) return { foreign: "web", host: address.host };
	return address.origin === location.origin ? code : { foreign: "server", host: address.host };
}
