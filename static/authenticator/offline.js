// The service worker's cache, so that the app opens without a network: the page,
// modules, styles and texts of one version.
//
// A version is cached whole or not at all. Everything in it has the version in its
// address but the page, which is cached only if it is of that version. So modules
// of two versions never run together.

const cachePrefix = "latchkey-authenticator-";

// networkTimeout is for how many milliseconds the network is waited for before the
// cache is used: a phone in a lift believes for long that it is connected.
const networkTimeout = 3_000;

const cacheOf = ({ version }) => caches.open(cachePrefix + version);

// installVersion fetches all of a version, with the texts of each language that was
// used here.
export async function installVersion(release) {
	const cache = await cacheOf(release);
	const page = await fetch(release.home, { cache: "reload" });
	// Another node may already, or still, serve another version: then the browser
	// tries again when the app is next opened.
	if (!page.ok || !(await page.clone().text()).includes(`"${release.version}/main.js"`)) throw new Error("install: page of another version");
	const texts = [...await cachedTextQueries()].map((search) =>
		new Request(`${release.version}/texts${search}`, { cache: "reload" }));
	await cache.addAll([...release.files, ...texts]);
	await cache.put(release.home, page);
}

// cachedTextQueries returns the queries of all addresses from which texts were
// fetched before, and the empty one, which gets the browser's language.
async function cachedTextQueries() {
	const all = new Set([""]);
	for (const name of await caches.keys()) {
		if (!name.startsWith(cachePrefix)) continue;
		for (const { url } of await (await caches.open(name)).keys()) {
			const { pathname, search } = new URL(url);
			if (pathname.endsWith("/texts")) all.add(search);
		}
	}
	return all;
}

// loadTexts returns the texts of a language, or else of the browser's; undefined
// where there are none.
export async function loadTexts(release, lang) {
	const home = new URL(`${release.version}/texts`, release.home).href;
	const wanted = lang ? `${home}?lang=${encodeURIComponent(lang)}` : home;
	try {
		const cache = await cacheOf(release);
		const reply = await cache.match(wanted, { ignoreVary: true })
			?? await fetch(wanted, { signal: AbortSignal.timeout(networkTimeout) }).then((reply) => reply.ok ? reply : undefined, () => undefined)
			?? await cache.match(home, { ignoreVary: true });
		return await reply?.json();
	} catch (error) {
		console.error(error);
		return undefined;
	}
}

// deleteOtherVersions deletes the caches of all other versions.
export async function deleteOtherVersions({ version }) {
	const names = await caches.keys();
	await Promise.all(names.filter((name) => name.startsWith(cachePrefix) && name !== cachePrefix + version).map((name) => caches.delete(name)));
}

// cachedHandler returns the function that answers a request, or undefined where the
// cache has no part in it. The files of a version never change and come from the
// cache; the page and the texts come from the network first, so that a new version
// is used when the app is next opened.
export function cachedHandler(release, request) {
	if (request.method !== "GET") return undefined;
	const { origin, pathname, search } = new URL(request.url);
	const texts = new URL(`${release.version}/texts`, release.home);
	if (request.mode === "navigate" && origin + pathname === release.home) {
		return () => networkFirst(request, async () => (await cacheOf(release)).match(release.home, { ignoreVary: true }));
	}
	if (origin + pathname === texts.href) {
		return (event) => networkFirst(request, async () => {
			const cache = await cacheOf(release);
			// A language that is not cached is replaced by one that is.
			return await cache.match(texts.href + search, { ignoreVary: true })
				?? cache.match(texts.href, { ignoreVary: true });
		}, (reply) => event.waitUntil(cacheOf(release).then((cache) => cache.put(request, reply))));
	}
	if (!release.files.some((file) => new URL(file, release.home).href === request.url)) return undefined;
	return async () => await (await cacheOf(release)).match(request, { ignoreVary: true }) ?? fetch(request);
}

// networkFirst asks the network, and uses the cache where that fails or is slow. A
// redirect, which the browser follows, is an answer too: the app has moved.
async function networkFirst(request, find, store = () => {}) {
	const answered = fetch(request).then((reply) => {
		if (reply.ok) store(reply.clone());
		return reply.ok || reply.type === "opaqueredirect" ? reply : undefined;
	}, () => undefined);
	const slow = new Promise((resolve) => { setTimeout(resolve, networkTimeout); });
	return await Promise.race([answered, slow]) ?? await find() ?? await answered ?? Response.error();
}
