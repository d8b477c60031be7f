// The event streams: while the app is visible, one stream an account says when
// there may be something new. The caller fetches it.

import { open } from "./protocol.js";

// maxStreams is how many streams are open at once. Browsers open six connections
// to a server without HTTP/2, and calls need some of them.
const maxStreams = 3;
// Milliseconds without a byte after which a stream is given up: before its first
// event, and after it.
const firstEventTimeout = 5_000;
const silenceTimeout = 40_000;

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
// accounts, until signal aborts.
export function listen(accounts, look, signal) {
	accounts.forEach((account, n) => {
		if (n < maxStreams) followAndPoll(account, look, signal);
		else poll(account, look, signal);
	});
}

async function poll(account, look, signal, times = Infinity) {
	for (; times > 0 && !signal.aborted; times--) {
		look(account);
		await sleep(3_000, signal);
	}
}

// followAndPoll keeps a stream open. When it fails, or a proxy buffers it, the
// account is polled until the next attempt.
async function followAndPoll(account, look, signal) {
	for (let wait = 1_000; !signal.aborted; wait = Math.min(2 * wait, 30_000)) {
		const received = await readStream(account, look, signal);
		if (signal.aborted) return;
		if (received) wait = 1_000;
		await poll(account, look, signal, Math.ceil(wait / 3_000));
	}
}

// readStream reads one stream to its end and reports whether any event arrived. The
// server sends an event when the stream opens and a comment every 15 seconds
// (protocol, section 5.8).
async function readStream(account, look, signal) {
	const silent = new AbortController();
	let received = false;
	let timer = setTimeout(() => silent.abort(), firstEventTimeout);
	try {
		const body = await open(account, AbortSignal.any([signal, silent.signal]));
		const reader = body.pipeThrough(new TextDecoderStream()).getReader();
		let rest = "";
		for (;;) {
			const { value, done } = await reader.read();
			if (done) return received;
			clearTimeout(timer);
			timer = setTimeout(() => silent.abort(), received ? silenceTimeout : firstEventTimeout);
			const lines = (rest + value).split(/\r\n|\n|\r/);
			rest = lines.pop();
			if (lines.includes("event: look")) {
				received = true;
				look(account);
			}
		}
	} catch {
		return received;
	} finally {
		clearTimeout(timer);
	}
}
