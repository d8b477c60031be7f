// The service worker: what of the app is there when no page is. sw.js, which
// names the version and its files, begins it.

import { changed, clicked, show } from "./notification.js";
import { held, install, keepOnly } from "./offline.js";

// serve is called while the worker is first evaluated: the browser takes no
// listener later. home is the page, version that of the app's files, and files
// all that the page needs, addresses relative to the worker.
export function serve({ version, files }) {
	const stock = { version, files, home: new URL("./", self.location).href };
	self.addEventListener("install", (event) => {
		// The newest takes over at once: a page that is open has its modules, and
		// who opens one gets the new ones.
		self.skipWaiting();
		event.waitUntil(install(stock));
	});
	self.addEventListener("activate", (event) => event.waitUntil(keepOnly(stock).then(() => self.clients.claim())));
	self.addEventListener("fetch", (event) => {
		const answer = held(stock, event.request);
		if (answer) event.respondWith(answer(event));
	});
	self.addEventListener("push", (event) => event.waitUntil(show(stock, event.data)));
	self.addEventListener("notificationclick", (event) => event.waitUntil(clicked(stock, event.notification, event.action)));
	self.addEventListener("pushsubscriptionchange", (event) => event.waitUntil(changed()));
}
