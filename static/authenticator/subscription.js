// The browser's push subscription. There is one for the whole app, which the
// server is told of for each account: its accounts may be of several tenants,
// and the server rings each by itself. The page and the service worker both
// come here.

import { base64url } from "./bytes.js";
import { call } from "./protocol.js";
import { reported, rung } from "./standing.js";
import * as vault from "./vault.js";

// patience is how long a browser may take to subscribe, in milliseconds: out of
// reach of its push service, one may never say so.
const patience = 15_000;

// agree brings browser and server to say the same of every account: one that
// wants to be rung is subscribed, any other is not. It returns the accounts it
// changed. Where the network or the push service is away, it is tried again when
// the app is next opened; told of is what went wrong last.
export async function agree(registration, accounts, allowed, told = () => {}) {
	const wanting = allowed ? accounts.filter((account) => rung(account) && account.push.web) : [];
	let subscription = null;
	try {
		if (wanting.length) subscription = await subscribe(registration, wanting);
		else await (await registration.pushManager.getSubscription())?.unsubscribe();
	} catch (error) {
		told(error);
	}
	const changed = [];
	for (const account of accounts) {
		try {
			const now = await settle(account, wanting.includes(account) ? subscription : null);
			if (now) changed.push(now);
		} catch (error) {
			told(error);
		}
	}
	return changed;
}

// subscribe returns the subscription there is, or a new one. One that was
// reported and that the server has no more, its push service has given up: it
// would take the same address again and never ring.
async function subscribe({ pushManager }, wanting) {
	const [{ push: { web: { key } } }] = wanting;
	const old = await pushManager.getSubscription();
	const right = old && base64url(new Uint8Array(old.options.applicationServerKey)) === key;
	const lost = wanting.some(({ endpoint, push }) => endpoint === old?.endpoint && !push.web.subscribed);
	if (right && !lost) return old;
	await old?.unsubscribe();
	const late = new Promise((_, reject) => { setTimeout(() => reject(new Error("no answer from the push service")), patience); });
	return Promise.race([pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key }), late]);
}

// settle tells the server what it does not know yet of one account, and returns
// the account if there was something to tell.
async function settle(account, subscription) {
	const { state, push, endpoint: told } = account;
	if (state !== "active" || !push?.web) return undefined;
	if (!subscription) {
		if (!push.web.subscribed && !told) return undefined;
		return kept({ ...reported(account, await call(account, "unsubscribe", {})), endpoint: undefined });
	}
	const { endpoint, keys } = subscription.toJSON();
	if (push.web.subscribed && told === endpoint) return undefined;
	return kept({ ...reported(account, await call(account, "subscribe", { endpoint, keys })), endpoint });
}

async function kept(account) {
	await vault.update(account);
	return account;
}
