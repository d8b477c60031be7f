// One account: its card with the passcode, and the sheet with its settings.

import { isFinal, pushEnabled, withStatus } from "./account-status.js";
import { el, icon } from "./dom.js";
import { errorText } from "./error-text.js";
import * as keyStore from "./key-store.js";
import * as notifications from "./notification-permission.js";
import { passcodeView } from "./passcode-view.js";
import * as pin from "./pin.js";
import { call } from "./protocol.js";
import { showPushTest } from "./push-test.js";
import * as sheet from "./sheet.js";
import { t, when, words } from "./texts.js";

const menuIcon = "M5 12h.01M12 12h.01M19 12h.01";

// accountCard shows an account. The caller calls its tick every second. used is
// called with the id when a passcode was copied or shown.
export function accountCard(account, changed, announce, used) {
	const heading = el("h2", {}, el("bdi", {}, account.organisation));
	const node = el("section", { class: "account", "data-authenticator": account.id },
		el("div", { class: "row spread top" },
			heading,
			el("button", { type: "button", class: "quiet", "aria-label": t("app.account.settings", { organisation: account.organisation }),
				click: () => showSettings(account, changed) }, icon(menuIcon, 3))),
		el("div", { class: "row spread" }, el("bdi", { class: "soft" }, account.user), stateTag(account)));
	if (account.state === "active") {
		const { nodes, tick } = passcodeView(account, announce, used);
		node.append(...nodes);
		tick();
		return { node, tick };
	}
	const why = account.state === "locked" && account.tries === 0 ? "app.pin.locked" : `app.state.${account.state}`;
	node.append(el("p", { class: isFinal(account.state) ? "notice bad" : "notice" }, words(why)));
	if (isFinal(account.state)) node.append(el("button", { type: "button", class: "plain", click: () => removeHere(account, changed) }, words("app.forget")));
	return { node, tick: () => {} };
}

function stateTag({ state, push }) {
	if (state !== "active") return el("span", { class: "tag bad" }, words("app.tag.inactive"));
	switch (push.state) {
	case "enabled": return el("span", { class: push.allowed ? "tag on" : "tag" }, words(push.allowed ? "app.tag.on" : "app.tag.off"));
	case "temporarily locked": return el("span", { class: "tag warn" }, push.until ? words("app.tag.until", { time: when(push.until) }) : words("app.tag.paused"));
	default: return el("span", { class: "tag" }, words("app.tag.off"));
	}
}

async function removeHere(account, changed) {
	await keyStore.remove(account.id);
	sheet.close();
	await changed();
}

function showSettings(account, changed) {
	const error = el("p", { class: "error", role: "alert", hidden: true });
	const attempt = (act) => sheet.busy(async () => {
		error.hidden = true;
		try {
			await act();
		} catch (failure) {
			error.textContent = errorText(failure);
			error.hidden = false;
		}
	});
	const on = el("input", { type: "checkbox", id: "push", checked: account.push?.state === "enabled" });
	const name = el("input", { id: "name", maxlength: 64, autocomplete: "off", value: account.name ?? "" });
	const save = (event) => {
		event.preventDefault();
		attempt(async () => {
			const wanted = { name: name.value.trim() || account.name };
			if (on.checked !== (account.push?.state === "enabled")) wanted.push = on.checked;
			if (wanted.push) await notifications.requestPermission(); // first: browsers allow it only in response to a tap
			const status = await call(account, "settings", wanted);
			await keyStore.put(withStatus(account, status));
			sheet.close();
			await changed();
		});
	};
	const locked = account.push?.state === "temporarily locked";
	sheet.show({ above: account.organisation, heading: t("app.account.heading") },
		el("dl", { class: "facts" },
			el("dt", {}, words("app.account.user")), el("dd", {}, el("bdi", {}, account.user)),
			el("dt", {}, words("app.account.serial")), el("dd", {}, el("bdi", {}, account.serial))),
		account.state === "active" && el("form", { class: "stack", submit: save },
			account.push.allowed && !locked && el("label", { class: "choice plain" },
				el("span", {}, el("strong", {}, words("app.account.push")), el("span", { class: "soft" }, words("app.finish.push.on.help"))), on),
			locked && el("p", { class: "notice" }, words(account.push.until ? "app.account.locked.until" : "app.account.locked",
				{ time: account.push.until && when(account.push.until) })),
			el("div", {}, el("label", { for: "name" }, words("app.name")), name, el("small", {}, words("app.name.help"))),
			error,
			el("button", {}, words("app.save"))),
		pushEnabled(account) && account.push.web && notificationSection(account, changed),
		pin.settingsButtons(account, changed),
		el("button", { type: "button", class: "quiet", click: () => confirmRemoval(account, changed) }, words("app.account.remove")));
}

// notificationSection says whether requests are shown while the app is closed,
// and has a button to test it.
function notificationSection(account, changed) {
	const permission = notifications.permission();
	const key = { granted: account.push.web.subscribed ? "on" : "failed", default: "off" }[permission] ?? permission;
	return el("section", { class: "stack tight" },
		el("h2", {}, words("app.notify.heading")),
		el("p", { class: "soft" }, words(`app.notify.${key}`)),
		account.push.web.failed && el("p", { class: "soft" }, account.push.web.failed),
		["granted", "default"].includes(permission) && el("button", { type: "button", class: "plain", click: () => showPushTest(account, changed) }, words("app.test.button")));
}

// confirmRemoval warns, and then removes the authenticator: from this browser in
// any case, and at the server if it can be reached.
function confirmRemoval(account, changed) {
	const remove = () => sheet.busy(async () => {
		try {
			if (!isFinal(account.state)) await call(account, "remove", {});
			await removeHere(account, changed);
		} catch (failure) {
			await keyStore.remove(account.id);
			await changed();
			sheet.show({ above: account.organisation, heading: t("app.removed.heading") },
				el("p", {}, words("app.removed.unreported", { serial: account.serial })),
				el("p", { class: "soft" }, errorText(failure)), sheet.doneButton());
		}
	});
	sheet.show({ above: account.organisation, heading: t("app.remove.heading", { user: account.user }) },
		el("p", {}, words("app.remove.help")),
		el("div", { class: "pair" },
			el("button", { type: "button", class: "plain", click: sheet.close }, words("app.cancel")),
			el("button", { type: "button", class: "danger", click: remove }, words("app.remove.button"))));
}
