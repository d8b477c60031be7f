// Becoming an authenticator: a deliberate act, then what must be asked, then
// the end of it (protocol, sections 2, 5.1 and 5.2).

import { el } from "./dom.js";
import { keep } from "./passcode.js";
import { notice, problem } from "./problem.js";
import { call, Failure, makeKey } from "./protocol.js";
import * as sheet from "./sheet.js";
import { t, words } from "./texts.js";
import * as vault from "./vault.js";

// takeLink takes the activation out of the address, so that it stays neither
// there nor in the history, and returns what it was: the code to send, or
// nothing.
export function takeLink() {
	const fragment = location.hash.slice(1);
	if (fragment === "") return undefined;
	history.replaceState(null, "", location.pathname);
	const [version, secret] = [fragment.slice(0, fragment.indexOf(".")), fragment.slice(fragment.indexOf(".") + 1)];
	if (!/^v\d+$/.test(version)) return undefined;
	return version === "v1" && /^[\w-]{26,128}$/.test(secret) ? { secret } : { newer: version !== "v1" };
}

// shortCode reads what was typed: Crockford's base32 forgives (section 2).
function shortCode(typed) {
	const code = typed.normalize("NFKC").toUpperCase().replace(/[\s\u200e\u200f-]/g, "").replaceAll("O", "0").replace(/[IL]/g, "1");
	return /^[0-9A-HJKMNP-TV-Z]{8}$/.test(code) ? code : undefined;
}

// begin asks whether the link that was opened is to be used, or for the code to
// type. ready is called with the new account.
export function begin(link, ready) {
	if (link?.secret) return confirm(link, ready);
	const field = el("input", { id: "code", class: "code", autocomplete: "off", autocapitalize: "characters", spellcheck: "false",
		maxlength: 24, dir: "ltr", placeholder: "XXXX-XXXX", autofocus: true, "aria-describedby": "code-help" });
	const error = el("p", { class: "error", role: "alert", hidden: !link }, link && t(link.newer ? "app.error.capability" : "app.error.activation"));
	const submit = (event) => {
		event.preventDefault();
		const code = shortCode(field.value);
		field.removeAttribute("aria-invalid");
		if (code) return activate({ short_code: code }, error, ready);
		field.setAttribute("aria-invalid", "true");
		error.textContent = t("app.add.format");
		error.hidden = false;
		field.focus();
	};
	sheet.show({ heading: t("app.add.heading") },
		el("p", {}, words("app.add.how")),
		el("form", { class: "stack", novalidate: true, submit },
			el("div", {}, el("label", { for: "code" }, words("app.add.code")), field, el("small", { id: "code-help" }, words("app.add.help"))),
			error,
			el("button", {}, words("app.add.activate"))));
}

function confirm(code, ready) {
	const error = el("p", { class: "error", role: "alert", hidden: true });
	sheet.show({ heading: t("app.link.heading") },
		el("p", {}, words("app.link.how")),
		notice(words("app.link.careful")),
		error,
		el("div", { class: "pair" },
			el("button", { type: "button", class: "plain", click: sheet.close }, words("app.cancel")),
			el("button", { type: "button", autofocus: true, click: () => activate(code, error, ready) }, words("app.add.activate"))));
}

// activate keeps the key and the code before it calls: an answer that is lost,
// or a browser that is closed, costs nothing, since the same key may ask again.
async function activate(code, error, ready) {
	error.hidden = true;
	await sheet.busy(async () => {
		try {
			const begun = { code, ...await makeKey() };
			await vault.set("activation", begun);
			await proceed(begun, ready);
		} catch (failure) {
			error.textContent = problem(failure);
			error.hidden = false;
		}
	});
}

// resume goes on with an activation that was begun here and not finished.
export async function resume(ready) {
	const begun = await vault.setting("activation");
	if (!begun) return false;
	try {
		await proceed(begun, ready);
		return true;
	} catch {
		return false; // it waits here until a newer one takes its place, or is over
	}
}

