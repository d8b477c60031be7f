// Making elements. What a request or a server says becomes text, never markup; the
// page's policy (trusted types) enforces that.

// el makes an element. An attribute that is a function becomes a listener of the
// event of that name. Attributes and children that are false or missing are left
// out.
export function el(name, attributes, ...children) {
	return fill(document.createElement(name), attributes, children);
}

// icon makes an SVG of one path, 24 units wide, hidden from screen readers.
export function icon(path, width = 1.8) {
	const svg = shape("svg", { viewBox: "0 0 24 24", width: 24, height: 24, fill: "none",
		stroke: "currentColor", "stroke-width": width, "stroke-linecap": "round", "stroke-linejoin": "round", "aria-hidden": "true" });
	svg.append(shape("path", { d: path }));
	return svg;
}

// drawing is an icon with a second, emphasised path.
export function drawing(path, about) {
	const svg = icon(path, 1.4);
	svg.append(shape("path", { d: about, class: "about" }));
	return svg;
}

const shape = (name, attributes) => fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, []);

function fill(node, attributes, children) {
	for (const [key, value] of Object.entries(attributes ?? {})) {
		if (typeof value === "function") node.addEventListener(key, value);
		else if (value !== false && value != null) node.setAttribute(key, value === true ? "" : value);
	}
	node.append(...children.flat().filter((child) => child != null && child !== false));
	return node;
}

// digits normalises a number as people type it: the digits of any script become
// ASCII; spaces, hyphens and direction marks are removed.
export function digits(typed) {
	return typed.normalize("NFKC")
		.replace(/[\u0660-\u0669\u06f0-\u06f9]/g, (d) => d.charCodeAt(0) & 15)
		.replace(/[\s\u200e\u200f\u2066-\u2069-]/g, "");
}
