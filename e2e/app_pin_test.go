package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
)

const (
	pinField   = `#sheet #pin`
	pinError   = `#sheet form .error:not([hidden])`
	unlockIt   = `#sheet form .pair button:not(.plain)`
	showCode   = `.account button.plain`
	chosenPIN  = "493817"
	anotherPIN = "Hv72xq"
)

// wantPIN sets the tenant's template.
func (h *appServer) wantPIN(t *testing.T, attempts int64, biometric bool) {
	t.Helper()
	template := policy.DefaultTemplate()
	template.PIN, template.PINAttempts, template.Biometric = policy.UserPIN, attempts, biometric
	data, err := policy.Encode(template)
	if err != nil {
		t.Fatal(err)
	}
	h.tx(t, func(tx *store.Tx) error {
		return tx.Policies().Set(t.Context(), h.user.Tenant, policy.KindTemplate, 0, data)
	})
}

// initialPIN waits for the PIN that the page of the enrolment shows.
func (h *appServer) initialPIN(t *testing.T) string {
	t.Helper()
	for end := time.Now().Add(maxWait); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		for a, err := range h.db.Authenticators().OfUser(t.Context(), h.user.Tenant, h.user.ID) {
			if err != nil {
				t.Fatal(err)
			}
			if pin, err := h.db.PINs().Initial(t.Context(), a.Tenant, a.ID); err == nil {
				return pin
			}
		}
	}
	t.Fatal("nothing has an initial PIN")
	return ""
}

// number is what the page of a login shows.
func (h *appServer) number(t *testing.T, id string) string {
	t.Helper()
	number, err := h.db.Push().Number(t.Context(), h.user.Tenant, id)
	if err != nil {
		t.Fatal(err)
	}
	return number
}

// offline takes the browser's network away, or gives it back.
func (b *Browser) offline(away bool) {
	b.t.Helper()
	rules := []*network.Conditions{}
	if away {
		rules = []*network.Conditions{{Offline: true}}
	}
	b.do("offline", send(network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{MatchedNetworkConditions: rules}))
}

// refused does something that is refused, in other words than the last time.
func (b *Browser) refused(act func()) {
	b.t.Helper()
	said := "none"
	if b.Has(pinError) {
		said = b.Text(pinError)
	}
	act()
	b.Await("another refusal", fmt.Sprintf(`(document.querySelector(%q)?.innerText.trim() ?? %q) !== %q`, pinError, said, said))
	b.Click(`#sheet h1`) // or the button stays pressed, having been disabled under the finger
}

// enrolledWithPIN activates the browser with a PIN of its person's own.
func (h *appServer) enrolledWithPIN(t *testing.T, b *Browser, look func(state string)) {
	t.Helper()
	b.Open(h.link(t))
	b.Click(`#sheet .pair button[autofocus]`)
	b.See(`#sheet #first`)
	look("pin-choose")
	b.Type(`#sheet #first`, h.initialPIN(t))
	for _, tt := range []struct{ one, two string }{{"123456", "123456"}, {chosenPIN, anotherPIN}} {
		b.Type(`#sheet #new`, tt.one)
		b.Type(`#sheet #again`, tt.two)
		b.refused(func() { b.Click(`#sheet form > button`) })
		look("pin-refused")
	}
	b.Type(`#sheet #new`, chosenPIN)
	b.Type(`#sheet #again`, chosenPIN)
	b.Click(`#sheet form > button`)
	b.See(`#sheet input[name="push"]`)
	b.Click(`#sheet form > button`)
	b.See(`#sheet > button[autofocus]`)
	b.Click(`#sheet > button[autofocus]`)
	b.See(showCode)
	look("pin-shut")
}

