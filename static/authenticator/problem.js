// What went wrong, in words.

import { Failure } from "./protocol.js";
import { el } from "./dom.js";
import { has, t, words } from "./texts.js";

// problem says a failure: by its code where we know it, else as the server put
// it, which is in the person's language too.
export function problem(error) {
	if (!(error instanceof Failure)) {
		console.error(error);
		return t("app.error.internal");
	}
	const key = `app.error.${error.code}`;
	if (error.code === "capability" && error.detail.least) return t("app.error.capability.least", { version: error.detail.least });
	if (error.code === "network") return t("app.error.network", { host: location.host });
	return has(key) ? t(key) : error.detail.message ?? t("app.error.internal");
}

// notice is a problem or a piece of news as a block of its own.
export function notice(text) {
	return el("p", { class: "notice" }, text);
}

// stop replaces the whole app by the one thing to know.
export function stop(main, heading, text) {
	main.replaceChildren(el("div", { class: "panel" }, el("h1", {}, words(heading)), el("p", {}, words(text))));
}
