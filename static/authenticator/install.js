// Making an app of the page: by the browser's own offer where it makes one, by
// hand on an iPhone. It is offered, and never pressed on anybody.

import { platform } from "./device.js";
import { drawing, el } from "./dom.js";
import { notice } from "./problem.js";
import * as sheet from "./sheet.js";
import { t, words } from "./texts.js";

let prompt; // the browser's offer
let changed = () => {};

addEventListener("beforeinstallprompt", (event) => {
	event.preventDefault(); // no banner comes by itself
	prompt = event;
	changed();
});
addEventListener("appinstalled", () => {
	prompt = undefined;
	changed();
});

// watch has act called when the browser begins, or ceases, to offer.
export function watch(act) {
	changed = act;
}

const installed = () => navigator.standalone === true || matchMedia("(display-mode: standalone)").matches;

// byHand says that this is a tab on an iPhone or iPad, where only a person can
// put the app on the Home Screen, and where it matters most: notifications come
// only there, and only there Safari does not clear up after a week.
export const byHand = () => platform() === "ios" && !installed();

// offered reports whether there is an offer to make.
export const offered = () => byHand() || prompt !== undefined;

// offer is a button to install, or nothing.
export function offer() {
	if (byHand()) return el("button", { type: "button", class: "plain", click: () => home() }, words("app.home.button"));
	if (!prompt) return undefined;
	return el("button", { type: "button", class: "plain", click: async (event) => {
		event.target.disabled = true;
		const offer = prompt;
		prompt = undefined; // it works once
		await offer?.prompt();
	} }, words("app.install"));
}

// keeping asks the browser to keep the vault, without which it may empty it when
// space is short, and says so where it does not promise. Firefox asks the
// person, so nothing waits for the answer.
export function keeping() {
	const unkept = el("div", { class: "stack", hidden: true }, el("p", { class: "soft" }, words("app.ready.unkept")), offer());
	navigator.storage?.persist?.().then((kept) => { unkept.hidden = kept; }, () => {});
	return unkept;
}

// Each step as it looks: what to touch is filled.
const phone = "M7 2.5h10a2 2 0 0 1 2 2v15a2 2 0 0 1-2 2H7a2 2 0 0 1-2-2v-15a2 2 0 0 1 2-2z";
const share = ["M8.5 9.5H7a1 1 0 0 0-1 1v8a1 1 0 0 0 1 1h10a1 1 0 0 0 1-1v-8a1 1 0 0 0-1-1h-1.5", "M12 14.5v-11M8.5 6.5L12 3l3.5 3.5"];
const plus = ["M7 4h10a3 3 0 0 1 3 3v10a3 3 0 0 1-3 3H7a3 3 0 0 1-3-3V7a3 3 0 0 1 3-3z", "M12 8.5v7M8.5 12h7"];
const grid = [phone + "M8 6h2.5v2.5H8zM13.5 6H16v2.5h-2.5zM8 11.5h2.5V14H8zM10.5 18.5h3", "M13.5 11.5H16V14h-2.5z"];
const type = ["M4 7h16a1.5 1.5 0 0 1 1.5 1.5v7A1.5 1.5 0 0 1 20 17H4a1.5 1.5 0 0 1-1.5-1.5v-7A1.5 1.5 0 0 1 4 7z", "M6 12h.01M9 12h.01M12 12h.01M15.5 9.5v5"];

// home shows how the app comes to the Home Screen. With a link that was opened it
// comes first: the app there and this tab share nothing, so that an account made
// here would be of no use there. The link is not used up by it; anyway goes on
// here all the same.
export function home(link, anyway) {
	const step = (picture, key, args) => el("li", {}, el("span", { class: "glyph" }, drawing(...picture)), el("span", {}, words(key, args)));
	const said = el("p", { role: "status", class: "soft", hidden: true });
	const copy = link && el("button", { type: "button", click: async () => {
		try {
			await navigator.clipboard.writeText(`${location.origin}/authenticator/#v1.${link.secret}`);
			said.textContent = t("app.home.copied");
		} catch {
			said.textContent = t("app.home.uncopied");
		}
		said.hidden = false;
	} }, words("app.home.copy"));
	sheet.show({ heading: t(link ? "app.home.first" : "app.home.heading") },
		el("p", {}, words("app.home.why")),
		el("ol", { class: "path" },
			step(share, "app.home.share"), step(plus, "app.home.add"), step(grid, "app.home.open"), step(type, "app.home.code")),
		link && notice(words("app.home.unused")),
		copy, said,
		link ? el("button", { type: "button", class: "plain", click: anyway }, words("app.home.anyway")) : sheet.done());
}
