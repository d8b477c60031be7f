package idp_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/idp"
	"github.com/latchkey-id/latchkey/internal/appapi"
	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/internal/notify"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/push"
	"github.com/latchkey-id/latchkey/internal/signingkey"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
	"github.com/latchkey-id/latchkey/internal/web"
	"github.com/latchkey-id/latchkey/internal/web/webtest"
)

const password = "correct horse battery"

// A site is the login pages on a real listener, with the portal to log in to.
type site struct {
	*storetest.Fixture
	t     *testing.T
	url   string
	token identity.Authenticator

	directory *directory.Directory
}

func newSite(t *testing.T, h *storetest.Fixture) *site {
	t.Helper()
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	served := webtest.Site(t, h.DB, server.URL)
	people := directory.New(h.DB, 2)
	streams := web.NewStreams(served.Log)
	t.Cleanup(func() { streams.Close(); streams.Wait() })
	p := &idp.IdP{Site: served, Streams: streams, DB: h.DB, Keys: &signingkey.Cache{DB: h.DB}, Closing: make(chan struct{}),
		Engine:      &journey.Engine{DB: h.DB, Directory: people, Catalog: served.Catalog, Base: served.Base},
		SelfService: []string{"", "recovery-codes"},
		Protocols:   map[identity.Protocol]idp.Protocol{identity.Portal: idp.Portal{}}}
	inner := http.NewServeMux()
	p.Routes(inner)
	inner.HandleFunc("GET /t/{tenant}/me/{page}/{item}", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "at %s", r.PathValue("page")) })
	inner.HandleFunc("GET /t/{tenant}/me/{page}", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "at %s", r.PathValue("page")) })
	inner.HandleFunc("GET /t/{tenant}/me", func(w http.ResponseWriter, r *http.Request) {
		if s, err := served.Session(r, h.Tenant); err == nil {
			fmt.Fprintf(w, "signed in as %s", s.UserID)
			return
		}
		http.Error(w, "no session", http.StatusUnauthorized)
	})
	mux.Handle("/", served.Headers(served.Recover(served.SameOrigin(inner))))
	apps := appapi.New(appapi.Options{DB: h.DB, Catalog: served.Catalog, Base: server.URL, Notifier: &notify.Notifier{DB: h.DB}, Address: served.ClientIP, Streams: streams, Log: slog.New(slog.DiscardHandler)})
	mux.Handle(appapi.Path, apps.Handler())
	h.Do(t, func(tx *store.Tx) error {
		return tx.Applications().Add(t.Context(), identity.PortalApplication(h.Tenant))
	})
	var err error
	h.User, err = people.AddUser(t.Context(), h.Who, h.Tenant.ID, directory.NewUser{Name: "berit.lie", Mail: "berit@example.org", Password: password})
	if err != nil {
		t.Fatal(err)
	}
	return &site{Fixture: h, t: t, url: server.URL, token: h.Authenticator(t, "Pixel 9"), directory: people}
}

// A userAgent is a browser without scripts.
type userAgent struct {
	*site
	http *http.Client
	at   string
	page string
	code int
}

func (s *site) userAgent() *userAgent {
	s.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return &userAgent{site: s, http: &http.Client{Jar: jar, Timeout: 40 * time.Second}}
}

func (v *userAgent) read(res *http.Response, err error) *userAgent {
	v.t.Helper()
	if err != nil {
		v.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	v.page, v.code, v.at = string(body), res.StatusCode, res.Request.URL.String()
	return v
}

func (v *userAgent) open(address string) *userAgent {
	v.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = v.url + address
	}
	return v.read(v.http.Get(address))
}

var hidden = regexp.MustCompile(`name="(state)" value="([^"]*)"`)

