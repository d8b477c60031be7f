// The PIN of an account: chosen when it is activated, asked for before it makes
// a passcode, and changed (protocol, sections 5.13 and 5.14). What it is leaves
// this browser in no form that says so.

import * as biometric from "./biometric.js";
import { base32, bytes } from "./bytes.js";
import { digits, el } from "./dom.js";
import { hashOf, keep, lend, withdraw } from "./passcode.js";
import { refused } from "./pinrules.js";
import { problem } from "./problem.js";
import { call, Failure } from "./protocol.js";
import * as sheet from "./sheet.js";
import { t, words } from "./texts.js";
import * as vault from "./vault.js";
import { choose, keyOf, open, proof, stretch, unwrap } from "./wrap.js";

document.addEventListener("visibilitychange", () => { if (document.visibilityState !== "visible") withdraw(); });

// guard goes on with an account that is being activated once its seed is kept as
// its template wants it: as it is, or wrapped under a PIN that is chosen now.
export async function guard(begun, answer, account, next) {
	if (answer.template.pin !== "user") {
		return next({ ...account, serverPIN: answer.template.pin === "server", seed: await keep(answer.seed, answer.algorithm) });
	}
	const made = { ...account, hash: hashOf(answer.algorithm), template: answer.template };
	// The PIN was changed, but that was not heard here: what it wraps was kept before.
	if (!answer.pin.initial) return next(begun.pinned);
	const seed = base32(answer.seed);
	const first = field("first", "app.pin.first", { complexity: "decimal" }, "app.pin.first.help");
	const chosen = twice(answer.template);
	return form({ above: account.organisation, heading: t("app.pin.choose"), keep: true }, [first.node, ...chosen.nodes], "app.pin.keep", async () => {
		const pin = chosen.read();
		const old = await proof(await stretch(first.read(), answer.pin));
		const { kept, told } = await choose(made.id, seed, pin);
		const pinned = { ...made, pin: [kept] };
		await vault.set("activation", { ...begun, pinned });
		try {
			await call(pinned, "pin", { proof: old, new: told });
		} catch (failure) {
			if (failure.detail?.attempts_left === 0) await vault.unset("activation");
			throw failure;
		}
		await next(pinned);
	});
}

// change asks for another PIN. A finger or a face has to be set up anew after it.
function change(account, changed) {
	const old = field("old", "app.pin.old");
	const chosen = twice(account.template);
	return form({ above: account.organisation, heading: t("app.pin.change") }, [old.node, ...chosen.nodes], "app.save", async () => {
		const pin = chosen.read();
		const entry = await inForce(account);
		const stretched = await stretch(old.read(), entry);
		const proved = await proof(stretched);
		const { half } = await call(account, "unlock", { proof: proved });
		const seed = await unwrap(account, entry, await keyOf(stretched, bytes(half)));
		const { kept, told } = await choose(account.id, seed, pin);
		// Both are kept until it is known which of them holds.
		await vault.update({ ...account, pin: [entry, kept] });
		await call(account, "pin", { proof: proved, new: told });
		await vault.update({ ...account, pin: [kept], biometric: undefined });
		withdraw();
		sheet.close();
		await changed();
	});
}

// settings are the buttons by which an account's PIN is changed, and a finger or a
// face set up in its place where the template and the device have it.
export function settings(account, changed) {
	if (!account.pin || account.state !== "active") return false;
	const node = el("div", { class: "stack tight", id: "pin-settings" },
		el("button", { type: "button", class: "plain", click: () => change(account, changed) }, words("app.pin.change")));
	if (account.biometric) {
		node.append(el("button", { type: "button", class: "plain", click: () => sheet.busy(async () => {
			await call(account, "biometric", {});
			await vault.update({ ...account, biometric: undefined });
			sheet.close();
			await changed();
		}) }, words("app.touch.off")));
	} else if (account.template.biometric) {
		biometric.available().then((can) => can && node.append(
			el("button", { type: "button", class: "plain", click: () => touch(account, changed) }, words("app.touch.on"))));
	}
	return node;
}

// touch sets a finger or a face up. It takes the PIN: who found a phone unlocked
// could else bring their own.
function touch(account, changed) {
	const pin = field("pin", "app.pin.enter", account.template);
	return form({ above: account.organisation, heading: t("app.touch.heading") },
		[el("p", {}, words("app.touch.help")), pin.node], "app.touch.on", async () => {
			const entry = await inForce(account);
			const stretched = await stretch(pin.read(), entry);
			const proved = await proof(stretched);
			const half = bytes((await call(account, "unlock", { proof: proved })).half);
			const seed = await unwrap(account, entry, await keyOf(stretched, half));
			await vault.update({ ...account, biometric: await biometric.setUp(account, seed, proved, half) });
			sheet.close();
			await changed();
		});
}

// inForce returns what is wrapped under the PIN that holds. After a change whose
// answer was lost, the server knows which that is.
async function inForce(account) {
	if (account.pin.length === 1) return account.pin[0];
	const { pin } = await call(account, "status");
	return account.pin.find(({ salt }) => salt === pin.salt);
}

