// Notifications, as the page sees them: whether this browser shows any, asking
// for leave to, and keeping browser and server in agreement.

import { el } from "./dom.js";
import { byHand } from "./install.js";
import { agree } from "./subscription.js";
import { words } from "./texts.js";
import * as vault from "./vault.js";

let registration; // of the service worker; nothing where there is none
let looking; // while browser and server are agreeing

export function use(registered) {
	registration = registered;
}

// way says how it stands with notifications in this browser: "granted",
// "default" (to be asked), "denied", "install" (an iPhone shows them for apps on
// its home screen alone), or "unable".
export function way() {
	if (registration?.pushManager && "Notification" in window) return Notification.permission;
	return byHand() ? "install" : "unable";
}

// ask asks for leave. Browsers ask once, and only after a tap.
export async function ask() {
	return way() === "default" ? Notification.requestPermission() : way();
}

// look has browser and server agree on all accounts, and returns those that
// changed by it; none while they still agree on what was asked before.
export async function look(accounts, told = console.warn) {
	if (looking || !registration?.pushManager || !registration.active) return [];
	looking = agree(registration, accounts, way() === "granted", told);
	try {
		return await looking;
	} finally {
		looking = undefined;
	}
}

// looked waits until they agree on what was asked before.
export const looked = async () => { await looking; };

// seen takes away what stands on the device's screen: who looks at the app sees
// what there is.
export async function seen() {
	navigator.clearAppBadge?.().catch(() => {});
	for (const shown of await registration?.getNotifications() ?? []) shown.close();
}

// offer is the invitation to be told of requests while the app is closed, and
// nothing where that is decided. done is called after either answer.
export async function offer(done) {
	if (way() !== "default" || await vault.setting("notifications")) return undefined;
	const later = async () => {
		await vault.set("notifications", "later");
		await done();
	};
	return el("section", { class: "panel" },
		el("h2", {}, words("app.notify.heading")),
		el("p", {}, words("app.notify.offer")),
		el("div", { class: "pair" },
			el("button", { type: "button", class: "plain", click: later }, words("app.notify.later")),
			el("button", { type: "button", click: async () => { await ask(); await done(); } }, words("app.notify.button"))));
}
