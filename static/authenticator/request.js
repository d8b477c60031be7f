// A push request on the screen: its facts (PUSH-12), a number to enter or to pick
// where there is a presence check (PUSH-18), approving (PUSH-13) and both ways to
// deny (PUSH-14).

import { digits, el } from "./dom.js";
import { errorText } from "./error-text.js";
import { approvalCode, isCounterBased, isTimeBased } from "./passcode.js";
import * as pin from "./pin.js";
import { call, Failure } from "./protocol.js";
import * as sheet from "./sheet.js";
import { t, when, words } from "./texts.js";

// showRequest shows a request of an account, which expires in left seconds. It
// returns the request's id and withdraw, to be called when the server no longer has
// the request. onClose is called with whether it was closed undecided.
export function showRequest(account, request, left, onClose) {
	const until = performance.now() + left * 1000;
	const check = presenceCheck(request);
	let settled = false;

	const bar = el("progress", { max: left, value: left, "aria-label": t("app.request.left") });
	const error = el("p", { class: "error", role: "alert", hidden: true });
	const stage = el("div", { class: "stack" });
	const ticking = setInterval(() => {
		bar.value = Math.max(0, (until - performance.now()) / 1000);
		if (bar.value === 0) end("expired");
	}, 250);

	sheet.show({
		above: request.organisation,
		heading: t("app.request.heading", { application: request.application }),
		onClose: () => {
			const undecided = !settled;
			settled = true;
			clearInterval(ticking);
			onClose(undecided);
		},
	}, requestFacts(request), bar, error, stage);
	decide();

	function decide() {
		if (!check) return tooOld();
		if (check.options) pick(check.options);
		else enter(check.digits);
	}

	// approve approves, with the number where one is asked for, once the person has
	// entered the PIN or unlocked by biometrics where the account has either.
	function approve(number) {
		say("");
		if (account.serverPIN) return pin.askForServerPIN(stage, { cancel: decide, given: (typed) => answer("approve", number, typed) });
		return pin.unlock(account, stage, { request: request.id, cancel: decide, opened: () => answer("approve", number) });
	}

	// enter asks for a number of so many digits; with none, only for yes or no.
	function enter(length) {
		const field = length > 0 && el("input", {
			id: "number", class: "code", inputmode: "numeric", autocomplete: "off", maxlength: length + 8, dir: "ltr",
			autofocus: true, "aria-describedby": "number-help",
		});
		const submit = (event) => {
			event.preventDefault();
			const typed = field ? digits(field.value) : undefined;
			if (field && !(typed.length === length && /^\d+$/.test(typed))) {
				field.setAttribute("aria-invalid", "true");
				say(t("app.request.number.format", { n: length }));
				field.focus();
				return;
			}
			approve(typed);
		};
		stage.replaceChildren(el("form", { class: "stack", novalidate: true, submit },
			field && el("div", {},
				el("label", { for: "number" }, words("app.request.number")),
				field,
				el("small", { id: "number-help" }, words("app.request.number.help"))),
			el("div", { class: "pair" },
				el("button", { type: "button", class: "plain", click: deny }, words("app.request.deny")),
				el("button", {}, words("app.request.approve")))));
		if (field) field.focus();
	}

	// pick asks which of some numbers is on the sign-in page. There is one attempt, as
	// with a number that is entered: a second would help who guesses.
	function pick(options) {
		stage.replaceChildren(
			el("div", { role: "group", class: "stack tight", "aria-labelledby": "pick", "aria-describedby": "pick-help" },
				el("h2", { id: "pick" }, words("app.request.pick")),
				el("p", { id: "pick-help", class: "soft" }, words("app.request.pick.help")),
				el("div", { class: "picks" }, options.map((option) =>
					el("button", { type: "button", class: "plain", dir: "ltr", click: () => approve(option) }, option)))),
			el("button", { type: "button", class: "plain", click: deny }, words("app.request.pick.none")));
	}

	function deny() {
		say("");
		const first = el("button", { type: "button", class: "danger", click: () => answer("deny-not-me") }, words("app.request.deny.not-me"));
		stage.replaceChildren(
			el("h2", {}, words("app.request.deny.why")),
			el("p", { class: "soft" }, words("app.request.deny.not-me.help")),
			el("div", { class: "pair" },
				el("button", { type: "button", class: "plain", click: () => answer("deny-mistake") }, words("app.request.deny.mistake")),
				first),
			check && el("button", { type: "button", class: "quiet", click: decide }, words("app.back")));
		first.focus();
	}

	// tooOld is for a check that this version does not know: the person can only deny.
	function tooOld() {
		deny();
		say(t("app.error.capability"));
	}

	async function answer(decision, typed, secret) {
		say("");
		await sheet.busy(async () => {
			try {
				const { outcome } = await call(account, "answer", {
					request: request.id, nonce: request.nonce, decision, number: typed, pin: secret,
					passcode: decision === "approve" ? await approvalCode(account, request.nonce) : undefined,
				});
				end(outcome);
			} catch (failure) {
				if (failure instanceof Failure && failure.code === "ended") end(failure.detail.outcome);
				else say(pin.serverPINError(failure) || refusalText(account, failure));
			}
		});
	}

	function say(text) {
		error.textContent = text;
		error.hidden = text === "";
	}

	// end shows the outcome.
	function end(outcome) {
		if (settled) return;
		settled = true;
		clearInterval(ticking);
		const known = ["approved", "denied-not-me", "denied-mistake", "wrong-number", "expired", "superseded",
			"cancelled", "resync-required", "gone"].includes(outcome);
		const key = known ? outcome : "gone";
		const change = key === "denied-not-me" && request.change_password;
		sheet.show({ above: request.organisation, heading: t(`app.outcome.${key}`) },
			el("p", {}, words(key === "resync-required" && isCounterBased(account) ? "app.outcome.resync-required.counter" : `app.outcome.${key}.help`)),
			change && el("p", {}, words("app.outcome.denied-not-me.password")),
			change && el("a", { class: "button", href: change, target: "_blank", rel: "noopener" }, words("app.outcome.change-password")),
			sheet.doneButton());
	}

	return { id: request.id, withdraw: () => end("gone") };
}

// presenceCheck is what a request's presence check asks for: a number of digits, 0
// without a check; or one of some options. It is undefined where this version does
// not know the check, or it is malformed (PUSH-22).
function presenceCheck({ presence }) {
	if (!presence) return { digits: 0 };
	const { type, executor, challenge } = presence;
	if (type !== "USER_PRESENCE" || executor !== "PHONE" || challenge?.type !== "SUBMIT_CODE" || !(challenge.digits > 0)) return undefined;
	const { digits, options } = challenge;
	if (options === undefined) return { digits };
	const number = (option) => typeof option === "string" && option.length === digits && /^\d+$/.test(option);
	return Array.isArray(options) && options.length > 1 && options.every(number) ? { digits, options } : undefined;
}

// refusalText blames the clock for a refused passcode only where a clock makes it.
function refusalText(account, failure) {
	return failure.code === "passcode" && !isTimeBased(account) ? t("app.error.passcode.other") : errorText(failure);
}

function requestFacts(request) {
	const row = (key, value) => value && [el("dt", {}, words(key)), el("dd", {}, el("bdi", {}, value))];
	return el("dl", { class: "facts" },
		row("app.request.user", request.user),
		row("app.request.place", request.place),
		row("app.request.address", request.address),
		row("app.request.browser", request.browser),
		row("app.request.when", when(request.started)));
}
