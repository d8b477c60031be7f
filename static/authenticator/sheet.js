// The bottom sheet: a modal dialog, so that the keyboard and a screen reader stay in
// it. There is one at a time, and closing it decides nothing.

import { el, icon } from "./dom.js";
import { t, words } from "./texts.js";

const cross = "M6 6l12 12M18 6L6 18";
const dialog = document.getElementById("sheet");
let onSheetClose = () => {};
let keepContent = false;

// show shows content in the sheet, under a heading. onClose is called once, when the
// sheet is closed or other content replaces this. Content with keep must not be
// replaced by something that the person has not asked for. Content that is false or
// missing is left out.
export function show({ heading, above, keep = false, onClose = () => {} }, ...content) {
	contentLeaves();
	onSheetClose = onClose;
	keepContent = keep;
	const title = el("h1", { id: "sheet-heading", tabindex: -1 }, heading);
	dialog.replaceChildren(
		el("div", { class: "stack" },
			el("div", { class: "row spread top" },
				above ? el("bdi", { class: "soft" }, above) : title,
				el("button", { type: "button", class: "quiet", "aria-label": t("app.close"), click: close }, icon(cross))),
			above && title),
		...content.filter(Boolean));
	if (!dialog.open) dialog.showModal();
	dialog.scrollTop = 0;
	(dialog.querySelector("[autofocus]") ?? dialog.querySelector("h1")).focus();
}

export function close() {
	dialog.close();
}

// mustStay reports whether the content must not be replaced.
export const mustStay = () => dialog.open && keepContent;

// isClosed reports whether the sheet is closed, so that the page may be reloaded.
export const isClosed = () => !dialog.open;

// busy disables all buttons while act runs, so that none is pressed twice.
export async function busy(act) {
	const buttons = [...dialog.querySelectorAll("button:not(:disabled), input:not(:disabled)")];
	buttons.forEach((button) => { button.disabled = true; });
	try {
		return await act();
	} finally {
		buttons.forEach((button) => { button.disabled = false; });
	}
}

// doneButton closes a sheet in which nothing is left to decide.
export const doneButton = () => el("button", { type: "button", click: close, autofocus: true }, words("app.done"));

function contentLeaves() {
	const leaving = onSheetClose;
	onSheetClose = () => {};
	leaving();
}

dialog.addEventListener("close", contentLeaves);
