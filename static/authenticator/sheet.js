// The sheet that comes up at the thumb: a modal dialog, so that the keyboard
// and a screen reader stay in it. One at a time; closing one decides nothing.

import { el, icon } from "./dom.js";
import { t, words } from "./texts.js";

const cross = "M6 6l12 12M18 6L6 18";
const dialog = document.getElementById("sheet");
let closed = () => {};
let kept = false;

// show fills the sheet, its heading first. onClose is called once, when this
// content leaves the sheet, be it by Escape, by close, or for another. Content
// with keep is not to be replaced by what comes unasked. What is false or missing
// in content is left out.
export function show({ heading, above, keep = false, onClose = () => {} }, ...content) {
	leave();
	closed = onClose;
	kept = keep;
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

// taken reports whether what is shown is not to be replaced.
export const taken = () => dialog.open && kept;

// renewable reports whether the page may be loaded anew: nobody is being asked.
export const renewable = () => !dialog.open;

// busy keeps what was pressed from being pressed twice while act runs.
export async function busy(act) {
	const buttons = [...dialog.querySelectorAll("button:not(:disabled), input:not(:disabled)")];
	buttons.forEach((button) => { button.disabled = true; });
	try {
		return await act();
	} finally {
		buttons.forEach((button) => { button.disabled = false; });
	}
}

// done is the button that ends a sheet with nothing left to decide.
export const done = () => el("button", { type: "button", click: close, autofocus: true }, words("app.done"));

function leave() {
	const leaving = closed;
	closed = () => {};
	leaving();
}

dialog.addEventListener("close", leave);
