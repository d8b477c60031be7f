// What is seen of scanning: a camera, or a picture, and in words why not.

import { close, open, Reader, watch } from "./camera.js";
import { read } from "./code.js";
import { el, icon } from "./dom.js";
import { t, words } from "./texts.js";

const corners = "M4 8V5a1 1 0 0 1 1-1h3M16 4h3a1 1 0 0 1 1 1v3M20 16v3a1 1 0 0 1-1 1h-3M8 20H5a1 1 0 0 1-1-1v-3M8 12h8";

// refused says why there is no camera, by what getUserMedia throws.
const refused = { NotAllowedError: "denied", SecurityError: "denied", NotFoundError: "none", OverconstrainedError: "none",
	NotReadableError: "busy", AbortError: "busy", NotSupportedError: "unsupported", NetworkError: "failed" };

// scanner is the part of a sheet that scans. It calls found with an activation,
// which is async, and tells of any other code what it is, going on. Who leaves the sheet must
// call stop: a camera must not run where nobody sees what it sees.
export function scanner(found) {
	let stream, current = 0, paused = false;
	const said = el("p", { class: "soft", role: "status", hidden: true });
	const error = el("p", { class: "notice", role: "alert", hidden: true });
	const video = el("video", { playsinline: true, "aria-label": t("app.scan.view"), hidden: true });
	const tools = el("div", { class: "row", hidden: true });
	const start = el("button", { type: "button", autofocus: true, click: () => begin() }, icon(corners), words("app.scan.start"));
	const file = el("input", { type: "file", accept: "image/*", hidden: true, change: picture });
	const pick = el("button", { type: "button", class: "plain", click: () => file.click() }, words("app.scan.picture"));

	function tell(node, text = "") {
		node.textContent = text;
		node.hidden = text === "";
		said.className = "soft";
	}

	// begin asks for the camera. What is asked may be answered when nobody wants
	// it any more: each run knows itself by its number.
	async function begin(deviceId) {
		stop();
		const run = ++current;
		const over = () => run !== current;
		tell(error);
		tell(said, t("app.scan.asking"));
		start.hidden = true;
		try {
			const opened = await open(video, deviceId);
			if (over()) return close(opened);
			stream = opened;
			const [track] = stream.getVideoTracks();
			track.addEventListener("ended", () => { if (!over()) fail("AbortError"); });
			video.hidden = false;
			tell(said, t("app.scan.searching"));
			await equip(track);
			await watch(video, look, over);
		} catch (failure) {
			if (!over()) fail(failure.name);
		}
	}

	function fail(name) {
		stop();
		tell(error, t(`app.scan.${refused[name] ?? "failed"}`));
	}

	// equip offers what this camera can: a light, other cameras, an end.
	async function equip(track) {
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

	function look(text) {
		const code = read(text);
		if (code.secret) {
			stop();
			tell(said, t("app.scan.found"));
			return found(code).finally(() => tell(said));
		}
		const what = foreign(code);
		if (said.textContent === what) return; // once is enough for a screen reader
		tell(said, what);
		said.className = "notice";
	}

	// picture reads one from a file: for who has no camera here, or allows none.
	async function picture() {
		const [chosen] = file.files;
		file.value = ""; // the same picture may be tried again
		if (!chosen) return;
		stop();
		tell(error);
		tell(said, t("app.scan.picture.reading"));
		const run = ++current;
		const reader = new Reader();
		try {
			const image = await createImageBitmap(chosen);
			const text = await reader.readPicture(image);
			image.close();
			if (run !== current) return;
			tell(said);
			if (text) look(text);
			else tell(error, t("app.scan.picture.none"));
		} catch (failure) {
			if (run !== current) return;
			tell(said);
			tell(error, t(failure.name === "NetworkError" ? "app.scan.failed" : "app.scan.picture.bad"));
		} finally {
			reader.close();
		}
	}

	function stop() {
		current++;
		close(stream);
		stream = video.srcObject = undefined;
		video.hidden = tools.hidden = true;
		start.hidden = false;
		tell(said);
	}

	// Hidden, the camera rests; seen again, it goes on where it was.
	const rest = () => {
		if (document.visibilityState === "hidden") {
			paused = stream !== undefined;
			if (paused) stop();
		} else if (paused) {
			paused = false;
			begin();
		}
	};
	document.addEventListener("visibilitychange", rest);

	return {
		node: el("div", { class: "scanner stack" }, video, said, tools, error, start, pick, file),
		stop() {
			document.removeEventListener("visibilitychange", rest);
			stop();
		},
	};
}

// foreign says what a code is that activates nothing here.
export function foreign({ newer, foreign: kind, host }) {
	if (newer !== undefined) return t(newer ? "app.error.capability" : "app.error.activation");
	return t(`app.scan.foreign.${kind}`, { host, own: location.host });
}
