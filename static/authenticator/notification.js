// Notifications, in the service worker. A push message only says that there is
// something to look at (PUSH-27): its text is shown, and decides nothing.

import * as keyStore from "./key-store.js";
import { loadTexts } from "./offline.js";
import { passcode } from "./passcode.js";
import { call } from "./protocol.js";
import { syncSubscription } from "./subscription.js";
import { has, setCatalogue, t } from "./texts.js";

const pages = new BroadcastChannel("latchkey-push");

// showPush shows a notification for a push message, whatever is in it. Browsers
// allow no push message without a notification: some end the subscription because
// of it, without saying so. A message that cannot be read, or is for no account
// here, shows a fixed text and none of its own.
export async function showPush(release, data) {
	const { about, notification } = parsePush(data);
	const account = about && await findAccount(about.authenticator);
	setCatalogue(await loadTexts(release, account ? notification.lang : undefined));
	const icon = (name) => new URL(`${release.version}/${name}`, release.home).href;
	const icons = { icon: icon("icon-192.png"), badge: icon("icon-badge-96.png") };
	if (!account) {
		await self.registration.showNotification(textOr("app.title", "Latchkey"), { ...icons, body: textOr("app.notify.look", ""), tag: "push" });
		return;
	}
	const request = about.kind === "request";
	await self.registration.showNotification(notification.title, {
		...icons, body: notification.body, lang: notification.lang, dir: notification.dir,
		// A newer notification of the same account replaces an older one.
		tag: account.id, renotify: request, requireInteraction: request, silent: about.kind === "ended" ? true : null,
		data: { authenticator: account.id, request: about.request },
		actions: request && about.plain === true && needsNoPIN(account) ? requestActions() : [],
	});
	if (request) await self.navigator.setAppBadge?.(1);
	if (about.kind === "ended") await self.navigator.clearAppBadge?.();
	pages.postMessage({ kind: about.kind, authenticator: account.id });
}

// parsePush reads a push message. Its texts are cut to a length; what is no text
// counts as missing.
function parsePush(data) {
	try {
		const { notification, latchkey } = data.json();
		const text = (value, maxLength) => typeof value === "string" ? value.slice(0, maxLength) : "";
		if (!text(notification.title) || !["request", "ended", "test"].includes(latchkey.kind)) return {};
		return {
			notification: { title: text(notification.title, 200), body: text(notification.body, 500), lang: text(notification.lang, 35),
				dir: ["ltr", "rtl"].includes(notification.dir) ? notification.dir : "auto" },
			about: { kind: latchkey.kind, authenticator: text(latchkey.authenticator, 64), request: text(latchkey.request, 64), plain: latchkey.plain },
		};
	} catch {
		return {};
	}
}

// findAccount returns the active account with an id; undefined if there is none or
// the key store cannot be opened.
async function findAccount(id) {
	try {
		await keyStore.open();
		return (await keyStore.accounts()).find((account) => account.id === id && account.state === "active");
	} catch (error) {
		console.error(error);
		return undefined;
	}
}

// needsNoPIN reports whether passcodes of an account are made without asking for a
// PIN: its seed is stored as a key that can be used.
const needsNoPIN = ({ seed, serverPIN }) => seed instanceof CryptoKey && !serverPIN;

const textOr = (key, otherwise) => has(key) ? t(key) : otherwise;

// requestActions are the buttons of a notification about a request without a
// presence check. There are two ways to deny (PUSH-14), so the deny button opens
// the app, which has both. Some browsers show no buttons.
function requestActions() {
	if (!(self.Notification?.maxActions >= 2)) return [];
	return [{ action: "approve", title: t("app.request.approve") }, { action: "deny", title: t("app.notify.deny") }];
}

// notificationClicked approves the request, if the approve button was pressed and
// nothing else is asked for, and opens the app in every other case.
export async function notificationClicked(release, notification, action) {
	notification.close();
	if (action === "approve") {
		setCatalogue(await loadTexts(release, notification.lang));
		const outcome = await approve(notification).catch((error) => { console.error(error); });
		if (outcome) {
			await self.navigator.clearAppBadge?.();
			await self.registration.showNotification(t(`app.outcome.${outcome}`), {
				body: t(`app.outcome.${outcome}.help`), tag: notification.tag, icon: notification.icon, badge: notification.badge, silent: true });
			return;
		}
	}
	await openApp(release);
}

// approve approves the request that a notification showed, and returns the outcome;
// undefined where the app has to ask for more. It does not trust the push message
// but asks the server: the request must be the same, for the application that the
// notification named, and have no presence check.
async function approve({ data, title, body }) {
	const account = await findAccount(data?.authenticator);
	if (!account || !needsNoPIN(account)) return undefined;
	const { request } = await call(account, "pending");
	if (request?.id !== data.request || request.presence || !`${title} ${body}`.includes(request.application)) return undefined;
	const { outcome } = await call(account, "answer", {
		request: request.id, nonce: request.nonce, decision: "approve", passcode: await passcode(account),
	});
	return has(`app.outcome.${outcome}`) ? outcome : undefined;
}

async function openApp({ home }) {
	const open = (await self.clients.matchAll({ type: "window", includeUncontrolled: true })).find(({ url }) => url.startsWith(home));
	try {
		if (open) return await open.focus();
	} catch {
		// the window is being closed
	}
	return self.clients.openWindow(home);
}

// subscriptionChanged subscribes anew, when the browser has ended or replaced its
// subscription, and registers that with the server.
export async function subscriptionChanged() {
	await keyStore.open();
	await syncSubscription(self.registration, await keyStore.accounts(), self.Notification?.permission === "granted", console.warn);
}
