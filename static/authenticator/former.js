// The account that is here already when another of the same user comes: a phone
// needs one of them, yet to end one is the person's to decide.

import { call, Failure } from "./protocol.js";
import { dead } from "./standing.js";
import * as vault from "./vault.js";

// former returns the accounts of the same user in the same tenant. Those from
// before the tenant was kept go by the organisation's name.
export async function former(account) {
	return (await vault.accounts()).filter((old) => old.id !== account.id && old.user === account.user &&
		(old.tenant ? old.tenant === account.tenant : old.organisation === account.organisation));
}

// retire ends accounts here and at the server. One that could not be ended there
// stays, so that it can be seen and removed by hand.
export async function retire(accounts) {
	for (const old of accounts) {
		try {
			if (!dead(old.state)) await call(old, "remove", {});
		} catch (failure) {
			if (!(failure instanceof Failure && failure.code === "unknown")) continue;
		}
		await vault.remove(old.id);
	}
}
