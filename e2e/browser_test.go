package e2e

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/serviceworker"
	"github.com/chromedp/chromedp"
)

// maxWait is how long a page, a mail or a process may take before a test gives
// up. It is long because two cores may be busy with every other test; what must
// be quick is measured where it matters.
const maxWait = 30 * time.Second

// A Profile is how one person's browser differs from a plain English one on a desk.
type Profile struct {
	Lang     string // what it asks for, such as "de-DE"
	Width    int64  // in CSS pixels; 1280 if zero
	Phone    bool   // an Android phone with a touch screen
	IPhone   bool   // an iPhone, in Safari as far as what it says goes
	NoScript bool
}

// richAndPlain are two browsers that have little in common.
var richAndPlain = []struct {
	name    string
	profile Profile
}{
	{"with scripts", Profile{}},
	{"in German, without scripts, on a phone", Profile{Lang: "de-DE", NoScript: true, Phone: true}},
}

// A Browser is one person's browser: cookies, storage and cache of its own.
type Browser struct {
	t       *testing.T
	ctx     context.Context
	profile Profile

	mu           sync.Mutex
	faults       []string
	registration serviceworker.RegistrationID // the latest, once somebody asked for it
}

// chromium returns the browser process that most tests share: each person gets a
// profile in it, as in a private window.
func chromium(t *testing.T) context.Context {
	t.Helper()
	needChromium(t)
	ctx, err := sharedChromium()
	if err != nil {
		t.Fatalf("chromium: %v", err)
	}
	return ctx
}

var sharedChromium = sync.OnceValues(func() (context.Context, error) {
	ctx, stop, err := launchChromium()
	stopSharedChromium = stop
	return ctx, err
})

// stopSharedChromium is for TestMain.
var stopSharedChromium = func() {}

// startChromium starts a browser process for this test alone, because it needs
// options, or because it needs a profile that is not private: in others nothing is
// installed and no notification is shown.
func startChromium(t *testing.T, options ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	needChromium(t)
	ctx, stop, err := launchChromium(options...)
	t.Cleanup(stop)
	if err != nil {
		t.Fatalf("chromium: %v", err)
	}
	return ctx
}

func needChromium(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("a browser takes longer than -short allows")
	}
	need(t, "chromium", chromiumPath() != "")
}

func chromiumPath() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			return found
		}
	}
	return ""
}

func launchChromium(more ...chromedp.ExecAllocatorOption) (ctx context.Context, stop func(), err error) {
	opts := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromiumPath()),
		// It opens nothing but this machine's pages, and contacts nobody by itself.
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-gpu", true),
		// What moves would be painted sixty times a second, by the processor.
		chromedp.Flag("force-prefers-reduced-motion", true),
		chromedp.Flag("disable-features", "Translate,BlinkGenPropertyTrees,SpareRendererForSitePerProcess,BackForwardCache,OptimizationHints,MediaRouter"),
	)
	if os.Geteuid() == 0 {
		opts = append(opts, chromedp.NoSandbox) // it refuses to sandbox root
	}
	allocator, stopProcess := chromedp.NewExecAllocator(context.Background(), append(opts, more...)...)
	ctx, stopBrowser := chromedp.NewContext(allocator)
	stop = func() {
		stopBrowser()
		stopProcess()
	}
	return ctx, stop, chromedp.Do(ctx)
}

// Browse opens a browser for one more person.
func Browse(t *testing.T, chromium context.Context, profile Profile) *Browser {
	t.Helper()
	return open(t, chromium, profile, chromedp.WithNewBrowserContext())
}

// Tab opens another window of the same person's browser.
func (b *Browser) Tab() *Browser {
	b.t.Helper()
	return open(b.t, b.ctx, b.profile)
}

