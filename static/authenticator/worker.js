// The service worker. sw.js, which names the version and its files, calls serve.

import { notificationClicked, showPush, subscriptionChanged } from "./notification.js";
import { cachedHandler, deleteOtherVersions, installVersion } from "./offline.js";

// serve adds the listeners. It must be called while the worker is first evaluated:
// browsers accept no listener later. version is that of the app's files, and files
// are the addresses, relative to the worker, of all that the page needs.
export function serve({ version, files }) {
	const release = { version, files, home: new URL("./", self.location).href };
	self.addEventListener("install", (event) => {
		// The newest version takes over at once: an open page has loaded its modules,
		// and a page that is opened gets the new ones.
		self.skipWaiting();
		event.waitUntil(installVersion(release));
	});
	self.addEventListener("activate", (event) => event.waitUntil(deleteOtherVersions(release).then(() => self.clients.claim())));
	self.addEventListener("fetch", (event) => {
		const answer = cachedHandler(release, event.request);
		if (answer) event.respondWith(answer(event));
	});
	self.addEventListener("push", (event) => event.waitUntil(showPush(release, event.data)));
	self.addEventListener("notificationclick", (event) => event.waitUntil(notificationClicked(release, event.notification, event.action)));
	self.addEventListener("pushsubscriptionchange", (event) => event.waitUntil(subscriptionChanged()));
}
