// A worker that reads QR codes. It is loaded when scanning begins, and reads
// beside the page: a frame can take long on a slow phone, and what a stranger
// holds before a camera is looked at where there are no keys to steal.

import "./jsqr/jsQR.js"; // not a module: it leaves its function on self

onmessage = ({ data: { data, width, height, inversionAttempts } }) => {
	postMessage(self.jsQR(data, width, height, { inversionAttempts })?.data ?? "");
};
