// Notifications, in the service worker. A push is a doorbell (PUSH-27): what it
// says is shown as text, and decides nothing.

import { sentences } from "./offline.js";
import { passcode } from "./passcode.js";
import { call } from "./protocol.js";
import { agree } from "./subscription.js";
import { has, speak, t } from "./texts.js";
import * as vault from "./vault.js";

const pages = new BroadcastChannel("latchkey-push");

// show shows a push, whatever it is. Browsers allow no push that shows nothing:
// some end the subscription over it, and never say so. What cannot be read, or
// is for no account here, is said in words of our own and none of the push's.
export async function show(stock, data) {
	const { about, notification } = read(data);
	const account = about && await find(about.authenticator);
	speak(await sentences(stock, account ? notification.lang : undefined));
	const icon = (name) => new URL(`${stock.version}/${name}`, stock.home).href;
	const looks = { icon: icon("icon-192.png"), badge: icon("icon-badge-96.png") };
	if (!account) {
		await self.registration.showNotification(say("app.title", "Latchkey"), { ...looks, body: say("app.notify.look", ""), tag: "push" });
		return;
	}
	const request = about.kind === "request";
	await self.registration.showNotification(notification.title, {
		...looks, body: notification.body, lang: notification.lang, dir: notification.dir,
		// Of one account a newer takes an older one's place; two accounts have two.
		tag: account.id, renotify: request, requireInteraction: request, silent: about.kind === "ended" ? true : null,
		data: { authenticator: account.id, request: about.request },
		actions: request && about.plain === true && unasked(account) ? buttons() : [],
	});
	if (request) await self.navigator.setAppBadge?.(1);
	if (about.kind === "ended") await self.navigator.clearAppBadge?.();
	pages.postMessage({ kind: about.kind, authenticator: account.id });
}

// read takes a push apart. All in it is text, and short; what is not, is not
// there.
function read(data) {
	try {
		const { notification, latchkey } = data.json();
		const text = (value, most) => typeof value === "string" ? value.slice(0, most) : "";
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

// find returns the account with an id, if it is here and in use. A vault that
// cannot be opened has none.
async function find(id) {
	try {
		await vault.open();
		return (await vault.accounts()).find((account) => account.id === id && account.state === "active");
	} catch (error) {
		console.error(error);
		return undefined;
	}
}

// unasked says of an account that its passcodes are made without asking for
// anything: its seed is a key that is there to be used.
const unasked = ({ seed, serverPIN }) => seed instanceof CryptoKey && !serverPIN;

const say = (key, otherwise) => has(key) ? t(key) : otherwise;

// buttons are those of a request that nothing else is asked for. Denying has two
// ways (PUSH-14), so its button leads to where both are. Some browsers show none.
function buttons() {
	if (!(self.Notification?.maxActions >= 2)) return [];
	return [{ action: "approve", title: t("app.request.approve") }, { action: "deny", title: t("app.notify.deny") }];
}

// clicked does what a notification was tapped for: it approves, if that is all
// there is to it, and opens the app in every other case.
export async function clicked(stock, notification, action) {
	notification.close();
	if (action === "approve") {
		speak(await sentences(stock, notification.lang));
		const outcome = await approve(notification).catch((error) => { console.error(error); });
		if (outcome) {
			await self.navigator.clearAppBadge?.();
			await self.registration.showNotification(t(`app.outcome.${outcome}`), {
				body: t(`app.outcome.${outcome}.help`), tag: notification.tag, icon: notification.icon, badge: notification.badge, silent: true });
			return;
		}
	}
	await openApp(stock);
}

// approve approves the request that a notification showed, and returns how it
// ended; nothing where there is more to it than that. Not the push says so but
// the server, asked now: the same request, for the application that was read, and
// with no presence check.
async function approve({ data, title, body }) {
	const account = await find(data?.authenticator);
	if (!account || !unasked(account)) return undefined;
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
		// It is being closed.
	}
	return self.clients.openWindow(home);
}

// changed subscribes anew where the browser has ended or replaced its
// subscription, and tells the server.
export async function changed() {
	await vault.open();
	await agree(self.registration, await vault.accounts(), self.Notification?.permission === "granted", console.warn);
}
