// A cookie, and an entry of localStorage, that record that there are accounts, so
// that the app can tell when the browser has deleted its data. Browsers do not
// delete everything: when space is short IndexedDB goes and localStorage stays;
// Safari deletes everything that scripts of a page not visited for a week have
// stored, but not a cookie that the server has set (package enroll sets this one
// again). Neither holds a secret.

const storageKey = "latchkey.accounts";
const cookieName = "latchkey_authenticator";

// write records which accounts are here, with what a help desk needs to know of
// them. Without accounts it deletes the record: the person has removed them.
export function write(accounts) {
	try {
		if (accounts.length) localStorage.setItem(storageKey, JSON.stringify(accounts.map(({ organisation, user, serial }) => ({ organisation, user, serial }))));
		else localStorage.removeItem(storageKey);
	} catch {
		// a browser that stores nothing: keyStore.open reports it
	}
	const secure = location.protocol === "https:" ? "; Secure" : "";
	document.cookie = `${cookieName}=${accounts.length ? 1 : ""}; Path=/authenticator; Max-Age=${accounts.length ? 400 * 86_400 : 0}; SameSite=Strict${secure}`;
}

// read returns the recorded accounts; an empty list if it is only known that there
// were some; undefined if nothing is recorded.
export function read() {
	try {
		const recorded = JSON.parse(localStorage.getItem(storageKey));
		if (Array.isArray(recorded) && recorded.length) return recorded;
	} catch {
		// malformed, or no storage: the cookie is left
	}
	return document.cookie.split("; ").includes(`${cookieName}=1`) ? [] : undefined;
}
