// The platform and a name for this browser, from its user agent.

import { t } from "./texts.js";

// platform is what this browser runs on, in the words of the protocol.
export function platform() {
	const agent = navigator.userAgent;
	if (/iPhone|iPad|iPod/.test(agent) || (/Macintosh/.test(agent) && navigator.maxTouchPoints > 1)) return "ios";
	const found = [[/Android/, "android"], [/CrOS/, "chromeos"], [/Windows Phone/, "windows-mobile"], [/Windows/, "windows"],
		[/Macintosh/, "macos"], [/Linux/, "linux"]].find(([pattern]) => pattern.test(agent));
	return found?.[1];
}

// deviceName is a name by which people recognise this browser.
export function deviceName() {
	const agent = navigator.userAgent;
	const browser = [[/Edg/, "Edge"], [/OPR\//, "Opera"], [/Firefox|FxiOS/, "Firefox"], [/Chrome|CriOS/, "Chrome"], [/Safari/, "Safari"]]
		.find(([pattern]) => pattern.test(agent))?.[1];
	const system = { ios: "iOS", android: "Android", chromeos: "ChromeOS", windows: "Windows", "windows-mobile": "Windows",
		macos: "macOS", linux: "Linux" }[platform()];
	return [browser, system].filter(Boolean).join(", ") || t("app.title");
}
