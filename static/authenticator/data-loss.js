// The page without an account: there never was one, or the browser has deleted its
// data.

import { el } from "./dom.js";
import { installButton } from "./install.js";
import { words } from "./texts.js";

// emptyPage welcomes the person or, if accounts were lost, says which they were,
// why, and what to do. add begins a new account; forget dismisses the message.
export function emptyPage(lost, add, forget) {
	const button = el("button", { type: "button", click: add }, words("app.empty.button"));
	if (!lost) {
		return el("section", { class: "panel" },
			el("h2", {}, words("app.empty.heading")),
			el("p", {}, words("app.empty.help")),
			button, installButton(),
			el("details", {}, el("summary", {}, words("app.empty.lost")), el("p", {}, words("app.empty.lost.help"))));
	}
	return el("section", { class: "panel" },
		el("h2", {}, words("app.lost.heading")),
		el("p", {}, words("app.lost.why")),
		lost.map(({ organisation, user, serial }) => el("dl", { class: "facts" },
			el("dt", {}, words("app.lost.organisation")), el("dd", {}, el("bdi", {}, organisation)),
			el("dt", {}, words("app.account.user")), el("dd", {}, el("bdi", {}, user)),
			el("dt", {}, words("app.account.serial")), el("dd", {}, el("bdi", {}, serial)))),
		el("p", {}, words("app.lost.do")),
		lost.length > 0 && el("p", {}, words("app.lost.serial")),
		button, installButton(),
		el("button", { type: "button", class: "quiet", click: forget }, words("app.lost.forget")));
}
