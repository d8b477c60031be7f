// Scanning on the page: the camera's picture, a picture from a file, and messages.

import { parseScanned } from "./activation-code.js";
import { closeCamera, openCamera, QRReader, readFrames } from "./camera.js";
import { el, icon } from "./dom.js";
import { t, words } from "./texts.js";

const corners = "M4 8V5a1 1 0 0 1 1-1h3M16 4h3a1 1 0 0 1 1 1v3M20 16v3a1 1 0 0 1-1 1h-3M8 20H5a1 1 0 0 1-1-1v-3M8 12h8";

// cameraErrors are the reasons for no camera, by what getUserMedia throws.
const cameraErrors = { NotAllowedError: "denied", SecurityError: "denied", NotFoundError: "none", OverconstrainedError: "none",
	NotReadableError: "busy", AbortError: "busy", NotSupportedError: "unsupported", NetworkError: "failed" };

// scanner is the part of a sheet that scans. It calls the async function found with
// an activation. Of any other code it says what it is, and goes on. When the sheet
// is left, stop must be called: a camera must not run unseen.
export function scanner(found) {
	let stream, current = 0, paused = false;
	const message = el("p", { class: "soft", role: "status", hidden: true });
	const error = el("p", { class: "notice", role: "alert", hidden: true });
	const video = el("video", { playsinline: true, "aria-label": t("app.scan.view"), hidden: true });
	const tools = el("div", { class: "row", hidden: true });
	const start = el("button", { type: "button", autofocus: true, click: () => begin() }, icon(corners), words("app.scan.start"));
	const file = el("input", { type: "file", accept: "image/*", hidden: true, change: picture });
	const pick = el("button", { type: "button", class: "plain", click: () => file.click() }, words("app.scan.picture"));

	function setText(node, text = "") {
		node.textContent = text;
		node.hidden = text === "";
		message.className = "soft";
	}

	// begin asks for the camera. The answer may come when scanning was stopped or begun
	// anew meanwhile: each run has a number, and only the current one goes on.
	async function begin(deviceId) {
		stop();
		const run = ++current;
		const over = () => run !== current;
		setText(error);
		setText(message, t("app.scan.asking"));
		start.hidden = true;
		try {
			const opened = await openCamera(video, deviceId);
			if (over()) return closeCamera(opened);
			stream = opened;
			const [track] = stream.getVideoTracks();
			track.addEventListener("ended", () => { if (!over()) fail("AbortError"); });
			video.hidden = false;
			setText(message, t("app.scan.searching"));
			await addTools(track);
			await readFrames(video, handleText, over);
		} catch (failure) {
			if (!over()) fail(failure.name);
		}
	}

	function fail(name) {
		stop();
		setText(error, t(`app.scan.${cameraErrors[name] ?? "failed"}`));
	}

	// addTools adds buttons for what this camera can do: stop, light, another camera.
	async function addTools(track) {
		const light = track.getCapabilities?.().torch && el("button", { type: "button", class: "quiet", "aria-pressed": "false", click: async () => {
			const on = light.getAttribute("aria-pressed") !== "true";
			await track.applyConstraints({ advanced: [{ torch: on }] }).then(() => light.setAttribute("aria-pressed", on), () => {});
		} }, words("app.scan.light"));
		const cameras = (await navigator.mediaDevices.enumerateDevices()).filter(({ kind }) => kind === "videoinput");
		const used = track.getSettings().deviceId;
		const other = cameras.length > 1 && el("select", { "aria-label": t("app.scan.camera"), change: () => begin(other.value) },
			cameras.map(({ deviceId, label }, n) => el("option", { value: deviceId, selected: deviceId === used }, label || `${t("app.scan.camera")} ${n + 1}`)));
		const end = el("button", { type: "button", class: "quiet", click: () => { stop(); start.focus(); } }, words("app.scan.stop"));
		tools.replaceChildren(...[end, light, other].filter(Boolean));
		tools.hidden = false;
		end.focus();
	}

	function handleText(text) {
		const code = parseScanned(text);
		if (code.secret) {
			stop();
			setText(message, t("app.scan.found"));
			return found(code).finally(() => setText(message));
		}
		const what = foreignCodeText(code);
		if (message.textContent === what) return; // a screen reader says it once
		setText(message, what);
		message.className = "notice";
	}

	// picture reads a picture from a file, for people without a camera or permission.
	async function picture() {
		const [chosen] = file.files;
		file.value = ""; // the same picture may be tried again
		if (!chosen) return;
		stop();
		setText(error);
		setText(message, t("app.scan.picture.reading"));
		const run = ++current;
		const reader = new QRReader();
		try {
			const image = await createImageBitmap(chosen);
			const text = await reader.readPicture(image);
			image.close();
			if (run !== current) return;
			setText(message);
			if (text) handleText(text);
			else setText(error, t("app.scan.picture.none"));
		} catch (failure) {
			if (run !== current) return;
			setText(message);
			setText(error, t(failure.name === "NetworkError" ? "app.scan.failed" : "app.scan.picture.bad"));
		} finally {
			reader.close();
		}
	}

	function stop() {
		current++;
		closeCamera(stream);
		stream = video.srcObject = undefined;
		video.hidden = tools.hidden = true;
		start.hidden = false;
		setText(message);
	}

	// The camera is stopped while the page is hidden, and started again when it is
	// visible.
	const onVisibility = () => {
		if (document.visibilityState === "hidden") {
			paused = stream !== undefined;
			if (paused) stop();
		} else if (paused) {
			paused = false;
			begin();
		}
	};
	document.addEventListener("visibilitychange", onVisibility);

	return {
		node: el("div", { class: "scanner stack" }, video, message, tools, error, start, pick, file),
		stop() {
			document.removeEventListener("visibilitychange", onVisibility);
			stop();
		},
	};
}

// foreignCodeText says what a code is that is no activation of this server.
export function foreignCodeText({ newer, foreign: kind, host }) {
	if (newer !== undefined) return t(newer ? "app.error.capability" : "app.error.activation");
	return t(`app.scan.foreign.${kind}`, { host, own: location.host });
}
