// A push request on the screen: what it says (PUSH-12), the number where one is
// asked (PUSH-18), approve (PUSH-13) and both ways to deny (PUSH-14).

import { digits, el } from "./dom.js";
import { passcode } from "./passcode.js";
import { unlock } from "./pin.js";
import { problem } from "./problem.js";
import { call, Failure } from "./protocol.js";
import * as sheet from "./sheet.js";
import { t, when, words } from "./texts.js";

// ask shows a request of an account. left is how many seconds it still has. It
// returns what ends the asking from outside: gone, when the server no longer
// has the request. onClose hears whether it was closed undecided.
export function ask(account, request, left, onClose) {
	const until = performance.now() + left * 1000;
	const number = needed(request);
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
	}, facts(request), bar, error, stage);
	decide();

	function decide() {
		if (number === undefined) return tooOld();
		const field = number > 0 && el("input", {
			id: "number", class: "code", inputmode: "numeric", autocomplete: "off", maxlength: number + 8, dir: "ltr",
			autofocus: true, "aria-describedby": "number-help",
		});
		const approve = (event) => {
			event.preventDefault();
			const typed = field ? digits(field.value) : undefined;
			if (field && !(typed.length === number && /^\d+$/.test(typed))) {
				field.setAttribute("aria-invalid", "true");
				say(t("app.request.number.format", { n: number }));
				field.focus();
				return;
			}
			say("");
			unlock(account, stage, { request: request.id, cancel: decide, opened: () => answer("approve", typed) });
		};
		stage.replaceChildren(el("form", { class: "stack", novalidate: true, submit: approve },
			field && el("div", {},
				el("label", { for: "number" }, words("app.request.number")),
				field,
				el("small", { id: "number-help" }, words("app.request.number.help"))),
			el("div", { class: "pair" },
				el("button", { type: "button", class: "plain", click: deny }, words("app.request.deny")),
				el("button", {}, words("app.request.approve")))));
		if (field) field.focus();
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
			number !== undefined && el("button", { type: "button", class: "quiet", click: decide }, words("app.back")));
		first.focus();
	}

	// A check this version does not know: never approve, but let people deny.
	function tooOld() {
		deny();
		say(t("app.error.capability"));
	}

	async function answer(decision, typed) {
		say("");
		await sheet.busy(async () => {
			try {
				const { outcome } = await call(account, "answer", {
					request: request.id, nonce: request.nonce, decision, number: typed,
					passcode: decision === "approve" ? await passcode(account) : undefined,
				});
				end(outcome);
			} catch (failure) {
				if (failure instanceof Failure && failure.code === "ended") end(failure.detail.outcome);
				else say(problem(failure));
			}
		});
	}

	function say(text) {
		error.textContent = text;
		error.hidden = text === "";
	}

	// end shows how it ended, in words.
	function end(outcome) {
		if (settled) return;
		settled = true;
		clearInterval(ticking);
		const known = ["approved", "denied-not-me", "denied-mistake", "wrong-number", "expired", "superseded",
			"cancelled", "resync-required", "gone"].includes(outcome);
		const key = known ? outcome : "gone";
		sheet.show({ above: request.organisation, heading: t(`app.outcome.${key}`) },
			el("p", {}, words(`app.outcome.${key}.help`)),
			sheet.done());
	}

	return { id: request.id, gone: () => end("gone") };
}

// needed is how many digits a request asks for: none without a presence check,
// and undefined where it asks what this version does not know (PUSH-22).
function needed({ presence }) {
	if (!presence) return 0;
	const { type, executor, challenge } = presence;
	const typed = type === "USER_PRESENCE" && executor === "PHONE" && challenge?.type === "SUBMIT_CODE" && !challenge.options;
	return typed && challenge.digits > 0 ? challenge.digits : undefined;
}

function facts(request) {
	const row = (key, value) => value && [el("dt", {}, words(key)), el("dd", {}, el("bdi", {}, value))];
	return el("dl", { class: "facts" },
		row("app.request.user", request.user),
		row("app.request.place", request.place),
		row("app.request.address", request.address),
		row("app.request.when", when(request.started)));
}
