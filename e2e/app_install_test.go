package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/page"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
)

const (
	homeSteps = `#sheet ol.path`
	homeCopy  = `#sheet > button:not(.plain)`
	homeHere  = `#sheet > button.plain`
	lostFacts = `main .facts`
)

// before runs a script in every page before its own, for what only another
// machine has.
func (b *Browser) before(script string) {
	b.t.Helper()
	b.do("script", send(page.Enable, page.EnableParams{}),
		send(page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: script}))
}

func (b *Browser) run(script string) {
	b.t.Helper()
	if _, err := evaluate[struct{}](b, "(async () => { "+script+"; return {} })()"); err != nil {
		b.t.Fatalf("%s: %v", script, err)
	}
}

// On an iPhone a link opens Safari, and the app on the Home Screen shares nothing
// with it. Opening the link there, and reading how to install, must not use it
// up: the installed app takes the same activation, by the short code of the
// sign-in page or by the link, pasted.
func TestENR7_HomeScreenFirst(t *testing.T) {
	t.Parallel()
	h, process := startApp(t), chromium(t)
	for _, tt := range []struct {
		name  string
		typed func(link, code string) string
	}{
		{"short code", func(_, code string) string { return code }},
		{"pasted link", func(link, _ string) string { return link }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			shown := h.activation(t)
			safari := Browse(t, process, Profile{IPhone: true})
			safari.Open(shown.Link(h.base))
			safari.See(homeSteps)
			if safari.Has(`#sheet input`) {
				t.Error("Safari asks for the activation beside the steps")
			}
			app := Browse(t, process, Profile{IPhone: true})
			app.before(`Object.defineProperty(navigator, "standalone", { value: true })`)
			app.Open(h.base + "/authenticator/")
			if app.Has(`main .panel button.plain`) {
				t.Error("the installed app offers to install itself")
			}
			app.Click(addButton)
			app.Type(typedCode, tt.typed(shown.Link(h.base), shown.ShortCode))
			app.Click(submit)
			app.See(`#sheet input[name="push"]`)
			app.Click(submit)
			app.Click(done)
			app.See(account)
		})
	}
}

// Who cannot install goes on in the tab, and can copy the link before.
func TestENR7_GoOnInSafari(t *testing.T) {
	t.Parallel()
	h := startApp(t)
	b := Browse(t, chromium(t), Profile{IPhone: true})
	link := h.link(t)
	b.Open(link)
	b.permit("clipboard-read", browser.PermissionSettingGranted)
	b.permit("clipboard-write", browser.PermissionSettingGranted)
	b.Click(homeCopy)
	b.reads(`#sheet [role="status"]`, "Copied")
	if got, err := evaluate[string](b, `navigator.clipboard.readText()`); err != nil || got != link {
		t.Errorf("copied %q (%v), want the link", got, err)
	}
	b.Click(homeHere)
	b.Click(`#sheet .pair button[autofocus]`)
	b.Click(submit)
	b.Click(done)
	b.See(account)
}

// A link opened in the tab of an app that is only just beginning is not lost: the
// page stays, its fragment changes, and nobody listens yet.
func TestLinkWhileTheAppBegins(t *testing.T) {
	t.Parallel()
	h := startApp(t)
	link := h.link(t)
	b := Browse(t, chromium(t), Profile{Phone: true})
	b.before(fmt.Sprintf(`const ask = window.fetch; window.fetch = (...wanted) => { if (!window.opened) { window.opened = true; location = %q }; return ask(...wanted) }`, link))
	b.Open(h.base + "/authenticator/")
	b.Click(`#sheet .pair button[autofocus]`)
	b.See(`#sheet input[name="push"]`)
	if b.URL().Fragment != "" {
		t.Errorf("the address still has %q", b.URL().Fragment)
	}
}

// A browser that offers to install is asked by a button alone, and once.
func TestInstallIsOffered(t *testing.T) {
	t.Parallel()
	needAxe(t)
	h, process := startApp(t), chromium(t)
	for _, lang := range inspected {
		b := Browse(t, process, Profile{Lang: lang})
		b.Open(h.base + "/authenticator/")
		b.See(`main .panel`)
		b.run(`const e = new Event("beforeinstallprompt", { cancelable: true }); e.prompt = async () => { window.prompted = (window.prompted ?? 0) + 1 }; dispatchEvent(e); window.held = e.defaultPrevented`)
		b.See(`main .panel button.plain`)
		b.inspectFirst("install-" + lang)
		b.Click(`main .panel button.plain`)
		if got, err := evaluate[string](b, `window.prompted + " " + window.held`); err != nil || got != "1 true" {
			t.Errorf("asked and held back: %s (%v), want 1 true", got, err)
		}
		b.run(`dispatchEvent(new Event("appinstalled"))`)
		b.Await("no more offer", `!document.querySelector("main .panel button.plain")`)
	}
}