// fill returns the page's form with fields filled in: name, value, …
func (v *userAgent) fill(fields ...string) url.Values {
	form := url.Values{"do": {"continue"}}
	for _, m := range hidden.FindAllStringSubmatch(v.page, -1) {
		form.Set(m[1], m[2])
	}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	if step := form.Get("step"); step != "" { // a form that another page would send
		version, _, _ := strings.Cut(form.Get("state"), ".")
		form.Set("state", version+"."+strings.ReplaceAll(step, " ", "-"))
		form.Del("step")
	}
	return form
}

func (v *userAgent) send(fields ...string) *userAgent {
	v.t.Helper()
	return v.read(v.http.PostForm(v.at, v.fill(fields...)))
}

func (v *userAgent) sees(words string) *userAgent {
	v.t.Helper()
	if !strings.Contains(v.page, words) {
		v.t.Fatalf("at %s (%d): no %q on\n%s", v.at, v.code, words, v.page)
	}
	return v
}

func (v *userAgent) toChoice() *userAgent {
	v.t.Helper()
	return v.open("/t/demo/login").send("username", "berit.lie").send("password", password).sees(`name="method"`)
}

func (s *site) passcode() string {
	return otp.TOTP(s.token.Seed, otp.Params{Digits: 6, Period: 30}, s.Clock.Now())
}

func TestJRN10_FromTheNameToTheApplication(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		s := newSite(t, h)
		v := s.userAgent().toChoice().send("method", "passcode").sees(`name="passcode"`)
		v.send("passcode", "12").sees(`name="passcode"`)
		last := v.fill("passcode", s.passcode())
		address := v.at
		v.send("passcode", s.passcode()).sees("signed in as " + h.User.ID)
		// The same form again answers nothing: the journey is over and links
		// back (JRN-4).
		if v.read(v.http.PostForm(address, last)); v.code != http.StatusGone {
			t.Errorf("the last form once more: %d, want 410", v.code)
		}
		if v.open(address); v.code != http.StatusGone {
			t.Errorf("the address of an ended journey: %d, want 410", v.code)
		}
		v.open("/t/demo/login").sees("signed in as") // single sign-on
	})
}

func TestJRN4_AJourneyOpensInItsOwnBrowserAlone(t *testing.T) {
	s := newSite(t, storetest.SQLite(t))
	mine := s.userAgent().toChoice()
	theirs := s.userAgent()
	for _, name := range []string{"without a cookie", "with another browser's"} {
		if theirs.open(mine.at); theirs.code != http.StatusForbidden {
			t.Errorf("%s: %d, want 403", name, theirs.code)
		}
		if theirs.read(theirs.http.PostForm(mine.at, mine.fill("method", "push"))); theirs.code != http.StatusForbidden {
			t.Errorf("posting %s: %d, want 403", name, theirs.code)
		}
		if theirs.open(mine.at + "/events"); theirs.code != http.StatusForbidden {
			t.Errorf("the stream %s: %d, want 403", name, theirs.code)
		}
		theirs.open("/t/demo/login") // gets a cookie
	}
}

func TestJRN4_BackAndReloadRepeatNothing(t *testing.T) {
	s := newSite(t, storetest.SQLite(t))
	v := s.userAgent().toChoice()
	form, address := v.fill("method", "push"), v.at
	v.send("method", "push").sees(`class="number"`)
	for range 3 {
		v.read(v.http.PostForm(address, form)).sees(`class="number"`) // the old page's form
	}
	j, err := s.DB.Journeys().Get(t.Context(), s.Tenant.ID, address[strings.LastIndex(address, "/")+1:])
	if err != nil || j.Pushes != 1 {
		t.Errorf("%d pushes sent, %v; want 1", j.Pushes, err)
	}
}

