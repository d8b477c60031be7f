// What can activate an authenticator, as it is scanned, opened, pasted or typed
// (protocol, section 2).

import { digits } from "./dom.js";

// takeLink takes the activation out of the address, so that it stays neither
// there nor in the history, and returns what it was: the code to send, or
// nothing.
export function takeLink() {
	const fragment = location.hash.slice(1);
	if (fragment === "") return undefined;
	history.replaceState(null, "", location.pathname);
	return activation(fragment);
}

// activation reads a link's fragment. Without a version it is none.
function activation(fragment) {
	const [version, secret] = [fragment.slice(0, fragment.indexOf(".")), fragment.slice(fragment.indexOf(".") + 1)];
	if (!/^v\d+$/.test(version)) return undefined;
	return version === "v1" && /^[\w-]{26,128}$/.test(secret) ? { secret } : { newer: version !== "v1" };
}

// shortCode reads what was typed: Crockford's base32 forgives, and so do we the
// digits of another script's keyboard.
export function shortCode(typed) {
	const code = digits(typed).toUpperCase().replaceAll("O", "0").replace(/[IL]/g, "1");
	return /^[0-9A-HJKMNP-TV-Z]{8}$/.test(code) ? code : undefined;
}

// read says what a text from a QR code is: an activation of ours, as takeLink
// returns it, or else what kind of foreign thing, with the host of one that leads
// somewhere. Nothing is opened: a code on a wall must not lead people anywhere.
export function read(text) {
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
	const code = /^\/authenticator\/?$/.test(address.pathname) && activation(address.hash.slice(1));
	if (!code) return { foreign: "web", host: address.host };
	return address.origin === location.origin ? code : { foreign: "server", host: address.host };
}
