package e2e

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/serviceworker"
	"github.com/chromedp/chromedp"
)

// ask sends a protocol command and returns its answer.
func ask[P, R any](b *Browser, command cdp.Command[P, R], params P) R {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, maxWait)
	defer cancel()
	got, err := chromedp.Run(ctx, func(ctx context.Context, t *chromedp.Target) (R, error) {
		return cdp.Call(ctx, t, command, params)
	})
	if err != nil {
		b.t.Fatalf("%T: %v\nat %s", params, err, b.describe())
	}
	return got
}

// awaitWorker waits until a service worker answers for the page.
func (b *Browser) awaitWorker() {
	b.t.Helper()
	b.Await("a service worker", `navigator.serviceWorker.controller?.state === "activated"`)
}

// deliver gives the page's service worker a push, as the browser does once it
// has decrypted one.
func (b *Browser) deliver(origin, data string) {
	b.t.Helper()
	ask(b, serviceworker.Enable, cdp.Empty{})
	for end := time.Now().Add(maxWait); ; time.Sleep(20 * time.Millisecond) {
		b.mu.Lock()
		id := b.registration
		b.mu.Unlock()
		if id != "" {
			ask(b, serviceworker.DeliverPushMessage, serviceworker.DeliverPushMessageParams{Origin: origin, RegistrationID: id, Data: data})
			return
		}
		if time.Now().After(end) {
			b.t.Fatal("the browser tells of no service worker")
		}
	}
}

// deliverUntilShown delivers a push, waits until so many notifications are on the
// screen, and returns them. On a busy machine a delivery has been seen to come to nothing
// that the next one, of the same push, did show: it is made three times before
// that counts as nothing shown.
func (b *Browser) deliverUntilShown(origin, data string, n int) []notification {
	b.t.Helper()
	for range 2 {
		b.deliver(origin, data)
		if b.within(maxWait/3, showing(n)) {
			return b.notifications(n)
		}
	}
	b.deliver(origin, data)
	return b.notifications(n)
}

// eventually is Await for what only a promise tells.
func (b *Browser) eventually(what, promise string) {
	b.t.Helper()
	if !b.within(maxWait, promise) {
		b.t.Fatalf("waited %v for %s (%s)\nat %s", maxWait, what, promise, b.describe())
	}
}

// within reports whether a promise tells of what is awaited before a time is over.
func (b *Browser) within(most time.Duration, promise string) bool {
	for end := time.Now().Add(most); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if ok, err := evaluate[bool](b, promise); err == nil && ok {
			return true
		}
	}
	return false
}

// displayed is the list of what is on the screen, and showing says that there
// are so many.
const displayed = `navigator.serviceWorker.ready.then((r) => r.getNotifications())`

func showing(n int) string { return fmt.Sprintf(`%s.then((all) => all.length === %d)`, displayed, n) }

// A shown is a notification on the screen.
type notification struct {
	Title, Body, Lang, Dir, Tag string
	Actions                     []struct{ Action, Title string }
}

// notifications waits until so many are on the screen, and returns them.
func (b *Browser) notifications(n int) []notification {
	b.t.Helper()
	b.eventually(fmt.Sprint(n, " notifications"), showing(n))
	got, err := evaluate[[]notification](b, displayed+`.then((all) => all.map(({ title, body, lang, dir, tag, actions }) => ({ title, body, lang, dir, tag, actions })))`)
	if err != nil {
		b.t.Fatal(err)
	}
	return got
}

// inWorker returns the value of an expression of JavaScript in the service
// worker, which it wakes.
func inWorker[T any](b *Browser, expression string) T {
	b.t.Helper()
	var last error
	for end := time.Now().Add(maxWait); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		targets, err := chromedp.Targets(b.ctx)
		if err != nil {
			b.t.Fatal(err)
		}
		for _, target := range targets {
			if target.Type != "service_worker" || !strings.HasSuffix(target.URL, "/authenticator/sw.js") {
				continue
			}
			ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithTargetID(target.TargetID))
			got, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
			cancel()
			if err == nil {
				return got
			}
			last = err
		}
	}
	b.t.Fatalf("in the worker: %v", last)
	panic("unreachable")
}