func TestTLOG01_AnUnknownNameLooksLikeAnyOther(t *testing.T) {
	s := newSite(t, storetest.SQLite(t))
	ids := regexp.MustCompile(`jrn_[a-z2-7]{26}|berit\.lie|nobody\.at`)
	mask := func(v *userAgent) string { return fmt.Sprint(v.code, ids.ReplaceAllString(v.page, "…")) }
	known, unknown := s.userAgent(), s.userAgent()
	known.open("/t/demo/login").send("username", "berit.lie")
	unknown.open("/t/demo/login").send("username", "nobody.at")
	if mask(known) != mask(unknown) {
		t.Errorf("after the name the pages differ:\n%s\n%s", mask(known), mask(unknown))
	}
	known.send("password", "wrong password")
	unknown.send("password", "wrong password")
	if mask(known) != mask(unknown) {
		t.Errorf("after a wrong password the pages differ:\n%s\n%s", mask(known), mask(unknown))
	}
	for _, send := range [][]string{{"do", "forgot"}, {"code", "000000"}, {"do", "resend"}, {"code", "12"}, {"do", "back"}} {
		known.send(send...)
		unknown.send(send...)
		if mask(known) != mask(unknown) {
			t.Errorf("who forgot the password, after %v, sees\n%s\nand nobody sees\n%s", send, mask(known), mask(unknown))
		}
	}
	known.sees("password")
}

func TestENR4_WithoutAPasswordEveryNameGetsTheSameChoices(t *testing.T) {
	s := newSite(t, storetest.SQLite(t))
	s.set(policy.Access{Rules: []policy.Rule{{Name: "all", Require: []identity.Validation{identity.SecondFactor}}}})
	push := policy.DefaultPush()
	push.BeforePassword = true
	s.set(push)
	strip := regexp.MustCompile(`jrn_[a-z2-7]{26}|berit\.lie|nobody\.at|class="number"[^/]*/p>|<p>[^<]*<bdi>\d\d</bdi>[^<]*</p>`)
	mask := func(v *userAgent) string { return fmt.Sprint(v.code, strip.ReplaceAllString(v.page, "…")) }
	for _, way := range [][]string{{"method", "push"}, {"method", "passcode"}, {"method", "enrol"}} {
		known, unknown := s.userAgent(), s.userAgent()
		known.open("/t/demo/login").send("username", "berit.lie")
		unknown.open("/t/demo/login").send("username", "nobody.at")
		if mask(known) != mask(unknown) {
			t.Errorf("the choices differ:\n%s\n%s", mask(known), mask(unknown))
		}
		known.send(way...)
		unknown.send(way...)
		if mask(known) != mask(unknown) {
			t.Errorf("%v: the pages differ:\n%s\n%s", way, mask(known), mask(unknown))
		}
	}
}

func (s *site) set(d policy.Document) {
	s.t.Helper()
	document, err := policy.Encode(d)
	if err != nil {
		s.t.Fatal(err)
	}
	s.Do(s.t, func(tx *store.Tx) error {
		now, err := tx.Policies().Get(s.t.Context(), s.Tenant.ID, d.Kind())
		if err != nil {
			return err
		}
		return tx.Policies().Set(s.t.Context(), s.Tenant.ID, d.Kind(), now.Version, document)
	})
}

// approve answers the waiting request as a phone would.
func (s *site) approve(ctx context.Context, number string) error {
	return s.DB.InTx(ctx, identity.Principal{Tenant: s.Tenant.ID, Kind: identity.AuthenticatorApp}, func(tx *store.Tx) error {
		p, err := push.Pending(ctx, tx.Reader, s.Tenant.ID, s.User.ID)
		if err != nil {
			return err
		}
		_, err = push.TakeAnswer(ctx, tx, s.token, push.Answer{Request: p.ID, Nonce: p.Nonce, Decision: push.Approve, Number: number,
			Passcode: func() (push.Verdict, store.Passcode, error) { return push.PasscodeRight, store.Passcode{}, nil }})
		return err
	})
}

var shown = regexp.MustCompile(`class="number"[^>]*>(\d+)<`)

