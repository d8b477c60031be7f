// A worker that decodes QR codes. It is loaded when scanning begins. It runs in a
// thread of its own because a frame can take long on a slow phone, and because a
// picture from an untrusted source is then decoded where there are no keys.

import "./jsqr/jsQR.js"; // not a module: it defines self.jsQR

onmessage = ({ data: { data, width, height, inversionAttempts } }) => {
	postMessage(self.jsQR(data, width, height, { inversionAttempts })?.data ?? "");
};
