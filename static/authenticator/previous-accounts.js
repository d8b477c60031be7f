// Accounts of the same user that are here already when another is activated. One is
// enough, but the person decides whether the old ones are removed.

import { isFinal } from "./account-status.js";
import * as keyStore from "./key-store.js";
import { call, Failure } from "./protocol.js";

// previousAccounts returns the other accounts of the same user in the same tenant.
// Accounts from versions that did not store the tenant are compared by the name of
// the organisation.
export async function previousAccounts(account) {
	return (await keyStore.accounts()).filter((old) => old.id !== account.id && old.user === account.user &&
		(old.tenant ? old.tenant === account.tenant : old.organisation === account.organisation));
}

// removeAccounts removes accounts at the server and here. One that could not be
// removed at the server stays, so that the person can see it and remove it.
export async function removeAccounts(accounts) {
	for (const old of accounts) {
		try {
			if (!isFinal(old.state)) await call(old, "remove", {});
		} catch (failure) {
			if (!(failure instanceof Failure && failure.code === "unknown")) continue;
		}
		await keyStore.remove(old.id);
	}
}
