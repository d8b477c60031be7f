// What the service worker keeps, so that the app opens where there is no
// network: one version's page, modules, styles and sentences, together.
//
// A version is kept whole or not at all, and everything in it is named by the
// version but the page, which is kept only if it is that version's. So what
// runs is never made of two.

const ours = "latchkey-authenticator-";

// patience is how long the network may take before what is kept is shown: a
// phone in a lift believes for long that it has one.
const patience = 3_000;

const cacheOf = ({ version }) => caches.open(ours + version);

// install fetches all of a version, in each language that was read here.
export async function install(stock) {
	const cache = await cacheOf(stock);
	const page = await fetch(stock.home, { cache: "reload" });
	// Another node may already, or still, serve another version: then the browser
	// tries again when the app is next opened.
	if (!page.ok || !(await page.clone().text()).includes(`"${stock.version}/main.js"`)) throw new Error("install: page of another version");
	const texts = [...await languages()].map((search) =>
		new Request(`${stock.version}/texts${search}`, { cache: "reload" }));
	await cache.addAll([...stock.files, ...texts]);
	await cache.put(stock.home, page);
}

// languages yields the queries by which sentences were fetched here before, and
// the one that has none and gets the browser's language.
async function languages() {
	const all = new Set([""]);
	for (const name of await caches.keys()) {
		if (!name.startsWith(ours)) continue;
		for (const { url } of await (await caches.open(name)).keys()) {
			const { pathname, search } = new URL(url);
			if (pathname.endsWith("/texts")) all.add(search);
		}
	}
	return all;
}

// sentences returns those of a language, or of the browser's; nothing where
// there are none.
export async function sentences(stock, lang) {
	const home = new URL(`${stock.version}/texts`, stock.home).href;
	const wanted = lang ? `${home}?lang=${encodeURIComponent(lang)}` : home;
	try {
		const cache = await cacheOf(stock);
		const reply = await cache.match(wanted, { ignoreVary: true })
			?? await fetch(wanted, { signal: AbortSignal.timeout(patience) }).then((reply) => reply.ok ? reply : undefined, () => undefined)
			?? await cache.match(home, { ignoreVary: true });
		return await reply?.json();
	} catch (error) {
		console.error(error);
		return undefined;
	}
}

// keepOnly forgets every version but this one.
export async function keepOnly({ version }) {
	const names = await caches.keys();
	await Promise.all(names.filter((name) => name.startsWith(ours) && name !== ours + version).map((name) => caches.delete(name)));
}

// held returns what answers a request, or nothing where that is the network's
// alone. The files of a version never change; the page and the sentences are
// asked for, so that a new version is taken when the app is next opened.
export function held(stock, request) {
	if (request.method !== "GET") return undefined;
	const { origin, pathname, search } = new URL(request.url);
	const texts = new URL(`${stock.version}/texts`, stock.home);
	if (request.mode === "navigate" && origin + pathname === stock.home) {
		return () => fresh(request, async () => (await cacheOf(stock)).match(stock.home, { ignoreVary: true }));
	}
	if (origin + pathname === texts.href) {
		return (event) => fresh(request, async () => {
			const cache = await cacheOf(stock);
			// A language never read before gives way to one that was.
			return await cache.match(texts.href + search, { ignoreVary: true })
				?? cache.match(texts.href, { ignoreVary: true });
		}, (reply) => event.waitUntil(cacheOf(stock).then((cache) => cache.put(request, reply))));
	}
	if (!stock.files.some((file) => new URL(file, stock.home).href === request.url)) return undefined;
	return async () => await (await cacheOf(stock)).match(request, { ignoreVary: true }) ?? fetch(request);
}

// fresh asks the network, and shows what is kept where that fails or is slow.
// A redirect, for the browser to follow, is an answer too: the app has moved.
async function fresh(request, find, keep = () => {}) {
	const asked = fetch(request).then((reply) => {
		if (reply.ok) keep(reply.clone());
		return reply.ok || reply.type === "opaqueredirect" ? reply : undefined;
	}, () => undefined);
	const slow = new Promise((resolve) => { setTimeout(resolve, patience); });
	return await Promise.race([asked, slow]) ?? await find() ?? await asked ?? Response.error();
}
