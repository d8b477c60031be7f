// Activation of an authenticator: the code is used, the person answers what only
// they can, and the server is told that it is finished (protocol, sections 5.1
// and 5.2).

import { deviceName, platform } from "./device.js";
import { el } from "./dom.js";
import { errorText } from "./error-text.js";
import { requestPersistence } from "./install.js";
import * as keyStore from "./key-store.js";
import { protectSeed } from "./pin.js";
import { previousAccounts, removeAccounts } from "./previous-accounts.js";
import { call, Failure, makeKey } from "./protocol.js";
import * as sheet from "./sheet.js";
import { t, words } from "./texts.js";

// activate uses a code, once the person has asked for it. The element error shows
// what went wrong; ready is called when there is a new account.
//
// It stores the key and the code before it calls the server. If the answer is
// lost or the browser is closed, the same key may call again.
export async function activate(code, error, ready) {
	error.hidden = true;
	await sheet.busy(async () => {
		try {
			const begun = { code, ...await makeKey() };
			await keyStore.setSetting("activation", begun);
			await proceed(begun, ready);
		} catch (failure) {
			error.textContent = errorText(failure);
			error.hidden = false;
		}
	});
}

// resumeActivation continues an activation that was begun here and not finished.
export async function resumeActivation(ready) {
	const begun = await keyStore.getSetting("activation");
	if (!begun) return false;
	try {
		await proceed(begun, ready);
		return true;
	} catch {
		return false; // it stays stored until a newer one replaces it or it has ended
	}
}

// proceed gets the account, unless it has it already, stores it, and asks the
// questions. The seed is stored before finish is called: the answer of finish may
// be lost too, and the server does not send the seed again after it.
async function proceed(begun, ready) {
	if (begun.account) return askQuestions(begun.account, begun.push, ready);
	let answer;
	try {
		answer = await call(begun, "activate", { ...begun.code, name: deviceName(), platform: platform() });
	} catch (failure) {
		if (failure instanceof Failure && [400, 404, 409].includes(failure.status)) await keyStore.deleteSetting("activation");
		throw failure;
	}
	// A mode or a PIN that this version does not know is refused (section 1).
	if (!["quick", "challenge"].includes(answer.mode) || !["none", "user", "server"].includes(answer.template.pin)) throw new Failure("capability", 409);
	return protectSeed(begun, answer, {
		id: answer.authenticator, key: begun.key, thumbprint: begun.thumbprint,
		mode: answer.mode, digits: answer.digits, period: answer.period, tenant: answer.tenant, organisation: answer.organisation, user: answer.user, serial: answer.serial,
		state: "pending", added: Date.now(),
	}, async (account) => {
		await keyStore.setSetting("activation", { account, push: answer.push.allowed });
		await askQuestions(account, answer.push.allowed, ready);
	});
}

// askQuestions asks what only the person can decide: push, a name (ENR-11), and
// whether the new account replaces one of theirs that is here already.
async function askQuestions(account, push, ready) {
	const others = await previousAccounts(account);
	const error = el("p", { class: "error", role: "alert", hidden: true });
	const choice = (value, key, checked) => el("label", { class: "choice plain" },
		el("span", {}, el("strong", {}, words(`app.finish.push.${key}`)), el("span", { class: "soft" }, words(`app.finish.push.${key}.help`))),
		el("input", { type: "radio", name: "push", value, checked }));
	const name = el("input", { id: "name", name: "name", maxlength: 64, autocomplete: "off", value: deviceName() });
	const submit = async (event) => {
		event.preventDefault();
		const wanted = new FormData(event.target);
		await sheet.busy(async () => {
			try {
				const status = await call(account, "finish", { push: wanted.get("push") === "on", name: wanted.get("name").trim() || deviceName() });
				await keyStore.put({ ...account, state: status.state, push: status.push, name: status.name });
				await keyStore.deleteSetting("activation");
				if (wanted.has("replace")) await removeAccounts(others);
				await ready();
				sheet.show({ above: account.organisation, heading: t("app.ready.heading") },
					el("p", {}, words("app.ready.help")), requestPersistence(), sheet.doneButton());
			} catch (failure) {
				if (failure instanceof Failure && ["voided", "unknown"].includes(failure.code)) await keyStore.deleteSetting("activation");
				error.textContent = errorText(failure);
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