// The whole of a PIN in the browser: chosen, asked for, changed, and wrong until
// nothing is left.
func TestCRED7_AppWithAPIN(t *testing.T) {
	t.Parallel()
	needAxe(t)
	process := chromium(t)
	for _, lang := range inspected {
		t.Run(lang, func(t *testing.T) {
			h, b := startApp(t), Browse(t, process, Profile{Lang: lang, Phone: true})
			h.wantPIN(t, 3, false)
			look := func(state string) {
				t.Helper()
				b.inspectFirst("app-" + state + "-" + lang)
			}
			h.enrolledWithPIN(t, b, look)
			if b.Has(`.account .otp:not(:empty)`) {
				t.Error("a passcode is there before the PIN")
			}

			b.Click(showCode)
			b.See(pinField)
			look("pin-ask")
			b.Type(pinField, "000000")
			b.refused(func() { b.Click(unlockIt) })
			look("pin-wrong")
			b.Type(pinField, chosenPIN)
			b.Click(unlockIt)
			b.See(`.account .otp:not(:empty)`)
			look("pin-open")

			id := h.ask(t, policy.Enter)
			b.See(number)
			b.Type(number, h.number(t, id))
			b.Click(`#sheet form .pair button:not(.plain)`)
			b.See(pinField)
			look("pin-approve")
			b.Type(pinField, chosenPIN)
			b.Click(unlockIt)
			b.See(`#sheet > button[autofocus]`)
			if got := h.outcome(t, id); got != store.PushApproved {
				t.Errorf("the request ended %q, want approved", got)
			}
			b.Click(`#sheet > button[autofocus]`)

			b.Click(`.account .top button`)
			b.Click(`#pin-settings button`)
			b.See(`#sheet #old`)
			look("pin-change")
			b.Type(`#sheet #old`, chosenPIN)
			b.Type(`#sheet #new`, anotherPIN)
			b.Type(`#sheet #again`, anotherPIN)
			b.Click(`#sheet form > button`)
			b.See(showCode)
			b.Reload()
			b.Click(showCode)
			b.Type(pinField, anotherPIN)
			b.Click(unlockIt)
			b.See(`.account .otp:not(:empty)`)

			b.Reload()
			b.See(showCode)
			b.offline(true)
			b.See(`main > .notice`) // else the page is drawn anew under the hand
			b.Click(showCode)
			b.Type(pinField, anotherPIN)
			b.refused(func() { b.Click(unlockIt) })
			look("pin-offline")
			b.offline(false)
			b.Click(`#sheet .pair .plain`)
			b.Await("the network", `!document.querySelector("main > .notice")`)

			b.Click(showCode)
			for range 3 {
				b.Type(pinField, chosenPIN)
				b.refused(func() { b.Click(unlockIt) })
			}
			look("pin-none-left")
			b.Click(`#sheet .pair .plain`)
			b.Reload()
			b.See(`.account .notice:not(.bad)`)
			look("pin-locked")
			h.change(t, func(_ context.Context, _ *store.Tx, a identity.Authenticator) error {
				if a.State() != identity.Locked {
					t.Errorf("the authenticator is %s, want locked", a.State())
				}
				return nil
			})
		})
	}
}

// What the browser keeps of an account with a PIN is of no use without it and
// the server: no seed, and no half of the key that opens it.
func TestCRED7_AppKeepsTheSeedWrapped(t *testing.T) {
	t.Parallel()
	h, b := startApp(t), Browse(t, chromium(t), Profile{Phone: true})
	h.wantPIN(t, 3, false)
	h.enrolledWithPIN(t, b, func(string) {})
	got, err := evaluate[string](b, `(async () => {
		const db = await new Promise((y, n) => { const r = indexedDB.open("latchkey-authenticator"); r.onsuccess = () => y(r.result); r.onerror = () => n(r.error) })
		const [account] = await new Promise((y) => { db.transaction("accounts").objectStore("accounts").getAll().onsuccess = (e) => y(e.target.result) })
		const { salt, iterations, iv, seed, ...more } = account.pin[0]
		return [account.seed === undefined, account.pin.length, Object.keys(more).length, iterations, Object.values(account).filter((v) => v instanceof CryptoKey).length].join()
	})()`)
	if err != nil || got != "true,1,0,600000,1" {
		t.Errorf("it keeps %s, %v; want no seed, one wrapped, and one key", got, err)
	}
	for _, text := range []string{chosenPIN} {
		if html, _ := evaluate[string](b, `document.documentElement.outerHTML`); strings.Contains(html, text) {
			t.Error("the page has the PIN")
		}
	}
}
