// What this browser stores: the accounts, with keys that cannot be exported, and
// settings. IndexedDB is the one storage that can hold a key without its bytes.

const databaseName = "latchkey-authenticator";
let database;

// open opens the database, and stores a key for a test: some private windows have
// no IndexedDB, and in some it stores anything but keys.
export async function open() {
	database = await new Promise((resolve, reject) => {
		const request = indexedDB.open(databaseName, 1);
		request.onupgradeneeded = () => {
			request.result.createObjectStore("accounts", { keyPath: "id" });
			request.result.createObjectStore("settings"); // by name: language, activation
		};
		request.onsuccess = () => resolve(request.result);
		request.onerror = () => reject(request.error);
		request.onblocked = () => reject(new Error("key store: blocked by another tab"));
	});
	// A newer version of the app in another tab wants to change the database.
	database.onversionchange = () => database.close();
	// The site's data are being deleted: what is on the screen is no longer true.
	database.onclose = () => location.reload();
	await setSetting("trial", await crypto.subtle.generateKey({ name: "HMAC", hash: "SHA-256" }, false, ["sign"]));
	await deleteSetting("trial");
}

// inStore does one operation in a store and waits until it is durable.
function inStore(store, mode, act) {
	return new Promise((resolve, reject) => {
		const transaction = database.transaction(store, mode, { durability: "strict" });
		const request = act(transaction.objectStore(store));
		transaction.oncomplete = () => resolve(request.result);
		transaction.onerror = transaction.onabort = () => reject(transaction.error ?? new Error("key store: aborted"));
	});
}

export const accounts = async () =>
	(await inStore("accounts", "readonly", (store) => store.getAll())).sort((a, b) => a.added - b.added);

export const put = (account) => inStore("accounts", "readwrite", (store) => store.put(account));
// update stores an account if it is still here: a late answer about it must not
// bring back one that was removed meanwhile.
export const update = (account) => inStore("accounts", "readwrite", (store) => {
	const existing = store.getKey(account.id);
	existing.onsuccess = () => { if (existing.result !== undefined) store.put(account); };
	return existing;
});
export async function remove(id) {
	await inStore("accounts", "readwrite", (store) => store.delete(id));
	await deleteSetting(counterKey(id));
}

export const getSetting = (key) => inStore("settings", "readonly", (store) => store.get(key));
export const setSetting = (key, value) => inStore("settings", "readwrite", (store) => store.put(value, key));
export const deleteSetting = (key) => inStore("settings", "readwrite", (store) => store.delete(key));

// counterKey is the setting with the counter of an account. It is not part of the
// account: an update stores the account whole, and would set the counter back to
// that of a passcode that was shown before.
const counterKey = (id) => `counter:${id}`;

// nextCounter returns an account's next counter, once its increment is durable. One
// transaction reads and increments it, so that no two tabs get the same.
export const nextCounter = (id) => new Promise((resolve, reject) => {
	const transaction = database.transaction("settings", "readwrite", { durability: "strict" });
	const store = transaction.objectStore("settings");
	const read = store.get(counterKey(id));
	let next;
	read.onsuccess = () => {
		next = read.result ?? 0;
		store.put(next + 1, counterKey(id));
	};
	transaction.oncomplete = () => resolve(next);
	transaction.onerror = transaction.onabort = () => reject(transaction.error ?? new Error("key store: aborted"));
});
