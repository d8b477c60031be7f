// Sentences in the person's language, from the server's catalogues (ENR-13).

let lang = "en";
let texts = {};
let borrowed = {}; // keys whose text is in another language, and which

// load fetches the texts in the language picked here, else in the browser's,
// and turns the page to it. They are those of this module's version.
export async function load(picked) {
	const address = new URL("texts", import.meta.url);
	if (picked) address.searchParams.set("lang", picked);
	const reply = await fetch(address);
	if (!reply.ok) throw new Error(`texts: ${reply.status}`);
	const catalogue = await reply.json();
	speak(catalogue);
	document.documentElement.lang = lang;
	document.documentElement.dir = catalogue.dir;
	document.title = t("app.title");
	return catalogue;
}

// speak takes the sentences of a catalogue from now on; without one, those there
// are stay.
export function speak(catalogue) {
	if (catalogue) ({ lang, texts, borrowed } = catalogue);
}

// language is the one spoken.
export const language = () => lang;

// t says the text of key. An argument n picks the plural form; values stand in
// isolating characters, so that a name cannot turn the words around it.
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

// words says the text of key as a node; one in another language is marked so.
export function words(key, args) {
	if (!borrowed[key]) return document.createTextNode(t(key, args));
	const span = document.createElement("span");
	span.lang = borrowed[key];
	span.textContent = t(key, args);
	return span;
}

// when says a moment as this device says it: its own locale, its own zone
// (PUSH-12).
export function when(seconds) {
	return new Intl.DateTimeFormat(undefined, {
		weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit",
	}).format(seconds * 1000);
}
