// The rules for a PIN (CRED-6). The server never learns a PIN, so they are checked
// here. The test vectors are in internal/policy/testdata/pins.json.

// maxLength is the most characters that a PIN may have.
const maxLength = 32;

// brokenRule returns the name of a rule that a PIN breaks, or undefined.
//
// A PIN is trivial if the whole of it is one run: each character the one before,
// or each one up from it, or each one down. Letters are compared without case,
// and nothing follows 9 or z. The stricter mode refuses any run of three.
export function brokenRule({ pin_length: least, complexity, trivial_pins: trivial, stricter }, pin) {
	if (/[^0-9A-Za-z]/.test(pin)) return "characters";
	if (pin.length < least) return "short";
	if (pin.length > maxLength) return "long";
	if (complexity === "strong" && !(/[A-Z]/.test(pin) && /[a-z]/.test(pin) && /[0-9]/.test(pin))) return "weak";
	if (trivial) return undefined;
	const run = longestRun(pin.toLowerCase());
	return run === pin.length || (stricter && run >= 3) ? "trivial" : undefined;
}

// longestRun is the length of the longest run in a PIN.
function longestRun(pin) {
	let longest = 0;
	for (const step of [0, 1, -1]) {
		for (let i = 0, run = 0; i < pin.length; i++) {
			run = i > 0 && pin.charCodeAt(i) - pin.charCodeAt(i - 1) === step ? run + 1 : 1;
			longest = Math.max(longest, run);
		}
	}
	return longest;
}
