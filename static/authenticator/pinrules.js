// What a PIN must be like (CRED-6). The server never hears one, so it is here
// that the rules hold; policy/testdata/pins.json says what they mean.

// most is the most characters a PIN has.
const most = 32;

// refused returns why a PIN is refused, in a word, or nothing if it is not.
//
// A PIN is trivial if the whole of it is one run: each character the one before,
// or each one up from it, or each one down. Letters are compared without case,
// and nothing follows 9 or z. The stricter mode refuses any run of three.
export function refused({ pin_length: least, complexity, trivial_pins: trivial, stricter }, pin) {
	if (/[^0-9A-Za-z]/.test(pin)) return "characters";
	if (pin.length < least) return "short";
	if (pin.length > most) return "long";
	if (complexity === "strong" && !(/[A-Z]/.test(pin) && /[a-z]/.test(pin) && /[0-9]/.test(pin))) return "weak";
	if (trivial) return undefined;
	const run = longestRun(pin.toLowerCase());
	return run === pin.length || (stricter && run >= 3) ? "trivial" : undefined;
}

// longestRun returns how many characters the longest run in a PIN has.
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
