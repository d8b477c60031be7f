// The web authenticator. It holds accounts, shows their passcodes, and asks
// about the sign-ins that wait for an answer.

import { card } from "./account.js";
import { resume } from "./activate.js";
import { begin } from "./add.js";
import { register, renew } from "./background.js";
import { takeLink } from "./code.js";
import { listen } from "./doorbell.js";
import { el } from "./dom.js";
import { offer, offered, watch } from "./install.js";
import { empty } from "./lost.js";
import { notice, problem, stop } from "./problem.js";
import { call, Failure, version } from "./protocol.js";
import * as push from "./push.js";
import { ask } from "./request.js";
import * as sheet from "./sheet.js";
import { reported, rung } from "./standing.js";
import * as texts from "./texts.js";
import * as traces from "./traces.js";
import * as vault from "./vault.js";

const { t, words } = texts;
const main = document.getElementById("main");
const status = document.getElementById("status");
const others = new BroadcastChannel("latchkey-authenticator"); // the app in other tabs
const pushes = new BroadcastChannel("latchkey-push"); // what the service worker shows

let link = takeLink();
let accounts = [];
let cards = [];
let languages;
let lost; // what there was here, if the browser has thrown it away
let shown; // what render has drawn, to leave the page alone while it is the same
let news; // what last went wrong on its own, such as no connection
let asking; // the request on the screen
const dismissed = new Map(); // requests closed undecided, by id, with how to ask again
let hearing = new AbortController();
let order; // of the accounts, by last use, as it was when the app was opened
let registration; // of the service worker
let invitation; // to be notified of requests while the app is closed

// picked is the language chosen here before. A browser that keeps nothing has
// none, and is told so further on, in its own.
function picked() {
	try {
		return localStorage.getItem("latchkey.language");
	} catch {
		return null;
	}
}

async function start() {
	({ languages } = await texts.load(picked()));
	document.getElementById("title").textContent = t("app.title");
	if (!window.isSecureContext || !crypto.subtle) return stop(main, "app.stop.insecure", "app.stop.insecure.help");
	try {
		await vault.open();
	} catch (error) {
		console.error(error);
		const why = traces.read() ? "damaged" : "storage";
		return stop(main, `app.stop.${why}`, `app.stop.${why}.help`);
	}
	if ((await vault.accounts()).length === 0) lost = traces.read();
	const add = document.getElementById("add");
	add.setAttribute("aria-label", t("app.add.heading"));
	add.addEventListener("click", () => begin(undefined, changed));
	add.hidden = false;
	document.getElementById("footer").replaceChildren(
		el("button", { type: "button", class: "quiet", click: about }, words("app.about")));

	push.use(registration = await register());
	watch(render);
	await refresh();
	// Without this the browser may empty the vault when space is short.
	if (accounts.length) navigator.storage?.persist?.();
	setInterval(() => {
		cards.forEach(({ tick }) => tick());
		if (dismissed.size) render();
	}, 1_000);
	addEventListener("hashchange", () => { link = takeLink(); if (link) begin(link, changed); });
	addEventListener("online", wake);
	addEventListener("offline", () => { news = t("app.error.network", { host: location.host }); render(); });
	document.addEventListener("visibilitychange", wake);
	others.addEventListener("message", refresh);
	pushes.addEventListener("message", ({ data }) => {
		const account = accounts.find(({ id }) => id === data.authenticator);
		if (account && data.kind !== "test") look(account);
	});
	link = takeLink() ?? link; // one may have been opened while we began
	if (link) begin(link, changed);
	else await resume(changed);
}

// changed is called when the vault has changed here.
async function changed() {
	others.postMessage("changed");
	await refresh();
}

async function refresh() {
	accounts = ordered(await vault.accounts());
	if (accounts.length) lost = undefined;
	if (!lost) traces.write(accounts);
	render();
	await wake();
}

// ordered puts what was used last first. The order is that of the opening, and
// new accounts come last: nothing moves under a finger.
function ordered(all) {
	const last = ({ used, added }) => used ?? added;
	order ??= all.toSorted((a, b) => last(b) - last(a)).map(({ id }) => id);
	const place = ({ id }) => order.includes(id) ? order.indexOf(id) : order.length;
	return all.toSorted((a, b) => place(a) - place(b));
}

// use notes that an account was used.
async function use(id) {
	accounts = accounts.map((account) => account.id === id ? { ...account, used: Date.now() } : account);
	const now = accounts.find((account) => account.id === id);
	if (now) await vault.update(now);
}

