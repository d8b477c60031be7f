package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/otp"
)

// A running is a demo that listens.
type running struct {
	summary
	t     *testing.T
	stop  context.CancelFunc
	ended chan error
}

// launch runs the demo of a folder until the end of the test, or until stopped.
func launch(t *testing.T, dir, address string) *running {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	said, stdout := io.Pipe()
	r := &running{t: t, stop: stop, ended: make(chan error, 1)}
	go func() {
		err := Run(ctx, Options{Dir: dir, Addr: address, JSON: true, Stdout: stdout, Stderr: t.Output()})
		r.ended <- errors.Join(err, stdout.CloseWithError(io.ErrUnexpectedEOF))
	}()
	t.Cleanup(func() { _ = r.stopped() }) // a test that checks the error has called it before
	if err := json.NewDecoder(said).Decode(&r.summary); err != nil {
		t.Fatalf("demo said no JSON: %v, %v", err, r.stopped())
	}
	return r
}

// stopped ends the demo as Ctrl-C does, and returns its error.
func (r *running) stopped() error {
	r.stop()
	err := <-r.ended
	r.ended <- err
	return err
}

func (r *running) user(name string) user {
	r.t.Helper()
	for _, u := range r.Users {
		if u.Name == name {
			return u
		}
	}
	r.t.Fatalf("there is no %s", name)
	return user{}
}

// A browser is an HTTP client with cookies, without scripts.
type browser struct {
	*running
	http   *http.Client
	at     string
	page   string
	status int
}

func (r *running) browser() *browser {
	r.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return &browser{running: r, http: &http.Client{Jar: jar, Timeout: 20 * time.Second}}
}

