// A test of push that shows each step and whether it works: permission to show
// notifications, the browser's subscription, the server's message, and its arrival
// here.

import { el, icon } from "./dom.js";
import { errorText } from "./error-text.js";
import * as keyStore from "./key-store.js";
import * as notifications from "./notification-permission.js";
import { call } from "./protocol.js";
import * as sheet from "./sheet.js";
import { t, words } from "./texts.js";

const check = "M5 12.5l4.5 4.5L19 7.5";
const cross = "M7 7l10 10M17 7L7 17";

// arrivalTimeout is how long a notification may take, in milliseconds. Most arrive
// within two seconds.
const arrivalTimeout = 20_000;

// showPushTest shows and begins the test of one account. It must be called in
// response to a tap.
export async function showPushTest(account, changed) {
	const steps = ["permission", "subscription", "sent", "arrived"].map(stepRow);
	const verdict = el("p", { role: "status" });
	let open = true;
	const asked = notifications.requestPermission(); // before any await, or the tap no longer counts
	sheet.show({ above: account.organisation, heading: t("app.test.heading"), onClose: () => { open = false; } },
		el("ol", { class: "path stack" }, steps.map(({ node }) => node)), verdict, sheet.doneButton());

	const [permission, subscription, sent, arrived] = steps;
	const failed = (step, text) => {
		step.mark(false);
		verdict.replaceChildren(text);
	};
	permission.wait();
	const answer = await asked;
	if (answer !== "granted") return failed(permission, words(`app.notify.${answer === "default" ? "off" : answer}`));
	permission.mark(true);

	subscription.wait();
	const { error: wrong } = await notifications.syncSubscriptions(await keyStore.accounts());
	await changed();
	const now = (await keyStore.accounts()).find(({ id }) => id === account.id);
	if (!now?.push.web?.subscribed) return failed(subscription, wrong?.code ? errorText(wrong) : words("app.test.subscription.failed"));
	subscription.mark(true);

	const arrival = testArrival(account.id, () => open);
	sent.wait();
	try {
		const result = await call(now, "test", {});
		if (!result.sent) return failed(sent, result.failed ?? t("app.error.internal"));
	} catch (failure) {
		return failed(sent, errorText(failure));
	}
	sent.mark(true);

	arrived.wait();
	if (!await arrival) return open && failed(arrived, words("app.test.arrived.failed"));
	arrived.mark(true);
	verdict.replaceChildren(words("app.test.works"));
}

// testArrival waits until the service worker has shown a test of an account, and
// resolves to whether it did before the timeout.
function testArrival(id, wanted) {
	const worker = new BroadcastChannel("latchkey-push");
	const until = performance.now() + arrivalTimeout;
	return new Promise((resolve) => {
		const end = (arrived) => {
			clearInterval(polling);
			worker.close();
			resolve(arrived);
		};
		const polling = setInterval(() => { if (performance.now() > until || !wanted()) end(false); }, 250);
		worker.addEventListener("message", ({ data }) => {
			if (data.kind === "test" && data.authenticator === id) end(true);
		});
	});
}

// stepRow is the row of one step.
function stepRow(name) {
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
