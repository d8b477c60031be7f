// The camera, and what is read from it and from pictures. Where the browser
// itself reads QR codes it does so first; a decoder of ours comes when scanning
// begins, for all others, and beside those that find nothing.

// Frames are shrunk to this: a code that fills a fifth of one still has more
// than two pixels a module, and shrinking takes the noise of a dim room out,
// which is what the decoder stumbles over.
const side = 512;
// pause is what lies between two frames, in milliseconds: ten a second are as
// quick as a hand, and leave the battery alone.
const pause = 80;
// After so many frames in which the browser's own detector has seen nothing,
// ours looks too: some browsers have one that never finds anything.
const grace = 20;

const canvas = document.createElement("canvas");
const context = canvas.getContext("2d", { willReadFrequently: true });
const sleep = (milliseconds) => new Promise((resolve) => { setTimeout(resolve, milliseconds); });

// A worker's address is a thing the page's policy (trusted types) guards: this
// is the only one there is.
const ours = new URL("./scanner/decoder.js", import.meta.url).href;
const policy = self.trustedTypes?.createPolicy("latchkey-decoder", { createScriptURL: () => ours });

// A Reader finds the QR code in a picture. It must be closed.
export class Reader {
	#detector = native();
	#worker;

	// read returns the text of a code in what can be drawn on a canvas, or "". n
	// counts the frames, which are looked at in turn as a whole and in the middle.
	async read(source, width, height, n) {
		const seen = await this.#native(source);
		if (seen || (seen === "" && n < grace)) return seen;
		const part = n % 2 ? 0.5 : 1;
		return this.#decode(source, { width, height, part, side, inversionAttempts: "dontInvert" });
	}

	// readPicture takes its time: there is only this one.
	async readPicture(source) {
		const { width, height } = source;
		let text = await this.#native(source);
		for (const at of [800, 1600, 400]) text ||= await this.#decode(source, { width, height, part: 1, side: at, inversionAttempts: "attemptBoth" });
		return text;
	}

	close() {
		this.#worker?.terminate();
	}

	async #native(source) {
		try {
			const codes = await (await this.#detector)?.detect(source);
			return codes && (codes[0]?.rawValue ?? "");
		} catch {
			this.#detector = undefined; // it is there, and does not work
			return undefined;
		}
	}

	#decode(source, { width, height, part, side, inversionAttempts }) {
		const scale = Math.min(1, side / (Math.max(width, height) * part));
		canvas.width = Math.max(1, width * part * scale);
		canvas.height = Math.max(1, height * part * scale);
		context.imageSmoothingQuality = "medium";
		const edge = (1 - part) / 2;
		context.drawImage(source, width * edge, height * edge, width * part, height * part, 0, 0, canvas.width, canvas.height);
		const image = context.getImageData(0, 0, canvas.width, canvas.height);
		this.#worker ??= new Worker(policy?.createScriptURL("") ?? ours, { type: "module" });
		return new Promise((resolve, reject) => {
			this.#worker.onmessage = ({ data }) => resolve(data);
			this.#worker.onerror = () => reject(new DOMException("the decoder did not load", "NetworkError"));
			this.#worker.postMessage({ data: image.data, width: image.width, height: image.height, inversionAttempts }, [image.data.buffer]);
		});
	}
}

async function native() {
	try {
		const formats = await BarcodeDetector.getSupportedFormats();
		return formats.includes("qr_code") ? new BarcodeDetector({ formats: ["qr_code"] }) : undefined;
	} catch {
		return undefined;
	}
}

// open starts a camera, that of the given id or the one that looks away from the
// person, and shows it in video. It throws what getUserMedia throws.
export async function open(video, deviceId) {
	if (!navigator.mediaDevices?.getUserMedia) throw new DOMException("no cameras for pages here", "NotSupportedError");
	const which = deviceId ? { deviceId: { exact: deviceId } } : { facingMode: { ideal: "environment" } };
	const stream = await navigator.mediaDevices.getUserMedia({ audio: false, video: { ...which, width: { ideal: 1280 }, height: { ideal: 720 } } });
	video.srcObject = stream;
	video.muted = true;
	await video.play().catch(() => {}); // closed meanwhile; the frames simply do not come
	return stream;
}

// close stops a camera, and its light.
export function close(stream) {
	stream?.getTracks().forEach((track) => track.stop());
}

// watch reads frame after frame and tells seen each text, until it says stop.
export async function watch(video, seen, stopped) {
	const reader = new Reader();
	try {
		for (let n = 0; !stopped(); n++) {
			await sleep(pause);
			if (stopped() || video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) continue;
			const text = await reader.read(video, video.videoWidth, video.videoHeight, n);
			if (text && !stopped()) seen(text);
		}
	} finally {
		reader.close();
	}
}