func (v *browser) read(res *http.Response, err error) {
	v.t.Helper()
	if err != nil {
		v.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	v.page, v.status, v.at = string(body), res.StatusCode, res.Request.URL.String()
}

// open opens an address, and submits the form of a SAML binding if that is the
// page.
func (v *browser) open(address string) {
	v.t.Helper()
	v.read(v.http.Get(address))
	v.post()
}

var (
	formAction = regexp.MustCompile(`<form[^>]* action="([^"]*)"`)
	hidden     = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
)

// send submits the page's form with these values of fields: name, value, …
func (v *browser) send(fields ...string) {
	v.t.Helper()
	form := url.Values{}
	for _, m := range hidden.FindAllStringSubmatch(v.page, -1) {
		form.Set(m[1], html.UnescapeString(m[2]))
	}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	action := formAction.FindStringSubmatch(v.page)
	if action == nil {
		v.t.Fatalf("no form at %s:\n%s", v.at, v.page)
	}
	at, err := url.Parse(v.at)
	if err != nil {
		v.t.Fatal(err)
	}
	to, err := at.Parse(html.UnescapeString(action[1]))
	if err != nil {
		v.t.Fatal(err)
	}
	v.read(v.http.PostForm(to.String(), form))
	v.post()
}

// post submits the form of the page with a SAML response.
func (v *browser) post() {
	v.t.Helper()
	if strings.Contains(v.page, `id="autosubmit"`) {
		v.send()
	}
}

// login signs in, from the page for the user name to the application.
func (v *browser) login(u user) {
	v.t.Helper()
	v.send("do", "continue", "username", u.Name)
	v.send("do", "continue", "password", u.Password)
	if strings.Contains(v.page, `name="method"`) {
		v.send("do", "continue", "method", "passcode")
	}
	seed, err := otp.DecodeSecret(u.Seed)
	if err != nil {
		v.t.Fatal(err)
	}
	v.send("do", "continue", "passcode", otp.TOTP(seed, otp.Params{}, time.Now()))
}

// signedIn checks that the page is that of an application with this user, and
// contains the words.
func (v *browser) signedIn(address, name string, words ...string) {
	v.t.Helper()
	if v.at != address || v.status != http.StatusOK {
		v.t.Fatalf("at %s with %d, want %s\n%s", v.at, v.status, address, v.page)
	}
	for _, word := range append(words, "signed in as <bdi>"+name+"</bdi>") {
		if !strings.Contains(v.page, word) {
			v.t.Errorf("%s does not say %q:\n%s", address, word, v.page)
		}
	}
}

// Sign-in to both applications and sign-out, with a restart in the same folder
// between them.
func TestDemo(t *testing.T) {
	dir := t.TempDir()
	first := launch(t, dir, freeAddress(t))
	payroll, wiki := first.Applications[0].URL, first.Applications[1].URL
	deniz := first.user("deniz")

	v := first.browser()
	v.open(payroll)
	v.login(deniz)
	v.signedIn(payroll, "deniz", "deniz@hospital.example", "Doctors", "AuthnContextClassRef")
	v.open(wiki) // signed in without any page
	v.signedIn(wiki, "deniz", "deniz@hospital.example", "Doctors", "acr", "amr")

	if err := first.stopped(); err != nil {
		t.Fatalf("stopped: %v", err)
	}
	begun := time.Now()
	second := launch(t, dir, "")
	t.Logf("ready again after %v", time.Since(begun))
	if second.Base != first.Base || len(second.Users) != 10 || second.user("deniz") != deniz {
		t.Fatalf("after a restart: %+v, want %+v", second.summary, first.summary)
	}
	v.running = second
	v.open(payroll)
	v.signedIn(payroll, "deniz")
	v.open(wiki)
	v.signedIn(wiki, "deniz")

	// Sign-out of one application: the session at Latchkey continues.
	v.open(payroll)
	v.send()
	const knows, knowsNot = "Latchkey still knows you", "Latchkey does not know you"
	if v.at != payroll+"signed-out" || v.status != http.StatusOK || !strings.Contains(v.page, knows) {
		t.Errorf("signed out of payroll: %d at %s\n%s", v.status, v.at, v.page)
	}
	v.open(payroll)
	v.signedIn(payroll, "deniz")
	// Sign-out of the other ends it.
	v.open(wiki)
	v.send()
	if v.at != wiki+"signed-out" || v.status != http.StatusOK || !strings.Contains(v.page, knowsNot) {
		t.Errorf("signed out of the wiki: %d at %s\n%s", v.status, v.at, v.page)
	}
	// The first knows the person by its own session; whether Latchkey does is asked of
	// Latchkey.
	v.open(payroll)
	v.send()
	if v.at != payroll+"signed-out" || !strings.Contains(v.page, knowsNot) {
		t.Errorf("signed out of payroll, after Latchkey: at %s\n%s", v.at, v.page)
	}
	v.open(wiki)
	v.login(second.user("felix"))
	v.signedIn(wiki, "felix")
}

// A cancelled sign-in is shown by the application and not repeated at once. An
// unsolicited response is no sign-in either.
func TestRefusals(t *testing.T) {
	r := launch(t, t.TempDir(), freeAddress(t))
	for i, why := range []string{"AuthnFailed", "access_denied"} {
		app := r.Applications[i]
		v := r.browser()
		v.open(app.URL)
		v.send("do", "cancel")
		if v.status != http.StatusForbidden || !strings.HasPrefix(v.at, app.URL) || !strings.Contains(v.page, why) {
			t.Errorf("%s: %d at %s, want a page that says %s\n%s", app.Name, v.status, v.at, why, v.page)
		}
	}
	for _, address := range []string{callbackPath + "?code=x&state=y", callbackPath} {
		v := r.browser()
		v.open(r.Base + address)
		if v.status != http.StatusForbidden {
			t.Errorf("%s: %d, want 403", address, v.status)
		}
	}
	for _, form := range []url.Values{{}, {"SAMLResponse": {"!"}}, {"SAMLResponse": {"PGEvPg=="}, "RelayState": {"x"}}} {
		v := r.browser()
		v.read(v.http.PostForm(r.Base+payrollPath+"saml/acs", form))
		if v.status != http.StatusForbidden {
			t.Errorf("%v: %d, want 403", form, v.status)
		}
	}
}

// Requests for another host name get nothing: a name on the web that resolves
// to 127.0.0.1 belongs to somebody else.
func TestOtherNamesSeeNothing(t *testing.T) {
	r := launch(t, t.TempDir(), freeAddress(t))
	for _, tt := range []struct {
		method, path string
		want         int
	}{
		{http.MethodGet, "/", http.StatusTemporaryRedirect},
		{http.MethodGet, mailPath + "?format=json", http.StatusTemporaryRedirect},
		{http.MethodGet, passcodesPath, http.StatusTemporaryRedirect},
		{http.MethodPost, languagePath, http.StatusMisdirectedRequest},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tt.method, r.Base+tt.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "rebound.example.org"
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		if err = errors.Join(err, res.Body.Close()); err != nil || res.StatusCode != tt.want || bytes.Contains(body, []byte("silver-river")) {
			t.Errorf("%s %s: %d, %v, want %d", tt.method, tt.path, res.StatusCode, err, tt.want)
		}
		if to := res.Header.Get("Location"); tt.want == http.StatusTemporaryRedirect && to != r.Base+tt.path {
			t.Errorf("%s %s leads to %q", tt.method, tt.path, to)
		}
	}
}

// The HTML of a mail runs no scripts and has no origin.
func TestMailsAreShownInASandbox(t *testing.T) {
	dir, address := t.TempDir(), freeAddress(t)
	r := launch(t, dir, address)
	v := r.browser()
	v.open(r.Mailbox + "?format=json")
	if got := strings.TrimSpace(v.page); got != "[]" {
		t.Errorf("an empty mailbox is %q, want []", got)
	}
	if err := r.stopped(); err != nil {
		t.Fatal(err)
	}
	box, err := OpenMailbox(filepath.Join(dir, "mails"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	raw := "Subject: <script>x</script>\r\nContent-Type: text/html\r\n\r\n<script>alert(1)</script>"
	if err := box.store([]string{"anna@hospital.example"}, []byte(raw)); err != nil {
		t.Fatal(err)
	}
	one := r.Mailbox + "/" + box.Mails()[0].ID
	v.running = launch(t, dir, "")
	v.open(r.Mailbox)
	if !strings.Contains(v.page, box.Mails()[0].ID) || strings.Contains(v.page, "<script>x") {
		t.Errorf("the list:\n%s", v.page)
	}
	v.open(one)
	if v.status != http.StatusOK || strings.Contains(v.page, "<script>x") || !strings.Contains(v.page, " sandbox ") {
		t.Errorf("the mail: %d\n%s", v.status, v.page)
	}
	framed, err := v.http.Get(one + "/html")
	if err != nil {
		t.Fatal(err)
	}
	defer framed.Body.Close()
	if got := framed.Header.Get("Content-Security-Policy"); !strings.HasPrefix(got, "sandbox; default-src 'none';") {
		t.Errorf("a mail's own page may do %q", got)
	}
	v.open(r.Mailbox + "/nothing")
	if v.status != http.StatusNotFound {
		t.Errorf("a mail that is not there: %d, want 404", v.status)
	}
}
