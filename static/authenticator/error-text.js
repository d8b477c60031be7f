// Errors as texts for the person.

import { el } from "./dom.js";
import { Failure } from "./protocol.js";
import { has, t, words } from "./texts.js";

// errorText is the text for an error: by its code where the app has a text for it,
// else the server's message, which is in the person's language too.
export function errorText(error) {
	if (!(error instanceof Failure)) {
		console.error(error);
		return t("app.error.internal");
	}
	const key = `app.error.${error.code}`;
	if (error.code === "capability" && error.detail.least) return t("app.error.capability.least", { version: error.detail.least });
	if (error.code === "network") return t("app.error.network", { host: location.host });
	return has(key) ? t(key) : error.detail.message ?? t("app.error.internal");
}

// notice is a paragraph that stands out.
export function notice(text) {
	return el("p", { class: "notice" }, text);
}

// showFatal replaces the whole page by one message.
export function showFatal(main, heading, text) {
	main.replaceChildren(el("div", { class: "panel" }, el("h1", {}, words(heading)), el("p", {}, words(text))));
}
