// The browser's push subscription. There is one for the whole app, which is
// registered with the server for each account: accounts may be of several tenants,
// and the server sends to each by itself. The page and the service worker both use
// this module.

import { pushEnabled, withStatus } from "./account-status.js";
import { base64url } from "./bytes.js";
import * as keyStore from "./key-store.js";
import { call } from "./protocol.js";

// subscribeTimeout is how long a browser may take to subscribe, in milliseconds. One
// that cannot reach its push service may never fail by itself.
const subscribeTimeout = 15_000;

// syncSubscription registers the subscription for every account with push enabled,
// and removes it for all others. It returns the accounts that it changed. If the
// network or the push service fails, it is tried again when the app is next opened;
// onError is called with each error.
export async function syncSubscription(registration, accounts, allowed, onError = () => {}) {
	const enabled = allowed ? accounts.filter((account) => pushEnabled(account) && account.push.web) : [];
	let subscription = null;
	try {
		if (enabled.length) subscription = await subscribe(registration, enabled);
		else await (await registration.pushManager.getSubscription())?.unsubscribe();
	} catch (error) {
		onError(error);
	}
	const changed = [];
	for (const account of accounts) {
		try {
			const now = await reportSubscription(account, enabled.includes(account) ? subscription : null);
			if (now) changed.push(now);
		} catch (error) {
			onError(error);
		}
	}
	return changed;
}

// subscribe returns the existing subscription, or a new one. If the server no longer
// has one that was registered, the push service has ended it: the browser would
// return the same endpoint again, which never delivers.
async function subscribe({ pushManager }, enabled) {
	const [{ push: { web: { key } } }] = enabled;
	const old = await pushManager.getSubscription();
	const sameKey = old && base64url(new Uint8Array(old.options.applicationServerKey)) === key;
	const lost = enabled.some(({ endpoint, push }) => endpoint === old?.endpoint && !push.web.subscribed);
	if (sameKey && !lost) return old;
	await old?.unsubscribe();
	const late = new Promise((_, reject) => { setTimeout(() => reject(new Error("no answer from the push service")), subscribeTimeout); });
	return Promise.race([pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key }), late]);
}

// reportSubscription registers the subscription of one account with the server, or
// removes it, and returns the account if there was something to change.
async function reportSubscription(account, subscription) {
	const { state, push, endpoint: registered } = account;
	if (state !== "active" || !push?.web) return undefined;
	if (!subscription) {
		if (!push.web.subscribed && !registered) return undefined;
		return stored({ ...withStatus(account, await call(account, "unsubscribe", {})), endpoint: undefined });
	}
	const { endpoint, keys } = subscription.toJSON();
	if (push.web.subscribed && registered === endpoint) return undefined;
	return stored({ ...withStatus(account, await call(account, "subscribe", { endpoint, keys })), endpoint });
}

async function stored(account) {
	await keyStore.update(account);
	return account;
}
