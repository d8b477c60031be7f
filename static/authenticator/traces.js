// What is still here when a browser has thrown the vault away, so that the app
// can say so. Browsers clear in parts: for want of space IndexedDB goes and
// localStorage stays; Safari deletes all that scripts of a page unvisited for a
// week have kept, and spares a cookie that the server has set (package enroll
// sets this one again). Neither holds a secret.

const name = "latchkey.accounts";
const cookie = "latchkey_authenticator";

// write notes which accounts are here, in words for a help desk. With none left
// on purpose, nothing is noted.
export function write(accounts) {
	try {
		if (accounts.length) localStorage.setItem(name, JSON.stringify(accounts.map(({ organisation, user, serial }) => ({ organisation, user, serial }))));
		else localStorage.removeItem(name);
	} catch {
		// A browser that keeps nothing has the vault's own words for it.
	}
	const secure = location.protocol === "https:" ? "; Secure" : "";
	document.cookie = `${cookie}=${accounts.length ? 1 : ""}; Path=/authenticator; Max-Age=${accounts.length ? 400 * 86_400 : 0}; SameSite=Strict${secure}`;
}

// read returns what was noted: an empty list where only that there was
// something is known, undefined where nothing is.
export function read() {
	try {
		const noted = JSON.parse(localStorage.getItem(name));
		if (Array.isArray(noted) && noted.length) return noted;
	} catch {
		// garbage, or no storage: the cookie may know
	}
	return document.cookie.split("; ").includes(`${cookie}=1`) ? [] : undefined;
}
