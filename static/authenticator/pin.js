// The PIN of an account: chosen when it is activated, asked for before it makes
// a passcode, and changed (protocol, sections 5.13 and 5.14). Nothing that leaves
// this browser tells the PIN.

import * as biometric from "./biometric.js";
import { base32, bytes } from "./bytes.js";
import { digits, el } from "./dom.js";
import { errorText } from "./error-text.js";
import * as keyStore from "./key-store.js";
import { hashOf, importSeed, keepUnlocked, lockAll } from "./passcode.js";
import { deriveKey, proof, stretch, unwrap, unwrapKey, wrapUnderNewPIN } from "./pin-crypto.js";
import { brokenRule } from "./pin-rules.js";
import { call, Failure } from "./protocol.js";
import * as sheet from "./sheet.js";
import { t, words } from "./texts.js";

document.addEventListener("visibilitychange", () => { if (document.visibilityState !== "visible") lockAll(); });

// protectSeed prepares the seed of an account that is being activated as its
// template demands: as a key of the browser, or wrapped under a PIN that the person
// chooses now. It then calls next with the account.
export async function protectSeed(begun, answer, account, next) {
	if (answer.template.pin !== "user") {
		return next({ ...account, serverPIN: answer.template.pin === "server", seed: await importSeed(answer.seed, answer.algorithm) });
	}
	const templated = { ...account, hash: hashOf(answer.algorithm), template: answer.template };
	// The PIN was set, but the answer was lost: the account was stored before.
	if (!answer.pin.initial) return next(begun.pinned);
	const seed = base32(answer.seed);
	const first = field("first", "app.pin.first", { complexity: "decimal" }, "app.pin.first.help");
	const chosen = newPINFields(answer.template);
	return showForm({ above: account.organisation, heading: t("app.pin.choose"), keep: true }, [first.node, ...chosen.nodes], "app.pin.keep", async () => {
		const pin = chosen.read();
		const old = await proof(await stretch(first.read(), answer.pin));
		const { stored, sent } = await wrapUnderNewPIN(templated.id, seed, pin);
		const pinned = { ...templated, pin: [stored] };
		await keyStore.setSetting("activation", { ...begun, pinned });
		try {
			await call(pinned, "pin", { proof: old, new: sent });
		} catch (failure) {
			if (failure.detail?.attempts_left === 0) await keyStore.deleteSetting("activation");
			throw failure;
		}
		await next(pinned);
	});
}

// showChange asks for another PIN. Biometric unlock has to be set up anew after it.
function showChange(account, changed) {
	const old = field("old", "app.pin.old");
	const chosen = newPINFields(account.template);
	return showForm({ above: account.organisation, heading: t("app.pin.change") }, [old.node, ...chosen.nodes], "app.save", async () => {
		const pin = chosen.read();
		const entry = await currentEntry(account);
		const stretched = await stretch(old.read(), entry);
		const proved = await proof(stretched);
		const { half } = await call(account, "unlock", { proof: proved });
		const seed = await unwrap(account, entry, await deriveKey(stretched, bytes(half)));
		const { stored, sent } = await wrapUnderNewPIN(account.id, seed, pin);
		// Both are stored until the server has confirmed the change.
		await keyStore.update({ ...account, pin: [entry, stored] });
		await call(account, "pin", { proof: proved, new: sent });
		await keyStore.update({ ...account, pin: [stored], biometric: undefined });
		lockAll();
		sheet.close();
		await changed();
	});
}

// settingsButtons are the buttons to change an account's PIN, and to turn biometric
// unlock on or off where the template and the device allow it.
export function settingsButtons(account, changed) {
	if (!account.pin || account.state !== "active") return false;
	const node = el("div", { class: "stack tight", id: "pin-settings" },
		el("button", { type: "button", class: "plain", click: () => showChange(account, changed) }, words("app.pin.change")));
	if (account.biometric) {
		node.append(el("button", { type: "button", class: "plain", click: () => sheet.busy(async () => {
			await call(account, "biometric", {});
			await keyStore.update({ ...account, biometric: undefined });
			sheet.close();
			await changed();
		}) }, words("app.touch.off")));
	} else if (account.template.biometric) {
		biometric.available().then((can) => can && node.append(
			el("button", { type: "button", class: "plain", click: () => showBiometricSetUp(account, changed) }, words("app.touch.on"))));
	}
	return node;
}

// showBiometricSetUp sets up biometric unlock. It asks for the PIN: somebody who finds
// an unlocked phone could otherwise register their own finger or face.
function showBiometricSetUp(account, changed) {
	const pin = field("pin", "app.pin.enter", account.template);
	return showForm({ above: account.organisation, heading: t("app.touch.heading") },
		[el("p", {}, words("app.touch.help")), pin.node], "app.touch.on", async () => {
			const entry = await currentEntry(account);
			const stretched = await stretch(pin.read(), entry);
			const proved = await proof(stretched);
			const half = bytes((await call(account, "unlock", { proof: proved })).half);
			const seed = await unwrap(account, entry, await deriveKey(stretched, half));
			await keyStore.update({ ...account, biometric: await biometric.setUp(account, seed, proved, half) });
			sheet.close();
			await changed();
		});
}

// currentEntry returns the entry for the current PIN. After a change whose answer was
// lost there are two, and the server tells which is current.
async function currentEntry(account) {
	if (account.pin.length === 1) return account.pin[0];
	const { pin } = await call(account, "status");
	return account.pin.find(({ salt }) => salt === pin.salt);
}

