package e2e

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/enroll"
	"github.com/latchkey-id/latchkey/internal/appapi"
	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/notify"
	"github.com/latchkey-id/latchkey/internal/outbound"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/push"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
	"github.com/latchkey-id/latchkey/internal/web"
	"github.com/latchkey-id/latchkey/internal/webpush"
	"github.com/latchkey-id/latchkey/locales/localestest"
	"github.com/latchkey-id/latchkey/static"
)

// An appServer has what the web authenticator needs of a server, and no more:
// itself, and the apps' API over a database that the test changes directly.
type appServer struct {
	db       *store.DB
	notifier *notify.Notifier // may call nobody until a test lets it
	base     string
	user     identity.User
	who      identity.Principal
	server   *httptest.Server
	serves   *atomic.Pointer[http.ServeMux] // what the server does: a newer release of it may take its place
}

const appPayroll = identity.ApplicationID + "_aaaaaaaaaaaaaaaaaaaaaaaaaa"

func startApp(t *testing.T) *appServer {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{Source: storetest.MigratedSQLite(t), Keys: store.NewKeyring()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	tenant := identity.Tenant{ID: identity.NewID(identity.TenantID), Slug: "demo", Name: "Example Hospital"}
	h := &appServer{db: db, who: identity.Principal{Tenant: tenant.ID, Kind: identity.Browser, IP: "192.0.2.17"},
		user: identity.User{Tenant: tenant.ID, ID: identity.NewID(identity.UserID), Name: "anna.berg", Password: "a hash"}}
	h.tx(t, func(tx *store.Tx) error {
		return errors.Join(tx.Tenants().Add(t.Context(), tenant), tx.Users().Add(t.Context(), h.user),
			tx.Applications().Add(t.Context(), identity.Application{Tenant: tenant.ID, ID: appPayroll, Name: "Payroll",
				Protocol: identity.SAML, Identifier: "https://payroll.example.org", Config: []byte(`{}`)}))
	})
	catalog := localestest.Catalog(t)
	mux := http.NewServeMux()
	h.serves = new(atomic.Pointer[http.ServeMux])
	h.serves.Store(mux)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.serves.Load().ServeHTTP(w, r) }))
	h.server = server
	h.base = strings.Replace(server.URL, "127.0.0.1", "localhost", 1) // browsers make keys on localhost
	base, err := url.Parse(h.base)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	app, err := appapi.WebApp(&web.Site{Catalog: catalog, Base: base, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	services, err := webpush.NewServices(nil)
	if err != nil {
		t.Fatal(err)
	}
	h.notifier = &notify.Notifier{DB: db, Client: outbound.New(nil), Services: services, Catalog: catalog, Base: h.base, Contact: "mailto:help@example.org", Log: log}
	streams := web.NewStreams(log)
	api := appapi.New(appapi.Options{DB: db, Catalog: catalog, Base: h.base, SelfService: h.base, Notifier: h.notifier,
		Address: func(*http.Request) string { return "192.0.2.80" }, Streams: streams, Log: log})
	mux.Handle("/authenticator/", app)
	mux.Handle(static.Prefix, static.Handler())
	mux.Handle(appapi.Path, api.Handler())
	t.Cleanup(server.Close)
	t.Cleanup(func() { streams.Close(); streams.Wait() })
	return h
}

func (h *appServer) tx(t *testing.T, f func(tx *store.Tx) error) {
	t.Helper()
	if err := h.db.InTx(t.Context(), h.who, f); err != nil {
		t.Fatal(err)
	}
}

// journey is one of the user's, with the password proved.
func (h *appServer) journey(t *testing.T) *identity.Journey {
	t.Helper()
	now := h.db.Now()
	j := &identity.Journey{Tenant: h.user.Tenant, ID: identity.NewID(identity.JourneyID), Application: appPayroll,
		Protocol: identity.SAML, Request: []byte(`{}`), Browser: "b", Fingerprint: "Firefox, Linux", IP: "192.0.2.17", UserID: h.user.ID, Name: "Anna.Berg",
		Required:  []identity.Validation{identity.Password, identity.SecondFactor},
		Passed:    []identity.CompletedFactor{{Validation: identity.Password, Method: identity.ByPassword, At: now}},
		StartedAt: now, ExpiresAt: now.Add(15 * time.Minute)}
	h.tx(t, func(tx *store.Tx) error { return tx.Journeys().Add(t.Context(), j) })
	return j
}

// link is what the QR code holds.
func (h *appServer) link(t *testing.T) string {
	t.Helper()
	shown := h.activation(t)
	return shown.Link(h.base)
}

// activation is what the enrolment page shows.
func (h *appServer) activation(t *testing.T) enroll.Activation {
	t.Helper()
	j := h.journey(t)
	j.Enroll, j.Code.PassedAt = identity.EnrollPlatform, h.db.Now()
	h.tx(t, func(tx *store.Tx) error {
		rules, err := enroll.ReadRules(t.Context(), tx.Reader, h.user.Tenant)
		if err != nil {
			return err
		}
		_, err = enroll.ChoosePlatform(t.Context(), tx, j, h.user, identity.Android, rules, "en")
		return errors.Join(err, tx.Journeys().Step(t.Context(), j))
	})
	shown, err := enroll.Shown(t.Context(), h.db.Reader, j)
	if err != nil {
		t.Fatal(err)
	}
	return shown
}

// ask sends a push.
func (h *appServer) ask(t *testing.T, presence policy.Presence) (id string) {
	t.Helper()
	j := h.journey(t)
	h.tx(t, func(tx *store.Tx) error {
		rules := policy.DefaultPush()
		rules.Spacing, rules.Limit = 0, 20
		p, err := push.Start(t.Context(), tx, j, push.Display{Application: "Payroll", Place: "Bergen, Norway"}, presence, rules)
		id = p.ID
		return err
	})
	return id
}

func (h *appServer) outcome(t *testing.T, id string) store.PushOutcome {
	t.Helper()
	s, err := push.LoadState(t.Context(), h.db.Reader, h.user.Tenant, id)
	if err != nil {
		t.Fatal(err)
	}
	return s.Outcome
}

// enrolled activates the browser by link, with push. look, if not nil, is called
// on each state before it is left.
func (h *appServer) enrolled(t *testing.T, b *Browser, look func(state string)) {
	t.Helper()
	at := func(state, selector string) {
		t.Helper()
		b.See(selector)
		if look != nil {
			look(state)
		}
	}
	b.Open(h.link(t))
	at("link", `#sheet .pair button[autofocus]`)
	b.Click(`#sheet .pair button[autofocus]`)
	at("questions", `#sheet input[name="push"]`)
	b.Click(`#sheet form > button`)
	at("ready", `#sheet > button`)
	b.Click(`#sheet > button`)
	at("account", account)
}

// Every state of the app, looked at as pages are.
func TestAppStates(t *testing.T) {
	t.Parallel()
	needAxe(t)
	process := chromium(t)
	var said strings.Builder // on the English screens
	t.Run("languages", func(t *testing.T) {
		for _, lang := range inspected {
			t.Run(lang, func(t *testing.T) {
				t.Parallel()
				b := Browse(t, process, Profile{Lang: lang})
				appStates(t, startApp(t), b, func(state string) {
					t.Helper()
					b.inspectFirst("app-" + state + "-" + lang)
					text, err := evaluate[string](b, `[document.title, document.body.innerText,
						...[...document.querySelectorAll("[aria-label]")].map(e => e.ariaLabel)].join("\n")`)
					if err != nil {
						t.Fatal(err)
					}
					if lang == "en" {
						said.WriteString(text)
					}
				})
			})
		}
	})
	everyTextWasSeen(t, said.String())
}

// unseen are the app's texts that no state here says, and why.
var unseen = map[string]string{
	"app.error.":         "said where app-number-short and app-add-short say theirs",
	"app.pin.":           "in app_pin_test.go",
	"app.challenge.":     "in challenge_test.go",
	"app.code.next":      "in challenge_test.go",
	"app.touch.":         "in app_biometric_test.go",
	"app.outcome.":       "in the sheets of app-outcome and app-gone",
	"app.state.":         "on the cards of app-locked and app-revoked",
	"app.tag.":           "a word in the place of app-account's",
	"app.notify.":        "one of them is said in app-settings, or on app-account",
	"app.test.":          "in the sheet of app-test, which shows how far it came",
	"app.stop.":          "in a browser that keeps nothing, or has no keys, alone",
	"app.failed":         "when the app's own files do not come",
	"app.noscript":       "without scripts, which has no other state",
	"app.removed.":       "when the server is away; the sheet is app-outcome's",
	"app.account.locked": "in the sheet of app-settings, as a notice",
	"app.code.copied":    "for screen readers alone",
	"app.scan.":          "in the scan- states of app_scan_test.go, which has cameras",
	"app.home.":          "in the home- states of app_install_test.go, on an iPhone",
	"app.install":        "in the install states of app_install_test.go, where a browser offers it",
	"app.lost.":          "in the lost- states of app_install_test.go",
	"app.again.":         "in the again- states of app_install_test.go",
}

// everyTextWasSeen holds the list of states to the list of texts: a state that
// comes anew says something new, and fails here until it is looked at.
func everyTextWasSeen(t *testing.T, said string) {
	t.Helper()
	catalog := localestest.Catalog(t)
	isolates := regexp.MustCompile("[\u2066-\u2069]")
	said = isolates.ReplaceAllString(said, "")
	argument := regexp.MustCompile(`\\\{[a-z]+\\\}`) // of a text whose braces were quoted
	for key, text := range catalog.Negotiate("en", "", "", "").Texts("app.") {
		if forms, ok := text.(map[string]string); ok {
			text = forms["other"]
		}
		pattern := argument.ReplaceAllString(regexp.QuoteMeta(isolates.ReplaceAllString(text.(string), "")), ".+")
		excused := false
		for prefix := range unseen {
			excused = excused || strings.HasPrefix(key, prefix)
		}
		if !excused && !regexp.MustCompile(pattern).MatchString(said) {
			t.Errorf("no state that is looked at says %s: %q", key, text)
		}
	}
}

// appStates goes through all of them.
func appStates(t *testing.T, h *appServer, b *Browser, look func(state string)) {
	t.Helper()
	b.Open(h.base + "/authenticator/")
	b.See(`main details`)
	b.Click(`main summary`)
	look("empty")
	b.Click(addButton)
	b.See(typedCode)
	b.Click(`#sheet summary`)
	look("add")
	b.Type(typedCode, "7KQ")
	b.Click(submit)
	b.See(`#sheet .error:not([hidden])`)
	look("add-short")
	h.enrolled(t, b, look)

	id := h.ask(t, policy.Enter)
	b.See(number)
	look("request")
	b.Click(`#sheet .top button`) // closed: it decides nothing, and stays at hand
	b.See(`main .notice button`)
	look("waiting")
	if got := h.outcome(t, id); got != "" {
		t.Errorf("closing the sheet answered the request: %q", got)
	}
	b.Click(`main .notice button`)
	b.See(number)
	b.Type(number, "4")
	b.Click(`#sheet form .pair button:not(.plain)`)
	b.See(`#sheet .error:not([hidden])`)
	look("number-short")
	h.tx(t, func(tx *store.Tx) error { return push.Cancel(t.Context(), tx, h.user.Tenant, id) })
	b.See(`#sheet > button[autofocus]`)
	look("gone")
	b.Click(`#sheet > button`)

	h.ask(t, policy.NoPresence)
	b.See(`#sheet form .pair`)
	if b.Has(number) {
		t.Error("a number is asked for where no check is")
	}
	look("plain")
	b.Click(deny)
	b.See(notMe)
	look("deny")
	b.Click(deny)
	b.See(`#sheet > button[autofocus]`)
	look("outcome")
	b.Click(`#sheet > button`)

	h.ask(t, policy.NoPresence)
	b.See(`#sheet form .pair`)
	b.Click(deny)
	b.See(notMe)
	b.Click(notMe)
	b.See(`#sheet > button[autofocus]`)
	if got, want := b.Attribute(`#sheet a.button`, "href"), h.base+"/t/demo/me/password"; got != want {
		t.Errorf("PUSH-14: it wasn't me leads to %s, want %s", got, want)
	}
	look("outcome-not-me")
	b.Click(`#sheet > button`)

	id = h.ask(t, policy.Pick)
	b.See(picks)
	look("pick")
	h.tx(t, func(tx *store.Tx) error { return push.Cancel(t.Context(), tx, h.user.Tenant, id) })
	b.See(`#sheet > button[autofocus]`)
	b.Click(`#sheet > button`)

	b.Click(`.account .top button`)
	b.See(`#sheet #push`)
	look("settings")
	b.Click(`#sheet > button.quiet`)
	b.See(`#sheet .danger`)
	look("remove")
	b.Click(`#sheet .pair .plain`)
	b.Click(`#footer button`)
	b.See(`#language`)
	look("about")
	b.Click(`#sheet > button`)

	h.change(t, authenticator.Lock)
	b.See(`.account .notice:not(.bad)`) // by itself: the server notified it
	look("locked")
	h.change(t, func(ctx context.Context, tx *store.Tx, a identity.Authenticator) error {
		return authenticator.Revoke(ctx, tx, a, "lost")
	})
	b.Reload() // nothing is sent to one that is locked
	b.See(`.account .notice.bad`)
	look("revoked")
	b.Click(`.account button.plain`)
	b.See(`main details`)
}

// change does something to the user's authenticator.
func (h *appServer) change(t *testing.T, f func(context.Context, *store.Tx, identity.Authenticator) error) {
	t.Helper()
	h.tx(t, func(tx *store.Tx) error {
		all, err := store.Collect(tx.Authenticators().OfUser(t.Context(), h.user.Tenant, h.user.ID))
		if err != nil {
			return err
		}
		return f(t.Context(), tx, all[0])
	})
}

// Without scripts the app can only say that it needs them.
func TestAppWithoutScripts(t *testing.T) {
	t.Parallel()
	needAxe(t)
	h, process := startApp(t), chromium(t)
	for _, lang := range inspected {
		b := Browse(t, process, Profile{Lang: lang, NoScript: true})
		b.Open(h.base + "/authenticator/")
		b.See(`noscript .notice`)
		b.inspectFirst("app-" + lang)
	}
}

// What the browser keeps can be used and not read: neither the private key nor
// the seed leaves it, whatever script gets in.
func TestAppKeepsKeysToItself(t *testing.T) {
	t.Parallel()
	h := startApp(t)
	b := Browse(t, chromium(t), Profile{Phone: true})
	h.enrolled(t, b, nil)
	got, err := evaluate[string](b, `(async () => {
		const db = await new Promise((y, n) => { const r = indexedDB.open("latchkey-authenticator"); r.onsuccess = () => y(r.result); r.onerror = () => n(r.error) })
		const all = (store) => new Promise((y) => { db.transaction(store).objectStore(store).getAll().onsuccess = (e) => y(e.target.result) })
		const [account] = await all("accounts")
		const found = [(await all("settings")).length + " left over"]
		for (const [name, key] of [["key", account.key], ["seed", account.seed]]) for (const format of ["jwk", "raw", "pkcs8"])
			await crypto.subtle.exportKey(format, key).then(() => found.push(name + " as " + format), () => {})
		const text = (o) => JSON.stringify(o, (k, v) => v instanceof CryptoKey ? "[" + v.type + "]" : v)
		if (!text(account).includes('"seed":"[secret]"')) found.push("seed: " + text(account))
		return found.join(", ")
	})()`)
	if err != nil {
		t.Fatal(err)
	}
	if got != "0 left over" {
		t.Errorf("found %s, want nothing", got)
	}
	if b.URL().Fragment != "" {
		t.Errorf("the address still has %q", b.URL().Fragment)
	}
}

// Closed in the middle, the app goes on where it was: the secret is gone from
// the address, but not lost.
func TestENR10_AppReloadedInTheMiddle(t *testing.T) {
	t.Parallel()
	h := startApp(t)
	b := Browse(t, chromium(t), Profile{Phone: true})
	b.Open(h.link(t))
	b.Click(`#sheet .pair button[autofocus]`)
	b.See(`#sheet input[name="push"]`)
	b.Reload()
	b.See(`#sheet input[name="push"]`)
	b.Click(`#sheet form > button`)
	b.See(`.account .otp`)
}

// Two tabs are one app.
func TestAppInTwoTabs(t *testing.T) {
	t.Parallel()
	h := startApp(t)
	b := Browse(t, chromium(t), Profile{})
	h.enrolled(t, b, nil)
	got, err := evaluate[string](b, `new Promise((resolve) => {
		const other = new BroadcastChannel("latchkey-authenticator")
		other.onmessage = () => resolve("told")
		document.querySelector(".account .top button").click()
		document.querySelector("#sheet > button.quiet").click()
		document.querySelector("#sheet .danger").click()
	})`)
	if err != nil || got != "told" {
		t.Errorf("the other tab heard %q, %v", got, err)
	}
	b.See(`main details`)
}