// What the browser has thrown away is missed, by whatever it has left, and what
// the person has removed is not.
func TestKeyStoreWiped(t *testing.T) {
	t.Parallel()
	h := startApp(t)
	b := Browse(t, chromium(t), Profile{Phone: true})
	h.enrolled(t, b, nil)
	const wipe = `await new Promise((resolve) => { indexedDB.deleteDatabase("latchkey-authenticator").onsuccess = resolve })`
	b.run(wipe)
	b.Reload()
	b.See(lostFacts)
	b.run(wipe + `; localStorage.clear()`)
	b.Reload()
	b.See(`main .panel button.quiet`)
	if b.Has(lostFacts) {
		t.Error("without notes, accounts are still named")
	}
	b.Click(`main .panel button.quiet`)
	b.See(`main details`)
	b.Reload()
	b.See(`main details`)

	h.enrolled(t, b, nil)
	b.Click(`.account .top button`)
	b.Click(`#sheet > button.quiet`)
	b.Click(`#sheet .danger`)
	b.See(`main details`)
	b.Reload()
	b.See(`main details`)
}

// A key store that cannot be opened is told from one that never existed.
func TestKeyStoreUnreadable(t *testing.T) {
	t.Parallel()
	h := startApp(t)
	for name, script := range map[string]string{
		"keeps nothing": ``,
		"be opened":     `document.cookie = "latchkey_authenticator=1; Path=/authenticator"`,
	} {
		b := Browse(t, chromium(t), Profile{})
		b.before(`indexedDB.open = () => { throw new DOMException("broken", "UnknownError") };` + script)
		b.Open(h.base + "/authenticator/")
		b.reads(`main h1`, name)
	}
}

// A second authenticator of the same user in the same browser takes the place of
// the first, unless the person wants both.
func TestAppAgain(t *testing.T) {
	t.Parallel()
	h := startApp(t)
	b := Browse(t, chromium(t), Profile{Phone: true})
	h.enrolled(t, b, nil)
	for _, tt := range []struct {
		replace bool
		here    int
		active  int
	}{{true, 1, 1}, {false, 2, 2}} {
		b.Open(h.link(t))
		b.Click(`#sheet .pair button[autofocus]`)
		b.See(`#sheet input[name="replace"]`)
		if !tt.replace {
			b.Click(`#sheet label:has(input[name="replace"])`)
		}
		b.Click(submit)
		b.Click(done)
		b.Await("accounts", fmt.Sprintf(`document.querySelectorAll(%q).length === %d`, account, tt.here))
		if got := h.active(t); got != tt.active {
			t.Errorf("replace %v: %d active at the server, want %d", tt.replace, got, tt.active)
		}
	}
}

// active counts the user's authenticators that work.
func (h *appServer) active(t *testing.T) int {
	t.Helper()
	n := 0
	h.tx(t, func(tx *store.Tx) error {
		all, err := store.Collect(tx.Authenticators().OfUser(t.Context(), h.user.Tenant, h.user.ID))
		for _, a := range all {
			if a.State() == identity.Active {
				n++
			}
		}
		return err
	})
	return n
}

// The first steps' states, looked at as pages are.
func TestFirstStates(t *testing.T) {
	t.Parallel()
	needAxe(t)
	process := chromium(t)
	for _, lang := range inspected {
		h := startApp(t)
		b := Browse(t, process, Profile{Lang: lang, IPhone: true})
		b.Open(h.base + "/authenticator/")
		b.Click(`main .panel button.plain`)
		b.See(homeSteps)
		if text := b.Text(`#sheet`); strings.Contains(text, "undefined") || strings.Contains(text, "false") {
			t.Errorf("%s: what is missing is written down: %q", lang, text)
		}
		b.inspectFirst("home-" + lang)
		b.Open(h.link(t))
		b.See(homeHere)
		b.inspectFirst("home-link-" + lang)
		b.Click(homeHere)
		b.Click(`#sheet .pair button[autofocus]`)
		b.Click(submit)
		b.Click(done)
		b.Open(h.link(t))
		b.Click(homeHere)
		b.Click(`#sheet .pair button[autofocus]`)
		b.See(`#sheet input[name="replace"]`)
		b.inspectFirst("again-" + lang)
		b.Click(submit)
		b.Click(done)
		b.run(`await new Promise((resolve) => { indexedDB.deleteDatabase("latchkey-authenticator").onsuccess = resolve })`)
		b.Reload()
		b.See(lostFacts)
		b.inspectFirst("lost-" + lang)
	}
}

// The whole way on one iPhone: the sign-in page and the link it opens are in
// Safari, the authenticator is on the Home Screen, and the short code of the
// sign-in page is what joins them.
func TestENR7_OnTheSameIPhone(t *testing.T) {
	t.Parallel()
	d, process := StartDemo(t), chromium(t)
	safari := Browse(t, process, Profile{IPhone: true})
	app := Browse(t, process, Profile{IPhone: true})
	app.before(`Object.defineProperty(navigator, "standalone", { value: true })`)
	w := &Flow{Demo: d, Desk: safari, Phone: &Phone{Browser: app, demo: d}, User: d.Newcomer(), App: d.Application("oidc")}
	w.SignIn()
	w.VerifyMail()
	w.PickPlatform("ios")
	opened := safari.Tab()
	opened.Open(safari.Link(`a.big`))
	opened.See(homeSteps)
	w.Phone.Activate(safari.Text(`#short-code`), true)
	w.Push()
	w.Arrive()
}
