// Adding an account: its code is scanned, typed or pasted, or comes with the link
// that was opened.

import { parseScanned, parseShortCode } from "./activation-code.js";
import { activate } from "./activation.js";
import { el } from "./dom.js";
import { notice } from "./error-text.js";
import { installsByHand, showHomeScreenSteps } from "./install.js";
import { foreignCodeText, scanner } from "./scan.js";
import * as sheet from "./sheet.js";
import { t, words } from "./texts.js";

// showAddAccount asks whether to use the link that was opened, or without one for
// a code. ready is called when there is a new account.
export function showAddAccount(link, ready) {
	if (link?.secret) return installsByHand() ? showHomeScreenSteps(link, () => confirmLink(link, ready)) : confirmLink(link, ready);
	const field = el("input", { id: "code", class: "code", autocomplete: "off", autocapitalize: "characters", spellcheck: "false",
		maxlength: 300, dir: "ltr", placeholder: "XXXX-XXXX", "aria-describedby": "code-help" });
	const error = el("p", { class: "error", role: "alert", hidden: !link }, link && t(link.newer ? "app.error.capability" : "app.error.activation"));
	const scan = scanner(async (code) => {
		await activate(code, error, ready);
		error.scrollIntoView({ block: "nearest" }); // it may be outside the visible part
	});
	const submit = (event) => {
		event.preventDefault();
		scan.stop();
		field.removeAttribute("aria-invalid");
		const short = parseShortCode(field.value);
		const pasted = /[:/]/.test(field.value) ? parseScanned(field.value) : undefined;
		if (short) return activate({ short_code: short }, error, ready);
		if (pasted?.secret) return activate(pasted, error, ready);
		field.setAttribute("aria-invalid", "true");
		error.textContent = pasted ? foreignCodeText(pasted) : t("app.add.format");
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

function confirmLink(code, ready) {
	const error = el("p", { class: "error", role: "alert", hidden: true });
	sheet.show({ heading: t("app.link.heading") },
		el("p", {}, words("app.link.how")),
		notice(words("app.link.careful")),
		error,
		el("div", { class: "pair" },
			el("button", { type: "button", class: "plain", click: sheet.close }, words("app.cancel")),
			el("button", { type: "button", autofocus: true, click: () => activate(code, error, ready) }, words("app.add.activate"))));
}
