// The web authenticator: it holds accounts, shows their passcodes, and shows the
// push requests that wait for an answer.

import { pushEnabled, withStatus } from "./account-status.js";
import { accountCard } from "./account.js";
import { takeLinkFromAddress } from "./activation-code.js";
import { resumeActivation } from "./activation.js";
import { showAddAccount } from "./add-account.js";
import { emptyPage } from "./data-loss.js";
import { el } from "./dom.js";
import { errorText, notice, showFatal } from "./error-text.js";
import { listen } from "./event-stream.js";
import { canInstall, installButton, watchInstall } from "./install.js";
import * as keyStore from "./key-store.js";
import * as notifications from "./notification-permission.js";
import * as presenceCookie from "./presence-cookie.js";
import { call, Failure, version } from "./protocol.js";
import { showRequest } from "./request.js";
import * as sheet from "./sheet.js";
import * as texts from "./texts.js";
import { registerWorker, reloadIfNewer } from "./worker-registration.js";

const { t, words } = texts;
const main = document.getElementById("main");
const status = document.getElementById("status");
const tabsChannel = new BroadcastChannel("latchkey-authenticator"); // the app in other tabs
const pushChannel = new BroadcastChannel("latchkey-push"); // what the service worker shows

let link = takeLinkFromAddress();
let accounts = [];
let cards = [];
let languages;
let lostAccounts; // the accounts that were here, if the browser has deleted them
let rendered; // the state that render has drawn, so that it draws only changes
let message; // about a failure outside any sheet, such as no connection
let openRequest; // the request on the screen
const dismissed = new Map(); // requests closed undecided, by id, with what is needed to show them again
let listening = new AbortController();
let order; // of the accounts, by last use, as it was when the app was opened
let registration; // of the service worker
let notificationOffer; // a panel that offers notifications while the app is closed

// pickedLanguage is the language chosen here before. A browser without storage has
// none; startApp reports that later.
function pickedLanguage() {
	try {
		return localStorage.getItem("latchkey.language");
	} catch {
		return null;
	}
}

async function startApp() {
	({ languages } = await texts.load(pickedLanguage()));
	document.getElementById("title").textContent = t("app.title");
	if (!window.isSecureContext || !crypto.subtle) return showFatal(main, "app.stop.insecure", "app.stop.insecure.help");
	try {
		await keyStore.open();
	} catch (error) {
		console.error(error);
		const why = presenceCookie.read() ? "damaged" : "storage";
		return showFatal(main, `app.stop.${why}`, `app.stop.${why}.help`);
	}
	if ((await keyStore.accounts()).length === 0) lostAccounts = presenceCookie.read();
	const add = document.getElementById("add");
	add.setAttribute("aria-label", t("app.add.heading"));
	add.addEventListener("click", () => showAddAccount(undefined, accountsChanged));
	add.hidden = false;
	document.getElementById("footer").replaceChildren(
		el("button", { type: "button", class: "quiet", click: showAbout }, words("app.about")));

	notifications.setRegistration(registration = await registerWorker());
	watchInstall(render);
	await refresh();
	// Without this the browser may delete the key store when space is short.
	if (accounts.length) navigator.storage?.persist?.();
	setInterval(() => {
		cards.forEach(({ tick }) => tick());
		if (dismissed.size) render();
	}, 1_000);
	addEventListener("hashchange", () => { link = takeLinkFromAddress(); if (link) showAddAccount(link, accountsChanged); });
	addEventListener("online", checkAndListen);
	addEventListener("offline", () => { message = t("app.error.network", { host: location.host }); render(); });
	document.addEventListener("visibilitychange", checkAndListen);
	tabsChannel.addEventListener("message", refresh);
	pushChannel.addEventListener("message", ({ data }) => {
		const account = accounts.find(({ id }) => id === data.authenticator);
		if (account && data.kind !== "test") fetchRequest(account);
	});
	link = takeLinkFromAddress() ?? link; // one may have been opened meanwhile
	if (link) showAddAccount(link, accountsChanged);
	else await resumeActivation(accountsChanged);
}

// accountsChanged is called when this tab has changed the key store.
async function accountsChanged() {
	tabsChannel.postMessage("changed");
	await refresh();
}

async function refresh() {
	accounts = byLastUse(await keyStore.accounts());
	if (accounts.length) lostAccounts = undefined;
	if (!lostAccounts) presenceCookie.write(accounts);
	render();
	await checkAndListen();
}

// byLastUse sorts accounts by their last use, the latest first. The order stays as it
// was when the app was opened, and new accounts come last, so that nothing moves
// while somebody is about to tap it.
function byLastUse(all) {
	const last = ({ used, added }) => used ?? added;
	order ??= all.toSorted((a, b) => last(b) - last(a)).map(({ id }) => id);
	const place = ({ id }) => order.includes(id) ? order.indexOf(id) : order.length;
	return all.toSorted((a, b) => place(a) - place(b));
}

// markUsed stores that an account was used.
async function markUsed(id) {
	accounts = accounts.map((account) => account.id === id ? { ...account, used: Date.now() } : account);
	const now = accounts.find((account) => account.id === id);
	if (now) await keyStore.update(now);
}

