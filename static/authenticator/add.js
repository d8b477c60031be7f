// Adding an account: the code is scanned, typed or pasted, or came with the
// link that was opened.

import { activate } from "./activate.js";
import { read, shortCode } from "./code.js";
import { el } from "./dom.js";
import { byHand, home } from "./install.js";
import { notice } from "./problem.js";
import { foreign, scanner } from "./scan.js";
import * as sheet from "./sheet.js";
import { t, words } from "./texts.js";

// begin asks whether the link that was opened is to be used, or for a code.
// ready is called with the new account.
export function begin(link, ready) {
	if (link?.secret) return byHand() ? home(link, () => confirm(link, ready)) : confirm(link, ready);
	const field = el("input", { id: "code", class: "code", autocomplete: "off", autocapitalize: "characters", spellcheck: "false",
		maxlength: 300, dir: "ltr", placeholder: "XXXX-XXXX", "aria-describedby": "code-help" });
	const error = el("p", { class: "error", role: "alert", hidden: !link }, link && t(link.newer ? "app.error.capability" : "app.error.activation"));
	const scan = scanner(async (code) => {
		await activate(code, error, ready);
		error.scrollIntoView({ block: "nearest" }); // it may be below what can be seen
	});
	const submit = (event) => {
		event.preventDefault();
		scan.stop();
		field.removeAttribute("aria-invalid");
		const short = shortCode(field.value);
		const pasted = /[:/]/.test(field.value) ? read(field.value) : undefined;
		if (short) return activate({ short_code: short }, error, ready);
		if (pasted?.secret) return activate(pasted, error, ready);
		field.setAttribute("aria-invalid", "true");
		error.textContent = pasted ? foreign(pasted) : t("app.add.format");
		error.hidden = false;
		field.focus();
	};
	sheet.show({ heading: t("app.add.heading"), onClose: () => scan.stop() },
		el("p", {}, words("app.add.how")),
		scan.node,
		el("form", { class: "stack", novalidate: true, submit },
			el("div", {}, el("label", { for: "code" }, words("app.add.code")), field, el("small", { id: "code-help" }, words("app.add.help"))),
			error,
			el("button", { class: "plain" }, words("app.add.activate"))),
		el("details", {}, el("summary", {}, words("app.add.link")), el("p", { class: "soft" }, words("app.add.link.help"))));
}

function confirm(code, ready) {
	const error = el("p", { class: "error", role: "alert", hidden: true });
	sheet.show({ heading: t("app.link.heading") },
		el("p", {}, words("app.link.how")),
		notice(words("app.link.careful")),
		error,
		el("div", { class: "pair" },
			el("button", { type: "button", class: "plain", click: sheet.close }, words("app.cancel")),
			el("button", { type: "button", autofocus: true, click: () => activate(code, error, ready) }, words("app.add.activate"))));
}
