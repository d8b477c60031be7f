// The part of an account's card for signing in: the current TOTP passcode, a button
// for the next HOTP passcode, or one for the response to a typed challenge.

import { digits, el } from "./dom.js";
import { errorText } from "./error-text.js";
import { challengeResponse, inGroups, isChallengeResponse, isLocked, isTimeBased, nextPasscode, passcode, secondsLeft, timeStep } from "./passcode.js";
import * as pin from "./pin.js";
import * as sheet from "./sheet.js";
import { t, words } from "./texts.js";

// passcodeView returns the nodes for an account, and tick, which the caller calls
// every second. announce says something to a screen reader; used is called with the
// account's id when a passcode was copied or shown.
export function passcodeView(account, announce, used) {
	const make = isTimeBased(account) ? totpView : isChallengeResponse(account) ? challengeView : hotpView;
	const view = make(account, announce, used);
	const overlay = pin.pinOverlay(account, () => tick());
	const tick = () => {
		const locked = isLocked(account);
		if (overlay) overlay.hidden = !locked;
		view.nodes.forEach((node) => { node.hidden = locked; });
		return locked ? view.clear() : view.tick();
	};
	return { nodes: overlay ? [...view.nodes, overlay] : view.nodes, tick };
}

// totpView shows the current passcode and how long it is valid.
function totpView(account, announce, used) {
	const { row, say, clear } = codeDisplay(account, announce, used);
	const bar = el("progress", { max: account.period, "aria-label": t("app.code.left") });
	let shown;
	return {
		nodes: [row, bar],
		clear: () => { shown = undefined; clear(); },
		tick: async () => {
			bar.value = secondsLeft(account);
			if (shown === timeStep(account)) return;
			shown = timeStep(account);
			say(await passcode(account, shown));
		},
	};
}

// displaySeconds is for how long an HOTP passcode is shown: long enough to type it,
// and gone when somebody else picks the device up.
const displaySeconds = 60;

// hotpView shows the next passcode when its button is pressed.
function hotpView(account, announce, used) {
	const { row, say, clear } = codeDisplay(account, announce, used);
	let until = 0;
	row.hidden = true;
	const button = el("button", { type: "button", class: "plain", click: async () => {
		button.disabled = true;
		try {
			const code = await nextPasscode(account);
			until = performance.now() + displaySeconds * 1000;
			say(code);
			announce(t("app.code.spoken", { code: [...code].join(" ") }));
			await used(account.id);
		} catch (failure) {
			announce(errorText(failure));
		} finally {
			button.disabled = false;
		}
		tick();
	} }, words("app.code.next"));
	const tick = () => {
		row.hidden = performance.now() >= until;
		if (row.hidden) clear();
	};
	return { nodes: [row, button], clear: () => { until = 0; clear(); }, tick };
}

// challengeView has a button that asks for a challenge in the sheet.
function challengeView(account, announce, used) {
	const button = el("button", { type: "button", class: "plain", click: () => askForChallenge(account, announce, used) }, words("app.challenge.button"));
	return { nodes: [button], clear: () => {}, tick: () => {} };
}

// challengeDigits is how many digits a challenge has.
const challengeDigits = 8;

// askForChallenge asks for a challenge, and then shows the response in its place.
function askForChallenge(account, announce, used) {
	const field = el("input", { id: "challenge", class: "code", inputmode: "numeric", autocomplete: "off", maxlength: 2 * challengeDigits, dir: "ltr",
		autofocus: true, "aria-describedby": "challenge-help" });
	const error = el("p", { class: "error", role: "alert", hidden: true });
	const refuse = (text) => {
		error.textContent = text;
		error.hidden = false;
		field.setAttribute("aria-invalid", "true");
		field.focus();
	};
	const submit = async (event) => {
		event.preventDefault();
		const typed = digits(field.value);
		if (typed.length !== challengeDigits || !/^\d+$/.test(typed)) return refuse(t("app.challenge.format"));
		if (isLocked(account)) return sheet.close(); // the minute after the PIN was entered is over
		const code = await challengeResponse(account, typed);
		const { row, say } = codeDisplay(account, announce, used);
		say(code);
		sheet.show({ above: account.organisation, heading: t("app.challenge.response") },
			el("p", {}, words("app.challenge.type")), row,
			el("button", { type: "button", class: "plain", click: () => askForChallenge(account, announce, used) }, words("app.challenge.again")), sheet.doneButton());
		return used(account.id);
	};
	sheet.show({ above: account.organisation, heading: t("app.challenge.heading") },
		el("form", { class: "stack", novalidate: true, submit },
			el("div", {}, el("label", { for: "challenge" }, words("app.challenge.label")), field,
				el("small", { id: "challenge-help" }, words("app.challenge.help"))),
			error,
			el("button", {}, words("app.challenge.answer"))));
}

// codeDisplay is the row of a passcode, with a button to copy it.
function codeDisplay(account, announce, used) {
	const code = el("span", { class: "otp", dir: "ltr", "aria-hidden": "true" });
	const spoken = el("span", { class: "unseen" });
	const copy = el("button", { type: "button", class: "quiet", click: async () => {
		try {
			await navigator.clipboard.writeText(code.textContent.replace("\u00a0", ""));
			announce(t("app.code.copied"));
			await used(account.id);
		} catch {
			announce(t("app.error.internal"));
		}
	} }, words("app.code.copy"));
	return {
		row: el("div", { class: "row spread" }, el("span", {}, code, spoken), copy),
		say: (digits) => {
			code.textContent = inGroups(digits);
			spoken.textContent = t("app.code.spoken", { code: [...digits].join(" ") });
		},
		clear: () => { code.textContent = spoken.textContent = ""; },
	};
}
