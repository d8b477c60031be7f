// Texts in the person's language, from the server's catalogues (ENR-13).

let lang = "en";
let texts = {};
let borrowed = {}; // keys whose text is in another language, and which

// load fetches the texts in the language picked here, else in the browser's, and
// sets the language of the page. They are of the same version as this module.
export async function load(picked) {
	const address = new URL("texts", import.meta.url);
	if (picked) address.searchParams.set("lang", picked);
	const reply = await fetch(address);
	if (!reply.ok) throw new Error(`texts: ${reply.status}`);
	const catalogue = await reply.json();
	setCatalogue(catalogue);
	document.documentElement.lang = lang;
	document.documentElement.dir = catalogue.dir;
	document.title = t("app.title");
	return catalogue;
}

// setCatalogue uses the texts of a catalogue from now on. Without one it changes
// nothing.
export function setCatalogue(catalogue) {
	if (catalogue) ({ lang, texts, borrowed } = catalogue);
}

// language is the language of the texts.
export const language = () => lang;

// t is the text of a key. An argument n selects the plural form; values are put
// between isolating characters, so that a name in another script does not change
// the direction of the words around it.
export function t(key, args = {}) {
	let text = texts[key] ?? key;
	if (typeof text === "object") {
		const form = new Intl.PluralRules(borrowed[key] ?? lang).select(args.n);
		text = text[form] ?? text.other;
	}
	return text.replace(/\{(\w+)\}/g, (whole, name) =>
		name in args ? (typeof args[name] === "string" ? `\u2068${args[name]}\u2069` : String(args[name])) : whole);
}

export function has(key) {
	return key in texts;
}

// words is the text of a key as a node; one in another language has a lang attribute.
export function words(key, args) {
	if (!borrowed[key]) return document.createTextNode(t(key, args));
	const span = document.createElement("span");
	span.lang = borrowed[key];
	span.textContent = t(key, args);
	return span;
}

// when formats a time in the locale and time zone of this device (PUSH-12).
export function when(seconds) {
	return new Intl.DateTimeFormat(undefined, {
		weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit",
	}).format(seconds * 1000);
}
