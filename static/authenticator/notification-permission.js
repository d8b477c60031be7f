// Notifications, on the page's side: whether this browser shows any, asking for
// permission, and registering the browser's subscription with the server.

import { el } from "./dom.js";
import { installsByHand } from "./install.js";
import * as keyStore from "./key-store.js";
import { syncSubscription } from "./subscription.js";
import { words } from "./texts.js";

let registration; // of the service worker; undefined where there is none
let syncing; // while one runs: whether notifications were allowed, and its result

export function setRegistration(registered) {
	registration = registered;
}

// permission is the state of notifications in this browser: "granted", "default"
// (not asked yet), "denied", "install" (an iPhone shows them only for apps on its
// Home Screen), or "unable".
export function permission() {
	if (registration?.pushManager && "Notification" in window) return Notification.permission;
	return installsByHand() ? "install" : "unable";
}

// requestPermission asks for permission. Browsers ask once, and only after a tap.
export async function requestPermission() {
	return permission() === "default" ? Notification.requestPermission() : permission();
}

// syncSubscriptions is syncSubscription for all accounts. It returns those that it
// changed, and the last error. A call while another runs gets what that one finds:
// waiting twice for an unreachable push service helps nobody.
export async function syncSubscriptions(accounts) {
	if (!registration?.pushManager || !registration.active) return { changed: [] };
	const allowed = permission() === "granted";
	if (syncing && syncing.allowed !== allowed) await syncing.result;
	syncing ??= { allowed, result: synchronise(accounts, allowed) };
	return syncing.result;
}

async function synchronise(accounts, allowed) {
	let error;
	try {
		const changed = await syncSubscription(registration, accounts, allowed, (failure) => { error = failure; });
		return { changed, error };
	} finally {
		syncing = undefined;
	}
}

// closeNotifications closes the app's notifications and clears its badge, for when
// the app itself is visible.
export async function closeNotifications() {
	navigator.clearAppBadge?.().catch(() => {});
	for (const notification of await registration?.getNotifications() ?? []) notification.close();
}

// permissionOffer is a panel that offers notifications while the app is closed, or
// undefined where that was decided. done is called after either answer.
export async function permissionOffer(done) {
	if (permission() !== "default" || await keyStore.getSetting("notifications")) return undefined;
	const later = async () => {
		await keyStore.setSetting("notifications", "later");
		await done();
	};
	return el("section", { class: "panel" },
		el("h2", {}, words("app.notify.heading")),
		el("p", {}, words("app.notify.offer")),
		el("div", { class: "pair" },
			el("button", { type: "button", class: "plain", click: later }, words("app.notify.later")),
			el("button", { type: "button", click: async () => { await requestPermission(); await done(); } }, words("app.notify.button"))));
}
