package e2e

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"

	"github.com/latchkey-id/latchkey/internal/appapi"
	"github.com/latchkey-id/latchkey/internal/web"
	"github.com/latchkey-id/latchkey/locales/localestest"
)

// Chromium finds nothing that keeps the app from being installed, and reads of
// the manifest what we meant.
func TestAppCanBeInstalled(t *testing.T) {
	t.Parallel()
	h := startApp(t)
	// Not in a profile of its own: that is a private window to Chromium, in which
	// nothing is installed.
	b := open(t, startChromium(t), Profile{Phone: true, Lang: "de-DE"})
	b.Open(h.base + "/authenticator/")
	b.awaitWorker()
	if found := ask(b, page.GetInstallabilityErrors, cdp.Empty{}).InstallabilityErrors; len(found) > 0 {
		t.Errorf("not to be installed: %+v", found)
	}
	got := ask(b, page.GetAppManifest, page.GetAppManifestParams{})
	for _, problem := range got.Errors {
		t.Errorf("manifest: %+v", problem)
	}
	for _, want := range []string{`"lang":"de"`, `"id":"/authenticator/"`, `"start_url":"/authenticator/"`, `"scope":"/authenticator/"`, `"display":"standalone"`} {
		if !strings.Contains(got.Data, want) {
			t.Errorf("manifest lacks %s: %s", want, got.Data)
		}
	}
}

// Attack list 23: without a network the app opens, in the language picked, and
// makes passcodes. Without the worker the browser shows its own page instead.
func TestPUSH27_AppOpensOffline(t *testing.T) {
	t.Parallel()
	h := startApp(t)
	b := Browse(t, chromium(t), Profile{Phone: true})
	h.enrolled(t, b, nil)
	b.awaitWorker()
	b.Click(`#footer button`)
	b.See(`#language`)
	b.awaitNavigation("picking German", func() {
		_, err := evaluate[bool](b, `(() => { const l = document.querySelector("#language"); l.value = "de"; return l.dispatchEvent(new Event("change")) })()`)
		if err != nil {
			t.Fatal(err)
		}
	})
	b.See(account)
	h.server.CloseClientConnections()
	h.server.Listener.Close()
	b.Open(h.base + "/authenticator/")
	if got := strings.Join(strings.Fields(b.Text(account)), ""); !sixDigits.MatchString(got) {
		t.Errorf("passcode %q, want six digits", got)
	}
	b.See(`main > .notice`) // no connection
	if got := b.Attribute(`html`, "lang"); got != "de" {
		t.Errorf("speaks %q offline, want de", got)
	}
}

// Attack list 23: a new deployment is taken when the app is next opened, whole;
// and a page that was left open follows when somebody comes back to it. With the
// page answered from what is kept, the first part fails.
func TestAppTakesTheNewVersion(t *testing.T) {
	t.Parallel()
	h := startApp(t)
	b := Browse(t, chromium(t), Profile{Phone: true})
	b.Open(h.base + "/authenticator/")
	b.awaitWorker()
	left := b.Tab()
	left.Open(h.base + "/authenticator/")
	left.See(`main details`)
	left.Await("a worker to remember", `(window.first = navigator.serviceWorker.controller) !== null`)
	before := b.version()

	base, err := url.Parse(h.base)
	if err != nil {
		t.Fatal(err)
	}
	newer, err := appapi.WebApp(&web.Site{Catalog: localestest.Partial(t), Base: base}) // has one language more
	if err != nil {
		t.Fatal(err)
	}
	both := http.NewServeMux()
	both.Handle("/", h.serves.Load())
	both.Handle("/authenticator", newer)
	both.Handle("/authenticator/", newer)
	h.serves.Store(both)
	b.Reload()
	b.See(`main details`)
	after := b.version()
	if after == before {
		t.Fatalf("still version %s", after)
	}
	b.eventually("one version kept", `caches.keys().then((names) => names.join() === "latchkey-authenticator-`+after+`")`)
	left.Await("the newer worker", `navigator.serviceWorker.controller !== window.first`)
	left.awaitNavigation("coming back", func() {
		if _, err := evaluate[bool](left, `document.dispatchEvent(new Event("visibilitychange"))`); err != nil {
			t.Fatal(err)
		}
	})
	left.See(`main details`)
	if got := left.version(); got != after {
		t.Errorf("the page left open runs %s, want %s", got, after)
	}
}

// version returns that of the modules the page runs, all of them one.
func (b *Browser) version() string {
	b.t.Helper()
	got, err := evaluate[string](b, `[...new Set(performance.getEntriesByType("resource").map(({ name }) =>
		/\/authenticator\/([0-9a-f]{16})\//.exec(name)?.[1]).filter(Boolean))].join()`)
	if err != nil {
		b.t.Fatal(err)
	}
	if len(got) != 16 {
		b.t.Errorf("the page runs modules of %q, want one version", got)
	}
	return got
}