func open(t *testing.T, parent context.Context, profile Profile, opts ...chromedp.ContextOption) *Browser {
	t.Helper()
	if profile.Lang == "" {
		profile.Lang = "en-US"
	}
	profile.Phone = profile.Phone || profile.IPhone
	if profile.Width == 0 {
		profile.Width = 1280
		if profile.Phone {
			profile.Width = 390
		}
	}
	b := &Browser{t: t, profile: profile}
	ctx, cancel := chromedp.NewContext(parent, append(opts, chromedp.WithListener(b.watch))...)
	b.ctx = ctx
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the browser (%s) was last at %s", profile.Lang, b.describe())
		}
		cancel()
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, fault := range b.faults {
			t.Errorf("browser: %s", fault)
		}
	})
	agent := "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
	platform := "Linux x86_64"
	if profile.Phone {
		agent = "Mozilla/5.0 (Linux; Android 16; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36"
		platform = "Linux aarch64"
	}
	if profile.IPhone {
		agent = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1"
		platform = "iPhone"
	}
	if err := chromedp.Do(ctx, // the first run binds the tab's life to ctx, so it has no time limit
		send(cdplog.Enable, cdp.Empty{}),
		send(network.Enable, network.EnableParams{}),
		send(emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{
			UserAgent: agent, Platform: platform, AcceptLanguage: profile.Lang,
		}),
		send(emulation.SetLocaleOverride, emulation.SetLocaleOverrideParams{Locale: strings.ReplaceAll(profile.Lang, "-", "_")}),
	); err != nil {
		t.Fatalf("browser: %v", err)
	}
	b.scripts(!profile.NoScript)
	b.resize(profile.Width)
	b.scheme("light")
	return b
}

// watch notes what no page may do. It must return at once.
func (b *Browser) watch(event any) {
	var fault string
	switch e := event.(type) {
	case *cdplog.EventEntryAdded:
		if e.Entry.Source == cdplog.EntrySourceSecurity {
			fault = e.Entry.Text
		}
	case *runtime.EventExceptionThrown:
		fault = "exception: " + e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			fault += " " + e.ExceptionDetails.Exception.Description
		}
	case *serviceworker.EventWorkerRegistrationUpdated:
		b.mu.Lock()
		for _, r := range e.Registrations {
			if !r.IsDeleted {
				b.registration = r.RegistrationID
			}
		}
		b.mu.Unlock()
	case *network.EventResponseReceived:
		if e.Response.Status >= 500 {
			fault = fmt.Sprintf("%s answered %d", e.Response.URL, e.Response.Status)
		}
	}
	if fault != "" {
		b.mu.Lock()
		b.faults = append(b.faults, fault)
		b.mu.Unlock()
	}
}

// dismissFault forgets the faults so far that contain what, for a test that provokes
// one on purpose, and reports whether there were any.
func (b *Browser) dismissFault(what string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	var kept []string
	for _, fault := range b.faults {
		if !strings.Contains(fault, what) {
			kept = append(kept, fault)
		}
	}
	forgiven := len(kept) < len(b.faults)
	b.faults = kept
	return forgiven
}

// expectFault waits for a fault that is meant to happen, and dismisses it.
func (b *Browser) expectFault(what string) {
	b.t.Helper()
	for end := time.Now().Add(maxWait); !b.dismissFault(what); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			b.t.Fatalf("waited %v for a fault with %q\nat %s", maxWait, what, b.describe())
		}
	}
}

// send makes an action of a protocol command whose answer is of no interest.
func send[P, R any](command cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, command, params)
		return err
	})
}

// do runs actions and ends the test if they fail.
func (b *Browser) do(what string, actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, maxWait)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.t.Fatalf("%s: %v\nat %s", what, err, b.describe())
	}
}

