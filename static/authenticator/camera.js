// The camera, and reading QR codes from its frames and from pictures. A browser's
// own detector is used first where there is one. Our decoder is loaded when
// scanning begins, for browsers without a detector and where the detector finds
// nothing.

// frameSide is the longer side of a frame in pixels when it is decoded. A code that
// fills a fifth of it still has more than two pixels a module, and scaling down
// removes the noise of a dim room, which the decoder cannot cope with.
const frameSide = 512;
// framePause is the pause between two frames, in milliseconds: some ten frames a
// second are fast enough and save the battery.
const framePause = 80;
// nativeOnlyFrames is after how many frames without a result our decoder is used
// beside the browser's detector: some browsers have one that never finds anything.
const nativeOnlyFrames = 20;

const canvas = document.createElement("canvas");
const context = canvas.getContext("2d", { willReadFrequently: true });
const sleep = (milliseconds) => new Promise((resolve) => { setTimeout(resolve, milliseconds); });

// The page's policy (trusted types) allows this address alone for a worker.
const decoderURL = new URL("./scanner/decoder.js", import.meta.url).href;
const policy = self.trustedTypes?.createPolicy("latchkey-decoder", { createScriptURL: () => decoderURL });

// A QRReader finds the QR code in a picture. It must be closed.
export class QRReader {
	#detector = nativeDetector();
	#worker;

	// read returns the text of a code in a source that can be drawn on a canvas, or
	// "". n counts the frames: even ones are read whole, of odd ones the middle.
	async read(source, width, height, n) {
		const seen = await this.#native(source);
		if (seen || (seen === "" && n < nativeOnlyFrames)) return seen;
		const part = n % 2 ? 0.5 : 1;
		return this.#decode(source, { width, height, part, side: frameSide, inversionAttempts: "dontInvert" });
	}

	// readPicture tries several sizes, and inverted colours: there is only one picture.
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
			this.#detector = undefined; // it exists and does not work
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
		this.#worker ??= new Worker(policy?.createScriptURL("") ?? decoderURL, { type: "module" });
		return new Promise((resolve, reject) => {
			this.#worker.onmessage = ({ data }) => resolve(data);
			this.#worker.onerror = () => reject(new DOMException("the decoder did not load", "NetworkError"));
			this.#worker.postMessage({ data: image.data, width: image.width, height: image.height, inversionAttempts }, [image.data.buffer]);
		});
	}
}

async function nativeDetector() {
	try {
		const formats = await BarcodeDetector.getSupportedFormats();
		return formats.includes("qr_code") ? new BarcodeDetector({ formats: ["qr_code"] }) : undefined;
	} catch {
		return undefined;
	}
}

// openCamera starts a camera, by default the one at the back of the device, and
// shows it in video. It throws what getUserMedia throws.
export async function openCamera(video, deviceId) {
	if (!navigator.mediaDevices?.getUserMedia) throw new DOMException("no cameras for pages here", "NotSupportedError");
	const which = deviceId ? { deviceId: { exact: deviceId } } : { facingMode: { ideal: "environment" } };
	const stream = await navigator.mediaDevices.getUserMedia({ audio: false, video: { ...which, width: { ideal: 1280 }, height: { ideal: 720 } } });
	video.srcObject = stream;
	video.muted = true;
	await video.play().catch(() => {}); // the camera was closed meanwhile: no frames will come
	return stream;
}

// closeCamera stops a camera and its light.
export function closeCamera(stream) {
	stream?.getTracks().forEach((track) => track.stop());
}

// readFrames reads frame after frame and calls seen with each text, until stopped
// returns true.
export async function readFrames(video, seen, stopped) {
	const reader = new QRReader();
	try {
		for (let n = 0; !stopped(); n++) {
			await sleep(framePause);
			if (stopped() || video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) continue;
			const text = await reader.read(video, video.videoWidth, video.videoHeight, n);
			if (text && !stopped()) seen(text);
		}
	} finally {
		reader.close();
	}
}
