// The page's side of the service worker: it is put in place, and when a newer
// one has taken over, the page follows as soon as nothing is being done on it.

import { renewable } from "./sheet.js";

let newer = false; // than this page is the worker

// Trusted types: the one script a string here may become.
const address = "sw.js";
const script = globalThis.trustedTypes?.createPolicy("latchkey-worker", { createScriptURL: () => address }).createScriptURL(address) ?? address;

// register puts the worker in place and returns its registration; nothing where
// the browser has none, as in some private windows. The app works without.
export async function register() {
	const { serviceWorker } = navigator;
	if (!serviceWorker) return undefined;
	if (serviceWorker.controller) serviceWorker.addEventListener("controllerchange", () => { newer = true; });
	try {
		return await serviceWorker.register(script, { type: "module" });
	} catch (error) {
		console.warn(error);
		return undefined;
	}
}

// renew loads the page anew if there is a newer version of it, and reports
// whether it does. To be called when somebody comes back to the app.
export function renew(registration) {
	if (newer && renewable()) {
		location.reload();
		return true;
	}
	// An app that stays open for weeks is never opened: look for a newer one.
	registration?.update().catch(() => {}); // offline
	return false;
}