func TestJRN11_WithoutScriptsContinueWaitsForThePhone(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		s := newSite(t, h)
		v := s.userAgent().toChoice().send("method", "push")
		number := shown.FindStringSubmatch(v.page)
		if number == nil {
			t.Fatalf("no number on\n%s", v.page)
		}
		var wg sync.WaitGroup
		start := time.Now()
		wg.Go(func() {
			time.Sleep(500 * time.Millisecond)
			if err := s.approve(t.Context(), number[1]); err != nil {
				t.Error(err)
			}
		})
		v.send().sees("signed in as " + h.User.ID)
		wg.Wait()
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("went on after %v", took)
		}
	})
}

func TestJRN11_TheStreamSaysGoAndNothingElse(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		s := newSite(t, h)
		v := s.userAgent().toChoice().send("method", "push")
		number := shown.FindStringSubmatch(v.page)[1]
		address := v.url + strings.ReplaceAll(regexp.MustCompile(`data-stream="([^"]*)"`).FindStringSubmatch(v.page)[1], "&amp;", "&")
		ask := func(accept string) *http.Response {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Accept", accept)
			res, err := v.http.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { res.Body.Close() })
			return res
		}
		if res := ask("application/json"); res.StatusCode != http.StatusNoContent {
			t.Errorf("asked while waiting: %d, want 204", res.StatusCode)
		}
		stream := ask("text/event-stream")
		if err := s.approve(t.Context(), number); err != nil {
			t.Fatal(err)
		}
		approved := time.Now()
		all, err := io.ReadAll(stream.Body)
		if err != nil || string(all) != ": here\n\nevent: go\ndata: {}\n\n" {
			t.Errorf("the stream said %q, %v", all, err)
		}
		if took := time.Since(approved); took > time.Second {
			t.Errorf("after %v", took)
		}
		if res := ask("application/json"); res.StatusCode != http.StatusOK {
			t.Errorf("asked after the approval: %d, want 200", res.StatusCode)
		}
	})
}

func TestENR13_PickingALanguageLosesNothingTyped(t *testing.T) {
	s := newSite(t, storetest.SQLite(t))
	v := s.userAgent().open("/t/demo/login")
	v.send("username", "half a na", "language", "ar").sees(`value="half a na"`).sees(`<html lang="ar" dir="rtl">`)
	v.send("username", "berit.lie").sees(`dir="rtl"`)
}

func TestTLOG03_AnotherSitesFormIsRefused(t *testing.T) {
	s := newSite(t, storetest.SQLite(t))
	v := s.userAgent().open("/t/demo/login")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, v.at, strings.NewReader(v.fill("username", "berit.lie").Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	if v.read(v.http.Do(r)); v.code != http.StatusForbidden {
		t.Errorf("%d, want 403", v.code)
	}
}

func TestGarbageGetsAClearError(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		s := newSite(t, h)
		for address, want := range map[string]int{
			"/t/demo/login/jrn_x": 404, "/t/demo/begin/x": 404, "/t/nobody/login": 404, "/t/demo/login/" + identity.NewID("jrn"): 404,
			"/t/demo/begin/" + identity.NewID("req"): 410, "/t/" + strings.Repeat("a", 5000) + "/login": 404, "/t/%00/login": 404, "/t/%ff/login": 404,
		} {
			if v := s.userAgent().open(address); v.code != want {
				t.Errorf("%.60s: %d, want %d", address, v.code, want)
			}
		}
		v := s.userAgent().open("/t/demo/login")
		at := v.at
		for _, form := range []url.Values{{}, {"state": {"-1"}}, {"state": {"9999999999999999999999.identify"}}, v.fill("do", "\x00"), v.fill("username", "\xff\xfe\x00"),
			v.fill("username", strings.Repeat("é", 3000))} {
			if v.read(v.http.PostForm(at, form)); v.code >= 500 {
				t.Errorf("%.60v: %d", form, v.code)
			}
			v.open(at)
		}
	})
}
