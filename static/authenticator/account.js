// One account: its card with the passcode, and the sheet with its settings.

import { el, icon } from "./dom.js";
import { maker } from "./made.js";
import * as pin from "./pin.js";
import { problem } from "./problem.js";
import { call } from "./protocol.js";
import * as push from "./push.js";
import { test } from "./pushtest.js";
import * as sheet from "./sheet.js";
import { dead, reported, rung } from "./standing.js";
import { t, when, words } from "./texts.js";
import * as vault from "./vault.js";

const dots = "M5 12h.01M12 12h.01M19 12h.01";

// card shows an account. Its tick must be called every second. used hears the id
// when a passcode was taken.
export function card(account, changed, announce, used) {
	const heading = el("h2", {}, el("bdi", {}, account.organisation));
	const node = el("section", { class: "account", "data-authenticator": account.id },
		el("div", { class: "row spread top" },
			heading,
			el("button", { type: "button", class: "quiet", "aria-label": t("app.account.settings", { organisation: account.organisation }),
				click: () => settings(account, changed) }, icon(dots, 3))),
		el("div", { class: "row spread" }, el("bdi", { class: "soft" }, account.user), tag(account)));
	if (account.state === "active") {
		const { nodes, tick } = maker(account, announce, used);
		node.append(...nodes);
		tick();
		return { node, tick };
	}
	const why = account.state === "locked" && account.tries === 0 ? "app.pin.locked" : `app.state.${account.state}`;
	node.append(el("p", { class: dead(account.state) ? "notice bad" : "notice" }, words(why)));
	if (dead(account.state)) node.append(el("button", { type: "button", class: "plain", click: () => forget(account, changed) }, words("app.forget")));
	return { node, tick: () => {} };
}

function tag({ state, push }) {
	if (state !== "active") return el("span", { class: "tag bad" }, words("app.tag.inactive"));
	switch (push.state) {
	case "enabled": return el("span", { class: push.allowed ? "tag on" : "tag" }, words(push.allowed ? "app.tag.on" : "app.tag.off"));
	case "temporarily locked": return el("span", { class: "tag warn" }, push.until ? words("app.tag.until", { time: when(push.until) }) : words("app.tag.paused"));
	default: return el("span", { class: "tag" }, words("app.tag.off"));
	}
}

async function forget(account, changed) {
	await vault.remove(account.id);
	sheet.close();
	await changed();
}

function settings(account, changed) {
	const error = el("p", { class: "error", role: "alert", hidden: true });
	const attempt = (act) => sheet.busy(async () => {
		error.hidden = true;
		try {
			await act();
		} catch (failure) {
			error.textContent = problem(failure);
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
			if (wanted.push) await push.ask(); // now, while it is a tap that asks
			const status = await call(account, "settings", wanted);
			await vault.put(reported(account, status));
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
		rung(account) && account.push.web && notifications(account, changed),
		pin.settings(account, changed),
		el("button", { type: "button", class: "quiet", click: () => removal(account, changed) }, words("app.account.remove")));
}

// notifications says whether requests show while the app is closed, and offers
// to try it.
function notifications(account, changed) {
	const way = push.way();
	const key = { granted: account.push.web.subscribed ? "on" : "failed", default: "off" }[way] ?? way;
	return el("section", { class: "stack tight" },
		el("h2", {}, words("app.notify.heading")),
		el("p", { class: "soft" }, words(`app.notify.${key}`)),
		account.push.web.failed && el("p", { class: "soft" }, account.push.web.failed),
		["granted", "default"].includes(way) && el("button", { type: "button", class: "plain", click: () => test(account, changed) }, words("app.test.button")));
}

// removal warns, and then gives the authenticator up: here in any case, and at
// the server if it can be reached.
function removal(account, changed) {
	const remove = () => sheet.busy(async () => {
		try {
			if (!dead(account.state)) await call(account, "remove", {});
			await forget(account, changed);
		} catch (failure) {
			await vault.remove(account.id);
			await changed();
			sheet.show({ above: account.organisation, heading: t("app.removed.heading") },
				el("p", {}, words("app.removed.unreported", { serial: account.serial })),
				el("p", { class: "soft" }, problem(failure)), sheet.done());
		}
	});
	sheet.show({ above: account.organisation, heading: t("app.remove.heading", { user: account.user }) },
		el("p", {}, words("app.remove.help")),
		el("div", { class: "pair" },
			el("button", { type: "button", class: "plain", click: sheet.close }, words("app.cancel")),
			el("button", { type: "button", class: "danger", click: remove }, words("app.remove.button"))));
}