// evaluate returns the value of an expression of JavaScript in the page. It
// works on pages without scripts too: it is the test that runs it, not the page.
func evaluate[T any](b *Browser, expression string) (T, error) {
	ctx, cancel := context.WithTimeout(b.ctx, maxWait)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// describe says where the browser is and what a person would read there.
func (b *Browser) describe() string {
	ctx, cancel := context.WithTimeout(b.ctx, 5*time.Second)
	defer cancel()
	s, err := chromedp.Run(ctx, chromedp.Evaluate[string](
		`location.href + "\n" + document.title + "\n" + (document.body ? document.body.innerText.slice(0, 1200) : "")`))
	if err != nil {
		return err.Error()
	}
	return s
}

// Open goes to an address and waits until it has loaded.
func (b *Browser) Open(address string) {
	b.t.Helper()
	b.do("open "+address, chromedp.Navigate(address))
}

// Await polls until an expression of JavaScript holds. Between two documents it
// has no value, which is not an error yet.
func (b *Browser) Await(what, expression string) {
	b.t.Helper()
	var err error
	for end := time.Now().Add(maxWait); time.Now().Before(end); time.Sleep(30 * time.Millisecond) {
		var ok bool
		ok, err = evaluate[bool](b, "!!("+expression+")")
		if err == nil && ok {
			return
		}
	}
	b.t.Fatalf("waited %v for %s (%s): last error %v\nat %s", maxWait, what, expression, err, b.describe())
}

// See waits until something that matches the selector can be seen.
func (b *Browser) See(selector string) {
	b.t.Helper()
	b.Await("sight of "+selector, fmt.Sprintf(`document.readyState === "complete" && document.querySelector(%q)?.checkVisibility()`, selector))
}

// Has reports whether something matches the selector now.
func (b *Browser) Has(selector string) bool {
	b.t.Helper()
	found, err := evaluate[bool](b, fmt.Sprintf(`document.querySelector(%q) !== null`, selector))
	if err != nil {
		b.t.Fatalf("%s: %v", selector, err)
	}
	return found
}

// Text returns what a person reads in the first match of the selector.
func (b *Browser) Text(selector string) string {
	b.t.Helper()
	b.See(selector)
	text, err := evaluate[string](b, fmt.Sprintf(`document.querySelector(%q).innerText.trim()`, selector))
	if err != nil {
		b.t.Fatalf("text of %s: %v", selector, err)
	}
	return text
}

// Attribute returns an attribute of the first match of the selector.
func (b *Browser) Attribute(selector, name string) string {
	b.t.Helper()
	value, err := evaluate[string](b, fmt.Sprintf(`document.querySelector(%q)?.getAttribute(%q) ?? ""`, selector, name))
	if err != nil {
		b.t.Fatalf("%s of %s: %v", name, selector, err)
	}
	return value
}

// Link returns where the first match of the selector leads.
func (b *Browser) Link(selector string) string {
	b.t.Helper()
	b.See(selector)
	address, err := evaluate[string](b, fmt.Sprintf(`document.querySelector(%q).href`, selector))
	if err != nil {
		b.t.Fatalf("link %s: %v", selector, err)
	}
	return address
}

// URL returns the address the browser shows.
func (b *Browser) URL() *url.URL {
	b.t.Helper()
	address, err := evaluate[string](b, `location.href`)
	if err != nil {
		b.t.Fatalf("address: %v", err)
	}
	u, err := url.Parse(address)
	if err != nil {
		b.t.Fatal(err)
	}
	return u
}

// Type puts text into a field, in place of what is there.
func (b *Browser) Type(selector, text string) {
	b.t.Helper()
	b.See(selector)
	// chromedp.SendKeys reads the field's attributes while their changes come in,
	// which the race detector minds.
	focused, err := evaluate[bool](b, fmt.Sprintf(`((field) => { field.value = ""; field.focus(); return document.activeElement === field })(document.querySelector(%q))`, selector))
	if err != nil || !focused {
		b.t.Fatalf("type into %s: focused %v, %v\nat %s", selector, focused, err, b.describe())
	}
	b.do("type into "+selector, chromedp.KeyEvent(text))
}

// Click clicks, or taps, the first match of the selector, as a hand does: it has
// to be visible and under nothing else.
func (b *Browser) Click(selector string) {
	b.t.Helper()
	b.See(selector)
	act, what := chromedp.Click(chromedp.CSS(selector)), "click "
	if b.profile.Phone {
		act, what = chromedp.Tap(chromedp.CSS(selector)), "tap "
	}
	for end := time.Now().Add(maxWait); ; {
		ctx, cancel := context.WithTimeout(b.ctx, maxWait)
		err := chromedp.Do(ctx, act)
		cancel()
		if err == nil {
			return
		}
		// A page that was just drawn anew has another node there by now.
		if !strings.Contains(err.Error(), "node with given id") || time.Now().After(end) {
			b.t.Fatalf("%s: %v\nat %s", what+selector, err, b.describe())
		}
	}
}

// Follow clicks and waits for the document that comes of it.
func (b *Browser) Follow(selector string) {
	b.t.Helper()
	b.awaitNavigation("following "+selector, func() { b.Click(selector) })
}

// Reload loads the page again.
func (b *Browser) Reload() {
	b.t.Helper()
	b.do("reload", chromedp.Reload())
}

// Back goes back, as the browser's button does.
func (b *Browser) Back() {
	b.t.Helper()
	b.awaitNavigation("going back", func() { b.do("back", chromedp.NavigateBack()) })
}

// awaitNavigation does something and waits until another document has taken the
// place of the page's. Documents are told apart by when they began.
func (b *Browser) awaitNavigation(what string, act func()) {
	b.t.Helper()
	before, err := evaluate[float64](b, `performance.timeOrigin`)
	if err != nil {
		b.t.Fatalf("%s: %v", what, err)
	}
	act()
	b.Await("another page after "+what,
		fmt.Sprintf(`performance.timeOrigin !== %f && document.readyState === "complete"`, before))
}

// resize gives the page a window of this width and an ordinary height.
func (b *Browser) resize(width int64) {
	b.t.Helper()
	b.window(width, 900)
}

func (b *Browser) window(width, height int64) {
	b.t.Helper()
	var opts []chromedp.EmulateViewportOption
	if b.profile.Phone {
		opts = append(opts, chromedp.EmulateMobile, chromedp.EmulateTouch, chromedp.EmulatePortrait)
	}
	b.do("resize", chromedp.EmulateViewport(width, height, opts...))
}

// scripts lets pages that are loaded from now on run scripts, or not.
func (b *Browser) scripts(may bool) {
	b.t.Helper()
	b.do("scripts", send(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !may}))
}

