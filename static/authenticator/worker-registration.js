// Registration of the service worker. When a newer one has taken over, the page is
// reloaded as soon as the person is doing nothing on it.

import { isClosed } from "./sheet.js";

let newerWorker = false; // whether the worker is newer than this page

// Trusted types: the one script address that the policy allows.
const address = "sw.js";
const script = globalThis.trustedTypes?.createPolicy("latchkey-worker", { createScriptURL: () => address }).createScriptURL(address) ?? address;

// registerWorker registers the worker and returns its registration; undefined where
// the browser has no service workers, as in some private windows. The app works
// without one.
export async function registerWorker() {
	const { serviceWorker } = navigator;
	if (!serviceWorker) return undefined;
	if (serviceWorker.controller) serviceWorker.addEventListener("controllerchange", () => { newerWorker = true; });
	try {
		return await serviceWorker.register(script, { type: "module" });
	} catch (error) {
		console.warn(error);
		return undefined;
	}
}

// reloadIfNewer reloads the page if there is a newer version of it, and reports
// whether it does. It is called when somebody comes back to the app.
export function reloadIfNewer(registration) {
	if (newerWorker && isClosed()) {
		location.reload();
		return true;
	}
	// Browsers look for a newer worker when a page is opened; this one may stay open.
	registration?.update().catch(() => {}); // offline
	return false;
}