// proceed gets the account, unless it has it already, keeps it, and asks what
// must be asked. What finish answers may be lost too: the seed is not sent again
// after it, so it has to be here before.
async function proceed(begun, ready) {
	if (begun.account) return questions(begun.account, begun.push, ready);
	let answer;
	try {
		answer = await call(begun, "activate", { ...begun.code, name: device(), platform: platform() });
	} catch (failure) {
		if (failure instanceof Failure && [400, 404, 409].includes(failure.status)) await vault.unset("activation");
		throw failure;
	}
	// What this version does not know it must not pretend to be (section 1).
	if (answer.mode !== "quick" || answer.template.pin !== "none" || !answer.period) throw new Failure("capability", 409);
	const account = {
		id: answer.authenticator, key: begun.key, thumbprint: begun.thumbprint, seed: await keep(answer.seed, answer.algorithm),
		digits: answer.digits, period: answer.period, organisation: answer.organisation, user: answer.user, serial: answer.serial,
		state: "pending", added: Date.now(),
	};
	await vault.set("activation", { account, push: answer.push.allowed });
	questions(account, answer.push.allowed, ready);
}

// questions asks what only the person can say: push, and a name (ENR-11).
function questions(account, push, ready) {
	const error = el("p", { class: "error", role: "alert", hidden: true });
	const choice = (value, key, checked) => el("label", { class: "choice plain" },
		el("span", {}, el("strong", {}, words(`app.finish.push.${key}`)), el("span", { class: "soft" }, words(`app.finish.push.${key}.help`))),
		el("input", { type: "radio", name: "push", value, checked }));
	const name = el("input", { id: "name", name: "name", maxlength: 64, autocomplete: "off", value: device() });
	const submit = async (event) => {
		event.preventDefault();
		const wanted = new FormData(event.target);
		await sheet.busy(async () => {
			try {
				const status = await call(account, "finish", { push: wanted.get("push") === "on", name: wanted.get("name").trim() || device() });
				await vault.put({ ...account, state: status.state, push: status.push, name: status.name });
				await vault.unset("activation");
				// Without this the browser may empty the vault when space is short.
				navigator.storage?.persist?.();
				await ready();
				sheet.show({ above: account.organisation, heading: t("app.ready.heading") }, el("p", {}, words("app.ready.help")), sheet.done());
			} catch (failure) {
				if (failure instanceof Failure && ["voided", "unknown"].includes(failure.code)) await vault.unset("activation");
				error.textContent = problem(failure);
				error.hidden = false;
			}
		});
	};
	sheet.show({ above: account.organisation, keep: true, heading: t("app.finish.heading", { user: account.user }) },
		el("form", { class: "stack", submit },
			push && el("fieldset", { class: "choices" },
				el("legend", {}, words("app.finish.push")),
				choice("on", "on", true), choice("off", "off", false)),
			el("div", {}, el("label", { for: "name" }, words("app.name")), name, el("small", {}, words("app.name.help"))),
			error,
			el("button", {}, words("app.finish.button"))));
}

// platform is what this browser runs on, as the protocol names it.
function platform() {
	const agent = navigator.userAgent;
	if (/iPhone|iPad|iPod/.test(agent) || (/Macintosh/.test(agent) && navigator.maxTouchPoints > 1)) return "ios";
	const found = [[/Android/, "android"], [/CrOS/, "chromeos"], [/Windows Phone/, "windows-mobile"], [/Windows/, "windows"],
		[/Macintosh/, "macos"], [/Linux/, "linux"]].find(([pattern]) => pattern.test(agent));
	return found?.[1];
}

// device is a name people recognise this browser by.
function device() {
	const agent = navigator.userAgent;
	const browser = [[/Edg/, "Edge"], [/OPR\//, "Opera"], [/Firefox|FxiOS/, "Firefox"], [/Chrome|CriOS/, "Chrome"], [/Safari/, "Safari"]]
		.find(([pattern]) => pattern.test(agent))?.[1];
	const system = { ios: "iOS", android: "Android", chromeos: "ChromeOS", windows: "Windows", "windows-mobile": "Windows",
		macos: "macOS", linux: "Linux" }[platform()];
	return [browser, system].filter(Boolean).join(", ") || t("app.title");
}
