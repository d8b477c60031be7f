// Installing the page as an app: by the browser's own prompt where it has one, by
// hand on an iPhone. A button offers it; nothing prompts by itself.

import { platform } from "./device.js";
import { drawing, el } from "./dom.js";
import { notice } from "./error-text.js";
import * as sheet from "./sheet.js";
import { t, words } from "./texts.js";

let installPrompt; // the browser's event, until it is used
let onInstallChange = () => {};

addEventListener("beforeinstallprompt", (event) => {
	event.preventDefault(); // the browser shows no banner of its own
	installPrompt = event;
	onInstallChange();
});
addEventListener("appinstalled", () => {
	installPrompt = undefined;
	onInstallChange();
});

// watchInstall has act called when the browser begins or ceases to offer an
// installation.
export function watchInstall(act) {
	onInstallChange = act;
}

const installed = () => navigator.standalone === true || matchMedia("(display-mode: standalone)").matches;

// installsByHand reports whether this is a tab on an iPhone or iPad, where only a
// person can put the app on the Home Screen. There it matters most: only an app on
// the Home Screen gets notifications, and only its data are not deleted by Safari
// after a week.
export const installsByHand = () => platform() === "ios" && !installed();

// canInstall reports whether the app can be installed and is not yet.
export const canInstall = () => installsByHand() || installPrompt !== undefined;

// installButton is a button that installs the app, or undefined.
export function installButton() {
	if (installsByHand()) return el("button", { type: "button", class: "plain", click: () => showHomeScreenSteps() }, words("app.home.button"));
	if (!installPrompt) return undefined;
	return el("button", { type: "button", class: "plain", click: async (event) => {
		event.target.disabled = true;
		const prompt = installPrompt;
		installPrompt = undefined; // it works once
		await prompt?.prompt();
	} }, words("app.install"));
}

// requestPersistence asks the browser to keep the app's storage even when space is
// short, and returns a text that is shown if the browser does not promise it.
// Firefox asks the person, so nothing waits for the answer.
export function requestPersistence() {
	const unkept = el("div", { class: "stack", hidden: true }, el("p", { class: "soft" }, words("app.ready.unkept")),
		installed() ? [] : [el("p", { class: "soft" }, words("app.ready.unkept.install")), installButton()]);
	navigator.storage?.persist?.().then((kept) => { unkept.hidden = kept; }, () => {});
	return unkept;
}

// Pictures of the steps: what to touch is emphasised.
const phone = "M7 2.5h10a2 2 0 0 1 2 2v15a2 2 0 0 1-2 2H7a2 2 0 0 1-2-2v-15a2 2 0 0 1 2-2z";
const share = ["M8.5 9.5H7a1 1 0 0 0-1 1v8a1 1 0 0 0 1 1h10a1 1 0 0 0 1-1v-8a1 1 0 0 0-1-1h-1.5", "M12 14.5v-11M8.5 6.5L12 3l3.5 3.5"];
const plus = ["M7 4h10a3 3 0 0 1 3 3v10a3 3 0 0 1-3 3H7a3 3 0 0 1-3-3V7a3 3 0 0 1 3-3z", "M12 8.5v7M8.5 12h7"];
const grid = [phone + "M8 6h2.5v2.5H8zM13.5 6H16v2.5h-2.5zM8 11.5h2.5V14H8zM10.5 18.5h3", "M13.5 11.5H16V14h-2.5z"];
const type = ["M4 7h16a1.5 1.5 0 0 1 1.5 1.5v7A1.5 1.5 0 0 1 20 17H4a1.5 1.5 0 0 1-1.5-1.5v-7A1.5 1.5 0 0 1 4 7z", "M6 12h.01M9 12h.01M12 12h.01M15.5 9.5v5"];

// showHomeScreenSteps shows how to put the app on the Home Screen. With an
// activation link this comes before the activation: the app there and this tab
// share no storage, so that an account activated here would not be there. The link
// is not used up by it. continueHere activates in this tab all the same.
export function showHomeScreenSteps(link, continueHere) {
	const step = (picture, key, args) => el("li", {}, el("span", { class: "glyph" }, drawing(...picture)), el("span", {}, words(key, args)));
	const message = el("p", { role: "status", class: "soft", hidden: true });
	const copy = link && el("button", { type: "button", click: async () => {
		try {
			await navigator.clipboard.writeText(`${location.origin}/authenticator/#v1.${link.secret}`);
			message.textContent = t("app.home.copied");
		} catch {
			message.textContent = t("app.home.uncopied");
		}
		message.hidden = false;
	} }, words("app.home.copy"));
	sheet.show({ heading: t(link ? "app.home.first" : "app.home.heading") },
		el("p", {}, words("app.home.why")),
		el("ol", { class: "path" },
			step(share, "app.home.share"), step(plus, "app.home.add"), step(grid, "app.home.open"), step(type, "app.home.code")),
		el("p", { class: "soft" }, words("app.home.already")),
		link && notice(words("app.home.unused")),
		copy, message,
		link ? el("button", { type: "button", class: "plain", click: continueHere }, words("app.home.anyway")) : sheet.doneButton());
}
