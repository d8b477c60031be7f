// What an account's card has for signing in: the passcode of now, the next one at
// a press, or the response to a challenge that is typed here.

import { digits, el } from "./dom.js";
import { answers, byTime, closed, grouped, left, next, passcode, response, step } from "./passcode.js";
import * as pin from "./pin.js";
import { problem } from "./problem.js";
import * as sheet from "./sheet.js";
import { t, words } from "./texts.js";

// maker returns the nodes of an account, and tick, to be called every second.
// announce says something to a screen reader; used hears the id when what was made
// was taken.
export function maker(account, announce, used) {
	const make = byTime(account) ? clock : answers(account) ? responder : counter;
	const made = make(account, announce, used);
	const locked = pin.veil(account, () => tick());
	const tick = () => {
		const shut = closed(account);
		if (locked) locked.hidden = !shut;
		made.nodes.forEach((node) => { node.hidden = shut; });
		return shut ? made.clear() : made.tick();
	};
	return { nodes: locked ? [...made.nodes, locked] : made.nodes, tick };
}

// clock shows the passcode of now, and how long it has.
function clock(account, announce, used) {
	const { row, say, clear } = display(account, announce, used);
	const bar = el("progress", { max: account.period, "aria-label": t("app.code.left") });
	let shown;
	return {
		nodes: [row, bar],
		clear: () => { shown = undefined; clear(); },
		tick: async () => {
			bar.value = left(account);
			if (shown === step(account)) return;
			shown = step(account);
			say(await passcode(account, shown));
		},
	};
}

// shownFor is how many seconds a passcode that was asked for stays: long enough to
// type it, and not to be found by whoever picks the device up.
const shownFor = 60;

// counter shows the next passcode when it is asked for.
function counter(account, announce, used) {
	const { row, say, clear } = display(account, announce, used);
	let until = 0;
	row.hidden = true;
	const button = el("button", { type: "button", class: "plain", click: async () => {
		button.disabled = true;
		try {
			const made = await next(account);
			until = performance.now() + shownFor * 1000;
			say(made);
			announce(t("app.code.spoken", { code: [...made].join(" ") }));
			await used(account.id);
		} catch (failure) {
			announce(problem(failure));
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

// responder asks for a challenge in the sheet.
function responder(account, announce, used) {
	const button = el("button", { type: "button", class: "plain", click: () => ask(account, announce, used) }, words("app.challenge.button"));
	return { nodes: [button], clear: () => {}, tick: () => {} };
}

// The digits of a challenge.
const long = 8;

// ask takes a challenge, and shows the response in its place.
function ask(account, announce, used) {
	const field = el("input", { id: "challenge", class: "code", inputmode: "numeric", autocomplete: "off", maxlength: 2 * long, dir: "ltr",
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
		if (typed.length !== long || !/^\d+$/.test(typed)) return refuse(t("app.challenge.format"));
		if (closed(account)) return sheet.close(); // the minute after the PIN is over
		const made = await response(account, typed);
		const { row, say } = display(account, announce, used);
		say(made);
		sheet.show({ above: account.organisation, heading: t("app.challenge.response") },
			el("p", {}, words("app.challenge.type")), row,
			el("button", { type: "button", class: "plain", click: () => ask(account, announce, used) }, words("app.challenge.again")), sheet.done());
		return used(account.id);
	};
	sheet.show({ above: account.organisation, heading: t("app.challenge.heading") },
		el("form", { class: "stack", novalidate: true, submit },
			el("div", {}, el("label", { for: "challenge" }, words("app.challenge.label")), field,
				el("small", { id: "challenge-help" }, words("app.challenge.help"))),
			error,
			el("button", {}, words("app.challenge.answer"))));
}

// display is a place for a passcode, with a button to copy it.
function display(account, announce, used) {
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
		say: (made) => {
			code.textContent = grouped(made);
			spoken.textContent = t("app.code.spoken", { code: [...made].join(" ") });
		},
		clear: () => { code.textContent = spoken.textContent = ""; },
	};
}