// unlock asks for the PIN in a place on the page, and calls opened once the seed
// is at hand: for a request, if there is one, which may then be approved.
export function unlock(account, place, { request, opened, cancel }) {
	if (!account.pin) return opened();
	const pin = field("pin", "app.pin.enter", account.template);
	const error = el("p", { class: "error", role: "alert", hidden: true });
	const submit = (event) => {
		event.preventDefault();
		attempt(error, async () => {
			const entry = await inForce(account);
			const stretched = await stretch(pin.read(), entry);
			const { half } = await call(account, "unlock", { proof: await proof(stretched), request });
			lend(account, await open(account, entry, await keyOf(stretched, bytes(half))));
			await opened();
		}, pin.clear);
	};
	// Where it fails, or is put off, the PIN is asked for as before.
	const touch = account.biometric && el("button", { type: "button", class: "plain", click: () => attempt(error, async () => {
		await biometric.unlock(account, request);
		await opened();
	}, pin.focus) }, words("app.pin.touch"));
	place.replaceChildren(el("form", { class: "stack", novalidate: true, submit }, touch, pin.node, error,
		el("div", { class: "pair" },
			el("button", { type: "button", class: "plain", click: cancel }, words("app.cancel")),
			el("button", {}, words(request ? "app.request.approve" : "app.pin.unlock")))));
	pin.focus();
	return undefined;
}

// ask asks in a place on the page for the PIN that the server checks, of an account
// that has one, and calls given with it. What it is, nothing here knows.
export function ask(place, { given, cancel }) {
	const pin = field("pin", "app.pin.enter", { complexity: "decimal" }, "app.pin.typed");
	const submit = async (event) => {
		event.preventDefault();
		if (pin.read()) await given(pin.read());
		pin.clear(); // a wrong one; after a right one nothing of this is there
	};
	place.replaceChildren(el("form", { class: "stack", novalidate: true, submit }, pin.node,
		el("div", { class: "pair" },
			el("button", { type: "button", class: "plain", click: cancel }, words("app.cancel")),
			el("button", {}, words("app.request.approve")))));
	pin.focus();
}

// denied says what a wrong one of those comes to; nothing of another failure.
export const denied = (failure) => failure instanceof Failure && failure.code === "pin" && failure.detail.attempts_left !== undefined
	&& (failure.detail.attempts_left > 0 ? t("app.pin.wrong", { n: failure.detail.attempts_left }) : t("app.pin.typed.locked"));

// show asks for the PIN in the sheet.
export function show(account, opened) {
	const place = el("div", { class: "stack" });
	sheet.show({ above: account.organisation, heading: t("app.pin.heading") },
		needsServer(account) && el("p", { class: "soft" }, words("app.pin.server")), place);
	unlock(account, place, { cancel: sheet.close, opened: () => { sheet.close(); opened(); } });
}

// veil is what stands in the place of a passcode until it is unlocked; nothing
// for an account without a PIN.
export const veil = (account, opened) => account.pin && el("div", { class: "stack tight" },
	el("button", { type: "button", class: "plain", click: () => show(account, opened) }, words("app.pin.show")),
	needsServer(account) && el("small", {}, words("app.pin.server")));

// needsServer says of an account that its passcodes do not come without the
// server: nothing opens its seed here alone.
const needsServer = ({ biometric: entry }) => !entry || Boolean(entry.local);

// attempt does something with a PIN, and says what went wrong.
function attempt(error, act, failed = () => {}) {
	error.hidden = true;
	return sheet.busy(act).catch((failure) => {
		error.textContent = wrong(failure);
		error.hidden = false;
		failed();
	});
}

// wrong says what went wrong with a PIN.
function wrong(failure) {
	if (failure instanceof Refused) return t(`app.pin.${failure.message}`, failure.args);
	if (failure instanceof DOMException) return t("app.touch.failed"); // put off, or not recognised
	if (!(failure instanceof Failure)) return problem(failure);
	if (failure.code === "biometric") return t("app.touch.failed");
	const left = failure.detail.attempts_left;
	if (failure.code === "pin" && left > 0) return t("app.pin.wrong", { n: left });
	if (failure.code === "pin" && left === 0) return t("app.pin.locked");
	if (failure.code === "network") return t("app.pin.offline");
	return problem(failure);
}

// A Refused PIN is one that breaks a rule.
class Refused extends Error {
	constructor(why, args) {
		super(why);
		this.args = args;
	}
}

// field is one for a PIN. Its digits may be of any script.
function field(id, label, template = {}, help) {
	const input = el("input", { id, type: "password", autocomplete: "off", autocapitalize: "none", spellcheck: "false", maxlength: 64, dir: "ltr",
		inputmode: template.complexity === "decimal" && "numeric", autofocus: true, "aria-describedby": help && `${id}-help` });
	return {
		node: el("div", {}, el("label", { for: id }, words(label)), input, help && el("small", { id: `${id}-help` }, words(help))),
		read: () => digits(input.value),
		focus: () => input.focus(),
		clear: () => { input.value = ""; input.focus(); },
	};
}

// twice are the fields for a new PIN.
function twice(template) {
	const [one, two] = [field("new", "app.pin.new", template), field("again", "app.pin.again", template)];
	const rules = el("small", {}, t(`app.pin.rule.${template.complexity}`, { n: template.pin_length }),
		!template.trivial_pins && ` ${t(template.stricter ? "app.pin.rule.stricter" : "app.pin.rule.trivial")}`);
	one.node.append(rules);
	return {
		nodes: [one.node, two.node],
		read: () => {
			const pin = one.read();
			const why = refused(template, pin);
			if (why) throw new Refused(why, { n: template.pin_length });
			if (pin !== two.read()) throw new Refused("different");
			return pin;
		},
	};
}

// form shows fields in the sheet, and does act when they are filled in.
function form(head, fields, button, act) {
	const error = el("p", { class: "error", role: "alert", hidden: true });
	const submit = (event) => {
		event.preventDefault();
		return attempt(error, act);
	};
	sheet.show(head, el("form", { class: "stack", novalidate: true, submit }, fields, error, el("button", {}, words(button))));
}
