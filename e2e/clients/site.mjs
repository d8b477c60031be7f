// A web site on loopback for a relying party: a page for each path, which says
// as JSON what the library said, or how it refused.
import { createServer } from "node:http"
import { text } from "node:stream/consumers"

// What the test tells: addresses, and what an operator hands over.
export const given = JSON.parse(process.env.RELYING_PARTY)

export const redirect = (to) => ({ status: 303, headers: { Location: String(to) }, body: "" })
export const file = (type, body) => ({ status: 200, headers: { "Content-Type": type }, body })

// serve answers GET and POST of each path by a function of the address and the
// form. What it returns is shown; what it throws is shown as a refusal.
export function serve(paths) {
	paths["/ready"] = () => file("text/plain", "ready")
	createServer(async (req, res) => {
		const url = new URL(req.url, given.base)
		let answer = { status: 404, headers: {}, body: "" }
		if (paths[url.pathname]) {
			try {
				answer = await paths[url.pathname](url, new URLSearchParams(await text(req)))
			} catch (e) {
				answer = page("refused", { code: e.code, error: e.error, status: e.status, message: e.message, cause: e.cause?.message })
			}
		}
		res.writeHead(answer.status, answer.headers)
		res.end(answer.body)
	}).listen(new URL(given.base).port, new URL(given.base).hostname)
}

export const told = (what) => page("told", what)

function page(id, what) {
	const json = JSON.stringify(what, null, "\t").replaceAll("&", "&amp;").replaceAll("<", "&lt;")
	return file("text/html; charset=utf-8", `<!doctype html><title>${id}</title><pre id="${id}">${json}</pre>`)
}
