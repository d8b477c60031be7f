// Becoming an authenticator: a code is used, then what must be asked is asked,
// then it ends (protocol, sections 5.1 and 5.2).

import { device, platform } from "./device.js";
import { el } from "./dom.js";
import { former, retire } from "./former.js";
import { keeping } from "./install.js";
import { guard } from "./pin.js";
import { problem } from "./problem.js";
import { call, Failure, makeKey } from "./protocol.js";
import * as sheet from "./sheet.js";
import { t, words } from "./texts.js";
import * as vault from "./vault.js";

// activate uses a code, on a deliberate act of the person. What goes wrong is
// said in error; ready is called with the new account.
//
// It keeps the key and the code before it calls: an answer that is lost,
// or a browser that is closed, costs nothing, since the same key may ask again.
export async function activate(code, error, ready) {
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
	if (!["quick", "challenge"].includes(answer.mode) || !["none", "user", "server"].includes(answer.template.pin)) throw new Failure("capability", 409);
	return guard(begun, answer, {
		id: answer.authenticator, key: begun.key, thumbprint: begun.thumbprint,
		mode: answer.mode, digits: answer.digits, period: answer.period, tenant: answer.tenant, organisation: answer.organisation, user: answer.user, serial: answer.serial,
		state: "pending", added: Date.now(),
	}, async (account) => {
		await vault.set("activation", { account, push: answer.push.allowed });
		await questions(account, answer.push.allowed, ready);
	});
}

// questions asks what only the person can say: push, a name (ENR-11), and what
// becomes of an account that is here already.
async function questions(account, push, ready) {
	const others = await former(account);
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
				if (wanted.has("replace")) await retire(others);
				await ready();
				sheet.show({ above: account.organisation, heading: t("app.ready.heading") },
					el("p", {}, words("app.ready.help")), keeping(), sheet.done());
			} catch (failure) {
				if (failure instanceof Failure && ["voided", "unknown"].includes(failure.code)) await vault.unset("activation");
				error.textContent = problem(failure);
				error.hidden = false;
			}
		});
	};
	sheet.show({ above: account.organisation, keep: true, heading: t("app.finish.heading", { user: account.user }) },
		el("form", { class: "stack", submit },
			others.length > 0 && el("label", { class: "choice plain" },
				el("span", {}, el("strong", {}, words("app.again.replace")), el("span", { class: "soft" }, words("app.again.help"))),
				el("input", { type: "checkbox", name: "replace", checked: true })),
			push && el("fieldset", { class: "choices" },
				el("legend", {}, words("app.finish.push")),
				choice("on", "on", true), choice("off", "off", false)),
			el("div", {}, el("label", { for: "name" }, words("app.name")), name, el("small", {}, words("app.name.help"))),
			error,
			el("button", {}, words("app.finish.button"))));
}
