// A test of push that shows, step by step, what works: leave to show
// notifications, the browser's subscription, the server's message, and its
// arrival here.

import { el, icon } from "./dom.js";
import { problem } from "./problem.js";
import { call } from "./protocol.js";
import * as push from "./push.js";
import * as sheet from "./sheet.js";
import { t, words } from "./texts.js";
import * as vault from "./vault.js";

const check = "M5 12.5l4.5 4.5L19 7.5";
const cross = "M7 7l10 10M17 7L7 17";

// patience is how long a notification may take, in milliseconds. Most come
// within two seconds.
const patience = 20_000;

// test shows the test of one account, and begins it: it is a tap that asks.
export async function test(account, changed) {
	const steps = ["permission", "subscription", "sent", "arrived"].map(row);
	const verdict = el("p", { role: "status" });
	let open = true;
	const leave = push.ask(); // before anything else waits, or the tap is over
	sheet.show({ above: account.organisation, heading: t("app.test.heading"), onClose: () => { open = false; } },
		el("ol", { class: "path stack" }, steps.map(({ node }) => node)), verdict, sheet.done());

	const [permission, subscription, sent, arrived] = steps;
	const failed = (step, text) => {
		step.mark(false);
		verdict.replaceChildren(text);
	};
	permission.wait();
	const way = await leave;
	if (way !== "granted") return failed(permission, words(`app.notify.${way === "default" ? "off" : way}`));
	permission.mark(true);

	subscription.wait();
	let wrong;
	await push.looked();
	await push.look(await vault.accounts(), (error) => { wrong = error; });
	await changed();
	const now = (await vault.accounts()).find(({ id }) => id === account.id);
	if (!now?.push.web?.subscribed) return failed(subscription, wrong?.code ? problem(wrong) : words("app.test.subscription.failed"));
	subscription.mark(true);

	const arrival = next(account.id, () => open);
	sent.wait();
	try {
		const answer = await call(now, "test", {});
		if (!answer.sent) return failed(sent, answer.failed ?? t("app.error.internal"));
	} catch (failure) {
		return failed(sent, problem(failure));
	}
	sent.mark(true);

	arrived.wait();
	if (!await arrival) return open && failed(arrived, words("app.test.arrived.failed"));
	arrived.mark(true);
	verdict.replaceChildren(words("app.test.works"));
}

// next waits until the service worker has shown a test of an account, and
// reports whether it did.
function next(id, wanted) {
	const worker = new BroadcastChannel("latchkey-push");
	const until = performance.now() + patience;
	return new Promise((resolve) => {
		const end = (came) => {
			clearInterval(looking);
			worker.close();
			resolve(came);
		};
		const looking = setInterval(() => { if (performance.now() > until || !wanted()) end(false); }, 250);
		worker.addEventListener("message", ({ data }) => {
			if (data.kind === "test" && data.authenticator === id) end(true);
		});
	});
}

// row is one step, waiting for its turn.
function row(name) {
	const sign = el("span", { class: "glyph" });
	const state = el("span", { class: "unseen" });
	const node = el("li", { "data-step": name }, sign, el("span", {}, words(`app.test.${name}`), state));
	const set = (kind, drawing, key) => {
		node.setAttribute("data-state", kind);
		sign.className = kind === "failed" ? "glyph bad" : "glyph";
		sign.replaceChildren(drawing);
		state.replaceChildren(" ", words(key));
	};
	return {
		node,
		wait: () => set("waiting", el("span", { class: "pulse" }), "app.test.waiting"),
		mark: (works) => set(works ? "done" : "failed", icon(works ? check : cross), works ? "app.test.done" : "app.test.failed"),
	};
}