// scheme shows the page light or dark, and at rest: a colour on its way to
// another one is neither.
func (b *Browser) scheme(scheme string) {
	b.t.Helper()
	b.do(scheme, send(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme},
			{Name: "prefers-reduced-motion", Value: "reduce"},
		},
	}))
}

// screenshot keeps a picture of the whole page in the folder SHOTS names, if it does.
func (b *Browser) screenshot(name string) {
	b.t.Helper()
	if dir := os.Getenv("SHOTS"); dir != "" {
		b.picture(dir, name)
	}
}

// picture keeps a picture of the whole page in a folder. The window grows to the
// page for it: a picture taken beyond the window is out of place on pages that
// run from the right.
func (b *Browser) picture(dir, name string) {
	b.t.Helper()
	size, err := evaluate[[]int64](b, `[innerWidth, document.documentElement.scrollHeight]`)
	if err != nil {
		b.t.Fatalf("size of %s: %v", name, err)
	}
	b.window(size[0], size[1])
	ctx, cancel := context.WithTimeout(b.ctx, maxWait)
	defer cancel()
	picture, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Fatalf("picture of %s: %v", name, err)
	}
	b.resize(size[0])
	if err := os.MkdirAll(dir, 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o644); err != nil {
		b.t.Fatal(err)
	}
}