// checkAndListen fetches the status of all accounts and then, while the page is
// visible, listens for requests.
async function checkAndListen() {
	listening.abort();
	listening = new AbortController();
	if (document.visibilityState !== "visible" || reloadIfNewer(registration)) return;
	const { signal } = listening;
	notifications.closeNotifications();
	await Promise.all(accounts.map(check));
	if (signal.aborted) return;
	listen(accounts.filter(pushEnabled), fetchRequest, signal);
	// Not awaited: push services may be slow or unreachable.
	offerAndSubscribe().catch((error) => { console.error(error); });
}

// offerAndSubscribe subscribes the browser for the accounts with push enabled, and
// offers notifications where the person has not decided about them yet.
async function offerAndSubscribe() {
	notificationOffer = accounts.some((account) => pushEnabled(account) && account.push.web) ? await notifications.permissionOffer(refresh) : undefined;
	render();
	const { changed, error } = await notifications.syncSubscriptions(accounts);
	if (error) console.warn(error);
	for (const now of changed) accounts = accounts.map((account) => account.id === now.id ? now : account);
	render();
}

// check fetches the status of an account and stores it: another tab, an operator or
// a policy may have changed it.
async function check(account) {
	try {
		await storeIfChanged(account, withStatus(account, await call(account, "status")));
		message = undefined;
	} catch (failure) {
		if (failure instanceof Failure && failure.code === "unknown") await storeIfChanged(account, { ...account, state: "unknown" });
		else message = errorText(failure);
	}
	render();
}

async function storeIfChanged(old, now) {
	if (JSON.stringify(old) === JSON.stringify(now)) return;
	await keyStore.update(now);
	accounts = accounts.map((account) => account.id === now.id ? now : account);
}

// fetchRequest fetches the pending request of an account, and shows it.
async function fetchRequest(account) {
	try {
		const { request, time } = await call(account, "pending");
		message = undefined;
		if (openRequest && openRequest.account === account.id && openRequest.id !== request?.id) openRequest.withdraw();
		if (!request) {
			for (const [id, waiting] of dismissed) if (waiting.account.id === account.id) dismissed.delete(id);
		} else if (openRequest?.id !== request.id && !dismissed.has(request.id)) {
			const until = performance.now() + (request.expires - time) * 1000;
			if (!openRequest && !sheet.mustStay()) return showPending(account, request, until);
			dismissed.set(request.id, { account, request, until }); // it is shown as a notice until then
		}
	} catch (failure) {
		if (failure instanceof Failure && ["state", "unknown"].includes(failure.code)) return checkAndListen();
		message = errorText(failure);
	}
	render();
}

// showPending shows a request. If it is closed undecided, a notice on the page leads
// back to it.
function showPending(account, request, until) {
	const left = Math.ceil((until - performance.now()) / 1000);
	if (left <= 0) return;
	dismissed.delete(request.id);
	openRequest = { account: account.id, ...showRequest(account, request, left, (undecided) => {
		openRequest = undefined;
		if (undecided) dismissed.set(request.id, { account, request, until });
		else markUsed(account.id);
		render();
	}) };
	render();
}

function announce(text) {
	status.textContent = "";
	requestAnimationFrame(() => { status.textContent = text; });
}

// render redraws the page if its state has changed. Otherwise it leaves the page
// alone, so that a reader keeps their place and the focus stays where it is.
function render() {
	const waiting = [...dismissed.values()].filter(({ until }) => performance.now() < until);
	const now = JSON.stringify([accounts, lostAccounts, canInstall(), message, waiting.map(({ request }) => request.id), Boolean(notificationOffer)],
		(key, value) => key === "used" ? undefined : value);
	if (now === rendered) return;
	rendered = now;
	cards = accounts.map((account) => accountCard(account, accountsChanged, announce, markUsed));
	main.replaceChildren(
		el("h1", { class: "unseen" }, words("app.accounts")),
		...message ? [notice(message)] : [],
		...waiting.map(({ account, request, until }) => el("div", { class: "notice stack" },
			el("p", {}, words("app.request.waiting", { application: request.application })),
			el("button", { type: "button", click: () => showPending(account, request, until) }, words("app.request.look")))),
		...accounts.length ? cards.map(({ node }) => node) : [emptyPage(lostAccounts, () => showAddAccount(undefined, accountsChanged), () => { lostAccounts = undefined; refresh(); })],
		...notificationOffer ? [notificationOffer] : []);
}

// showAbout shows what concerns the app and not one account.
function showAbout() {
	const pick = el("select", { id: "language", change: async () => {
		localStorage.setItem("latchkey.language", pick.value);
		location.reload();
	} }, languages.map(({ tag, name }) => el("option", { value: tag, lang: tag, selected: tag === document.documentElement.lang }, name)));
	sheet.show({ heading: t("app.about") },
		el("div", {}, el("label", { for: "language" }, words("app.language")), pick),
		el("p", { class: "soft" }, words("app.about.keys")),
		installButton(),
		el("p", { class: "soft" }, el("bdi", {}, version)),
		sheet.doneButton());
}

startApp().catch((error) => {
	console.error(error);
	main.replaceChildren(el("p", { class: "notice bad" }, document.getElementById("failed").textContent));
});
