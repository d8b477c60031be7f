package e2e

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Inspect looks at the page as it stands, with the eyes of somebody who cannot
// see it well: axe-core, light and dark, and what checkLayout looks at. It leaves
// the page as it was. A state needs it once, in one language.
func (b *Browser) Inspect(name string) {
	b.t.Helper()
	b.checkLayout(name)
	if b.profile.NoScript {
		name += "-noscript"
	}
	b.resize(1280)
	for _, look := range []struct{ scheme, rules string }{{"dark", colours}, {"light", everything}} {
		b.scheme(look.scheme)
		b.screenshot(name + "-1280-" + look.scheme)
		for _, v := range b.axe(look.rules) {
			b.t.Errorf("%s, %s: %s", name, look.scheme, v)
		}
	}
	b.resize(b.profile.Width)
}

// inspectFirst is Inspect in the first of the inspected languages; in the others it
// is checkLayout, as they change neither elements nor colours.
func (b *Browser) inspectFirst(name string) {
	b.t.Helper()
	if strings.HasPrefix(b.profile.Lang, inspected[0]) {
		b.Inspect(name)
	} else {
		b.checkLayout(name)
	}
}

// checkLayout looks for what depends on the language: at 320 px, which is what a
// wide window at 400 % comes to (WCAG 2.2, 1.4.10), nothing is wider than the
// window; and no text is missing. The languages to pick from are named in their own.
func (b *Browser) checkLayout(name string) {
	b.t.Helper()
	if b.profile.NoScript {
		name += "-noscript"
	}
	for _, width := range []int64{320, 390} {
		for _, f := range b.overflow(width) {
			b.t.Errorf("%s: at %d px this is wider than the window: %s", name, width, f)
		}
		for _, f := range b.broken() {
			b.t.Errorf("%s: at %d px: %s", name, width, f)
		}
	}
	b.screenshot(name + "-390")
	b.resize(b.profile.Width)
	lang, _, _ := strings.Cut(b.profile.Lang, "-")
	if lang != "en" && slices.Contains(inspected, lang) && b.Has(`main [lang="en"]:not(option), #sheet [lang="en"]:not(option)`) {
		b.t.Errorf("%s: a text is missing in %s and shown in English", name, lang)
	}
}

// visible lists the elements that can be seen.
func (b *Browser) visible() string {
	b.t.Helper()
	elements, err := evaluate[string](b, `[...document.body.querySelectorAll("*")].filter(e => e.checkVisibility())
		.map(e => e.cloneNode().outerHTML).join("\n")`)
	if err != nil {
		b.t.Fatalf("what can be seen: %v", err)
	}
	return elements
}

// overflow returns what is wider than a window of this width, the cause last.
func (b *Browser) overflow(width int64) []string {
	b.t.Helper()
	b.resize(width)
	b.Await("the window's new width", fmt.Sprintf(`matchMedia("(width: %dpx)").matches`, width)) // it comes a moment after
	found, err := evaluate[[]string](b, `(() => {
		const root = document.documentElement
		if (root.scrollWidth <= root.clientWidth) return []
		return [...document.querySelectorAll("body *")]
			.filter(e => { const r = e.getBoundingClientRect(); return r.width > 1 && (r.right > root.clientWidth + 1 || r.left < -1) })
			.map(e => e.cloneNode().outerHTML.slice(0, 160))
			.concat("the page: " + root.scrollWidth + " px")
	})()`)
	if err != nil {
		b.t.Fatalf("reflow: %v", err)
	}
	return found
}

// broken returns what a narrow window does to text that it should not: words broken where
// no hyphen shows it, other than names and addresses, which nobody can divide; text of a
// button that touches its edge; a navigation of more than one row, or that is scrolled.
func (b *Browser) broken() []string {
	b.t.Helper()
	found, err := evaluate[[]string](b, `(() => {
		const found = []
		const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
		const range = document.createRange()
		while (texts.nextNode()) {
			const text = texts.currentNode
			if (!text.parentElement.checkVisibility() || text.parentElement.closest("bdi, code, .key, .unseen, script, option")) continue
			for (const word of text.data.matchAll(/[^\s\u00ad\u200b\u2010\u2013-]+/g)) {
				const hyphenated = text.data[word.index - 1] === "\u00ad" ? 1 : 0 // the hyphen belongs to what follows it
				range.setStart(text, word.index + hyphenated)
				range.setEnd(text, word.index + word[0].length)
				const lines = new Set([...range.getClientRects()].filter(r => r.width > 0).map(r => Math.round(r.top / 4)))
				if (lines.size > 1) found.push("the word is broken: " + word[0])
			}
		}
		for (const button of document.querySelectorAll("button, .button")) {
			if (!button.checkVisibility() || button.closest("p, #scanner")) continue
			const style = getComputedStyle(button), box = button.getBoundingClientRect()
			range.selectNodeContents(button)
			const inner = range.getBoundingClientRect()
			if (inner.height > 0 && (inner.top - box.top < 4 || box.bottom - inner.bottom < 4)) found.push("the text touches the edge of: " + button.innerText)
		}
		for (const nav of document.querySelectorAll("nav ul")) {
			if (new Set([...nav.querySelectorAll("a")].map(a => Math.round(a.getBoundingClientRect().top))).size > 1) found.push("the navigation has more than one row")
			if (nav.scrollWidth > nav.clientWidth) found.push("the navigation is scrolled: " + nav.scrollWidth + " px in " + nav.clientWidth)
		}
		return found
	})()`)
	if err != nil {
		b.t.Fatalf("broken text: %v", err)
	}
	return found
}

// What axe-core looks for: all that WCAG 2.2 A and AA ask, no rule left out; or
// what of it may differ between light and dark.
const (
	everything = `{type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}`
	colours    = `{type: "rule", values: ["color-contrast", "link-in-text-block"]}`
)

// axe returns the violations that axe-core finds. It finds perhaps half of what
// there is.
func (b *Browser) axe(rules string) []string {
	b.t.Helper()
	source, err := axeSource()
	need(b.t, "axe-core ("+axeFile+")", err == nil)
	if b.profile.NoScript {
		// axe-core needs timers. The page's own scripts did not run when it was
		// loaded, and do not run later.
		b.scripts(true)
		defer b.scripts(false)
	}
	there, err := evaluate[bool](b, `"axe" in window`)
	if err == nil && !there {
		_, err = evaluate[struct{}](b, source+";0")
	}
	if err != nil {
		b.t.Fatalf("axe-core: %v", err)
	}
	found, err := evaluate[[]struct {
		ID, Help string
		Nodes    []string
	}](b, `axe.run(document, {
		runOnly: `+rules+`,
		resultTypes: ["violations"],
	}).then(r => r.violations.map(v => ({
		ID: v.id, Help: v.help,
		Nodes: v.nodes.map(n => n.target.join(" ") + "  " + n.html.slice(0, 160) + "  " + n.failureSummary.replaceAll("\n", " ")),
	})))`)
	if err != nil {
		b.t.Fatalf("axe.run: %v", err)
	}
	var violations []string
	for _, v := range found {
		violations = append(violations, fmt.Sprintf("%s: %s\n\t%s", v.ID, v.Help, strings.Join(v.Nodes, "\n\t")))
	}
	return violations
}

const axeFile = "../.tools/axe-core/axe.min.js"

var axeSource = sync.OnceValues(func() (string, error) {
	b, err := os.ReadFile(axeFile)
	return string(b), err
})

// needAxe skips early what would only find out on its first page.
func needAxe(t *testing.T) {
	t.Helper()
	_, err := axeSource()
	need(t, "axe-core ("+axeFile+")", err == nil)
}