// unlock asks for the PIN in a place on the page, and calls opened once the seed is
// unlocked; with a request, for its approval.
export function unlock(account, place, { request, opened, cancel }) {
	if (!account.pin) return opened();
	const pin = field("pin", "app.pin.enter", account.template);
	const error = el("p", { class: "error", role: "alert", hidden: true });
	const submit = (event) => {
		event.preventDefault();
		attempt(error, async () => {
			const entry = await currentEntry(account);
			const stretched = await stretch(pin.read(), entry);
			const { half } = await call(account, "unlock", { proof: await proof(stretched), request });
			keepUnlocked(account, await unwrapKey(account, entry, await deriveKey(stretched, bytes(half))));
			await opened();
		}, pin.clear);
	};
	// Where it fails or is cancelled, the field for the PIN is still there.
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

// askForServerPIN asks in a place on the page for a PIN that the server checks, and
// calls given with it. It is not stored here.
export function askForServerPIN(place, { given, cancel }) {
	const pin = field("pin", "app.pin.enter", { complexity: "decimal" }, "app.pin.typed");
	const submit = async (event) => {
		event.preventDefault();
		if (pin.read()) await given(pin.read());
		pin.clear(); // it was wrong; after a right one the form is gone
	};
	place.replaceChildren(el("form", { class: "stack", novalidate: true, submit }, pin.node,
		el("div", { class: "pair" },
			el("button", { type: "button", class: "plain", click: cancel }, words("app.cancel")),
			el("button", {}, words("app.request.approve")))));
	pin.focus();
}

// serverPINError is the text for a wrong server PIN; false for any other failure.
export const serverPINError = (failure) => failure instanceof Failure && failure.code === "pin" && failure.detail.attempts_left !== undefined
	&& (failure.detail.attempts_left > 0 ? t("app.pin.wrong", { n: failure.detail.attempts_left }) : t("app.pin.typed.locked"));

// unlockInSheet asks for the PIN in the sheet.
export function unlockInSheet(account, opened) {
	const place = el("div", { class: "stack" });
	sheet.show({ above: account.organisation, heading: t("app.pin.heading") },
		needsServer(account) && el("p", { class: "soft" }, words("app.pin.server")), place);
	unlock(account, place, { cancel: sheet.close, opened: () => { sheet.close(); opened(); } });
}

// pinOverlay is shown in the place of a passcode until the account is unlocked;
// undefined for an account without a PIN.
export const pinOverlay = (account, opened) => account.pin && el("div", { class: "stack tight" },
	el("button", { type: "button", class: "plain", click: () => unlockInSheet(account, opened) }, words("app.pin.show")),
	needsServer(account) && el("small", {}, words("app.pin.server")));

// needsServer reports whether the seed of an account cannot be unlocked without the
// server.
const needsServer = ({ biometric: entry }) => !entry || Boolean(entry.local);

// attempt does something with a PIN, and shows what went wrong.
function attempt(error, act, failed = () => {}) {
	error.hidden = true;
	return sheet.busy(act).catch((failure) => {
		error.textContent = unlockErrorText(failure);
		error.hidden = false;
		failed();
	});
}

// unlockErrorText is the text for an error of an unlock or of a new PIN.
function unlockErrorText(failure) {
	if (failure instanceof RejectedPIN) return t(`app.pin.${failure.message}`, failure.args);
	if (failure instanceof DOMException) return t("app.touch.failed"); // cancelled, or not recognised
	if (!(failure instanceof Failure)) return errorText(failure);
	if (failure.code === "biometric") return t("app.touch.failed");
	const left = failure.detail.attempts_left;
	if (failure.code === "pin" && left > 0) return t("app.pin.wrong", { n: left });
	if (failure.code === "pin" && left === 0) return t("app.pin.locked");
	if (failure.code === "network") return t("app.pin.offline");
	return errorText(failure);
}

// A RejectedPIN is thrown for a PIN that breaks a rule.
class RejectedPIN extends Error {
	constructor(why, args) {
		super(why);
		this.args = args;
	}
}

// field is a field for a PIN. Digits of any script may be typed.
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

// newPINFields are the two fields for a new PIN.
function newPINFields(template) {
	const [one, two] = [field("new", "app.pin.new", template), field("again", "app.pin.again", template)];
	const rules = el("small", {}, t(`app.pin.rule.${template.complexity}`, { n: template.pin_length }),
		!template.trivial_pins && ` ${t(template.stricter ? "app.pin.rule.stricter" : "app.pin.rule.trivial")}`);
	one.node.append(rules);
	return {
		nodes: [one.node, two.node],
		read: () => {
			const pin = one.read();
			const why = brokenRule(template, pin);
			if (why) throw new RejectedPIN(why, { n: template.pin_length });
			if (pin !== two.read()) throw new RejectedPIN("different");
			return pin;
		},
	};
}

// showForm shows fields in the sheet, and calls act when they are submitted.
function showForm(head, fields, button, act) {
	const error = el("p", { class: "error", role: "alert", hidden: true });
	const submit = (event) => {
		event.preventDefault();
		return attempt(error, act);
	};
	sheet.show(head, el("form", { class: "stack", novalidate: true, submit }, fields, error, el("button", {}, words(button))));
}