// wake looks at everything and, while the app can be seen, keeps listening.
async function wake() {
	hearing.abort();
	hearing = new AbortController();
	if (document.visibilityState !== "visible" || renew(registration)) return;
	const { signal } = hearing;
	push.seen();
	await Promise.all(accounts.map(check));
	if (signal.aborted) return;
	listen(accounts.filter(rung), look, signal);
	// Push services take their time, or are out of reach: nothing waits for them.
	agree().catch((error) => { console.error(error); });
}

// agree has the browser subscribed for the accounts that are rung, and offers to
// be notified where that was not decided.
async function agree() {
	invitation = accounts.some((account) => rung(account) && account.push.web) ? await push.offer(refresh) : undefined;
	render();
	for (const now of await push.look(accounts)) accounts = accounts.map((account) => account.id === now.id ? now : account);
	render();
}

// check asks how the account stands, and keeps what it hears: another tab, an
// operator or a policy may have changed it.
async function check(account) {
	try {
		await keep(account, reported(account, await call(account, "status")));
		news = undefined;
	} catch (failure) {
		if (failure instanceof Failure && failure.code === "unknown") await keep(account, { ...account, state: "unknown" });
		else news = problem(failure);
	}
	render();
}

async function keep(old, now) {
	if (JSON.stringify(old) === JSON.stringify(now)) return;
	await vault.update(now);
	accounts = accounts.map((account) => account.id === now.id ? now : account);
}

// look fetches what waits for an account and asks about it.
async function look(account) {
	try {
		const { request, time } = await call(account, "pending");
		news = undefined;
		if (asking && asking.account === account.id && asking.id !== request?.id) asking.gone();
		if (!request) {
			for (const [id, waiting] of dismissed) if (waiting.account.id === account.id) dismissed.delete(id);
		} else if (asking?.id !== request.id && !dismissed.has(request.id)) {
			const until = performance.now() + (request.expires - time) * 1000;
			if (!asking && !sheet.taken()) return put(account, request, until);
			dismissed.set(request.id, { account, request, until }); // it waits its turn
		}
	} catch (failure) {
		if (failure instanceof Failure && ["state", "unknown"].includes(failure.code)) return wake();
		news = problem(failure);
	}
	render();
}

// put asks about a request. Closed undecided, it stays at hand on the page.
function put(account, request, until) {
	const left = Math.ceil((until - performance.now()) / 1000);
	if (left <= 0) return;
	dismissed.delete(request.id);
	asking = { account: account.id, ...ask(account, request, left, (undecided) => {
		asking = undefined;
		if (undecided) dismissed.set(request.id, { account, request, until });
		else use(account.id);
		render();
	}) };
	render();
}

function announce(text) {
	status.textContent = "";
	requestAnimationFrame(() => { status.textContent = text; });
}

// render draws the page anew if it is to look different: who is reading it, or
// has the focus in it, is not to be thrown out by a look that found nothing.
function render() {
	const waiting = [...dismissed.values()].filter(({ until }) => performance.now() < until);
	const now = JSON.stringify([accounts, lost, offered(), news, waiting.map(({ request }) => request.id), Boolean(invitation)],
		(key, value) => key === "used" ? undefined : value);
	if (now === shown) return;
	shown = now;
	cards = accounts.map((account) => card(account, changed, announce, use));
	main.replaceChildren(
		el("h1", { class: "unseen" }, words("app.accounts")),
		...news ? [notice(news)] : [],
		...waiting.map(({ account, request, until }) => el("div", { class: "notice stack" },
			el("p", {}, words("app.request.waiting", { application: request.application })),
			el("button", { type: "button", click: () => put(account, request, until) }, words("app.request.look")))),
		...accounts.length ? cards.map(({ node }) => node) : [empty(lost, () => begin(undefined, changed), () => { lost = undefined; refresh(); })],
		...invitation ? [invitation] : []);
}

// about holds what concerns the app, not an account.
function about() {
	const pick = el("select", { id: "language", change: async () => {
		localStorage.setItem("latchkey.language", pick.value);
		location.reload();
	} }, languages.map(({ tag, name }) => el("option", { value: tag, lang: tag, selected: tag === document.documentElement.lang }, name)));
	sheet.show({ heading: t("app.about") },
		el("div", {}, el("label", { for: "language" }, words("app.language")), pick),
		el("p", { class: "soft" }, words("app.about.keys")),
		offer(),
		el("p", { class: "soft" }, el("bdi", {}, version)),
		sheet.done());
}

start().catch((error) => {
	console.error(error);
	main.replaceChildren(el("p", { class: "notice bad" }, document.getElementById("failed").textContent));
});
