// The doorbell: while the app is on screen it hears, by one stream an account,
// that there may be something to look at. Looking is the caller's.

import { open } from "./protocol.js";

// Browsers hold six connections to a server without HTTP/2; calls need some.
const streams = 3;
const silence = 40_000;
const patience = 5_000;

const sleep = (milliseconds, signal) => new Promise((resolve) => {
	const wake = () => {
		clearTimeout(timer);
		signal.removeEventListener("abort", wake);
		resolve();
	};
	const timer = setTimeout(wake, milliseconds);
	signal.addEventListener("abort", wake);
});

// listen calls look(account) whenever there may be something new for one of the
// accounts, until the signal stops it.
export function listen(accounts, look, signal) {
	accounts.forEach((account, n) => {
		if (n < streams) hear(account, look, signal);
		else poll(account, look, signal);
	});
}

async function poll(account, look, signal, times = Infinity) {
	for (; times > 0 && !signal.aborted; times--) {
		look(account);
		await sleep(3_000, signal);
	}
}

// hear keeps a stream open. Where it fails, or something between holds it back,
// the account is polled meanwhile.
async function hear(account, look, signal) {
	for (let wait = 1_000; !signal.aborted; wait = Math.min(2 * wait, 30_000)) {
		const rang = await follow(account, look, signal);
		if (signal.aborted) return;
		if (rang) wait = 1_000;
		await poll(account, look, signal, Math.ceil(wait / 3_000));
	}
}

// follow reads one stream to its end and reports whether it ever rang. A stream
// rings at once when it opens, and breathes every 15 seconds (section 5.8).
async function follow(account, look, signal) {
	const silent = new AbortController();
	let rang = false;
	let timer = setTimeout(() => silent.abort(), patience);
	try {
		const body = await open(account, AbortSignal.any([signal, silent.signal]));
		const reader = body.pipeThrough(new TextDecoderStream()).getReader();
		let rest = "";
		for (;;) {
			const { value, done } = await reader.read();
			if (done) return rang;
			clearTimeout(timer);
			timer = setTimeout(() => silent.abort(), rang ? silence : patience);
			const lines = (rest + value).split(/\r\n|\n|\r/);
			rest = lines.pop();
			if (lines.includes("event: look")) {
				rang = true;
				look(account);
			}
		}
	} catch {
		return rang;
	} finally {
		clearTimeout(timer);
	}
}
