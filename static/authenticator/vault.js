// What this browser keeps: an account's keys, which never leave it, and what
// is needed to show the account. IndexedDB is the one place that can hold a key
// without holding its bytes.

const name = "latchkey-authenticator";
let database;

// open opens the vault, and tries it with a key: some private windows have no
// vault to give, and some have one that takes anything but keys.
export async function open() {
	database = await new Promise((resolve, reject) => {
		const request = indexedDB.open(name, 1);
		request.onupgradeneeded = () => {
			request.result.createObjectStore("accounts", { keyPath: "id" });
			request.result.createObjectStore("settings"); // by name: language, activation
		};
		request.onsuccess = () => resolve(request.result);
		request.onerror = () => reject(request.error);
		request.onblocked = () => reject(new Error("vault: blocked by another tab"));
	});
	// A newer version of the app in another tab wants to change the vault.
	database.onversionchange = () => database.close();
	// Site data are being deleted under us: what is on the screen is no more.
	database.onclose = () => location.reload();
	await set("trial", await crypto.subtle.generateKey({ name: "HMAC", hash: "SHA-256" }, false, ["sign"]));
	await unset("trial");
}

// run does one thing in a store and waits until it is really kept.
function run(store, mode, act) {
	return new Promise((resolve, reject) => {
		const transaction = database.transaction(store, mode, { durability: "strict" });
		const request = act(transaction.objectStore(store));
		transaction.oncomplete = () => resolve(request.result);
		transaction.onerror = transaction.onabort = () => reject(transaction.error ?? new Error("vault: aborted"));
	});
}

export const accounts = async () =>
	(await run("accounts", "readonly", (store) => store.getAll())).sort((a, b) => a.added - b.added);

export const put = (account) => run("accounts", "readwrite", (store) => store.put(account));
// update puts an account that is still here: what is heard of it late must not
// bring back one that was removed meanwhile.
export const update = (account) => run("accounts", "readwrite", (store) => {
	const there = store.getKey(account.id);
	there.onsuccess = () => { if (there.result !== undefined) store.put(account); };
	return there;
});
export async function remove(id) {
	await run("accounts", "readwrite", (store) => store.delete(id));
	await unset(counter(id));
}

export const setting = (key) => run("settings", "readonly", (store) => store.get(key));
export const set = (key, value) => run("settings", "readwrite", (store) => store.put(value, key));
export const unset = (key) => run("settings", "readwrite", (store) => store.delete(key));

// counter is where the counter of an account stands. It is no part of the account:
// that is put back whole by whoever hears of it, and with it would go back to a
// passcode that was shown before.
const counter = (id) => `counter:${id}`;

// count returns an account's next counter, once it is kept that it was taken. One
// transaction reads and raises it: no two tabs get the same.
export const count = (id) => new Promise((resolve, reject) => {
	const transaction = database.transaction("settings", "readwrite", { durability: "strict" });
	const store = transaction.objectStore("settings");
	const read = store.get(counter(id));
	let next;
	read.onsuccess = () => {
		next = read.result ?? 0;
		store.put(next + 1, counter(id));
	};
	transaction.oncomplete = () => resolve(next);
	transaction.onerror = transaction.onabort = () => reject(transaction.error ?? new Error("vault: aborted"));
});
