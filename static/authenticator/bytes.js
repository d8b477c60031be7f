// Encodings of bytes in the protocol (section 1).

const utf8 = new TextEncoder();

export const encode = (text) => utf8.encode(text);

export function base64url(bytes) {
	return btoa(String.fromCharCode(...new Uint8Array(bytes)))
		.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

// bytes decodes base64url.
export const bytes = (text) =>
	Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (character) => character.charCodeAt(0));

// base32 decodes a seed (RFC 4648, section 6).
export function base32(text) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	const bytes = [];
	let buffer = 0, bits = 0;
	for (const character of text) {
		const value = alphabet.indexOf(character);
		if (value < 0) throw new Error("seed: not base32");
		buffer = (buffer << 5 | value) & 0xfff;
		bits += 5;
		if (bits >= 8) bytes.push(buffer >> (bits -= 8) & 0xff);
	}
	return new Uint8Array(bytes);
}

export async function sha256(bytes) {
	return crypto.subtle.digest("SHA-256", bytes);
}
