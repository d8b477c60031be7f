// What this browser is, as far as it says.

import { t } from "./texts.js";

// platform is what this browser runs on, as the protocol names it.
export function platform() {
	const agent = navigator.userAgent;
	if (/iPhone|iPad|iPod/.test(agent) || (/Macintosh/.test(agent) && navigator.maxTouchPoints > 1)) return "ios";
	const found = [[/Android/, "android"], [/CrOS/, "chromeos"], [/Windows Phone/, "windows-mobile"], [/Windows/, "windows"],
		[/Macintosh/, "macos"], [/Linux/, "linux"]].find(([pattern]) => pattern.test(agent));
	return found?.[1];
}

// device is a name people recognise this browser by.
export function device() {
	const agent = navigator.userAgent;
	const browser = [[/Edg/, "Edge"], [/OPR\//, "Opera"], [/Firefox|FxiOS/, "Firefox"], [/Chrome|CriOS/, "Chrome"], [/Safari/, "Safari"]]
		.find(([pattern]) => pattern.test(agent))?.[1];
	const system = { ios: "iOS", android: "Android", chromeos: "ChromeOS", windows: "Windows", "windows-mobile": "Windows",
		macos: "macOS", linux: "Linux" }[platform()];
	return [browser, system].filter(Boolean).join(", ") || t("app.title");
}
