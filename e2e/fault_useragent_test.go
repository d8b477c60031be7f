package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/phone"
)

// callback is where the application's answers go. Nobody listens there: a
// userAgent does not follow them, but reads the address.
const callback = "http://127.0.0.1:9/callback"

// A userAgent is a person's browser without scripts. When the server dies, it waits,
// reloads the page it is on, and goes on with what that asks.
type userAgent struct {
	w      *faultServer
	name   string
	client *http.Client

	at     string // address of the journey's pages, once there is one
	page   string
	status int
	code   string // the authorization code, once they are back at the application
}

func (w *faultServer) newUserAgent(name string) *userAgent {
	jar, err := cookiejar.New(nil)
	if err != nil {
		panic(err) // without options it cannot fail
	}
	v := &userAgent{w: w, name: name}
	v.client = &http.Client{Jar: jar, Timeout: maxWait, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), callback) {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	return v
}

const verifier = "a-verifier-of-at-least-forty-three-characters-for-pkce"

func (v *userAgent) authorize() string {
	challenge := sha256.Sum256([]byte(verifier))
	return v.w.Base + "/t/default/oauth/authorize?" + url.Values{"client_id": {v.w.client}, "redirect_uri": {callback},
		"response_type": {"code"}, "scope": {"openid offline_access"}, "state": {"s"}, "nonce": {"n"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"}}.Encode()
}

// send makes a request and reads where it led.
func (v *userAgent) send(ctx context.Context, method, address string, form url.Values) error {
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	began := time.Now()
	res, err := v.client.Do(req)
	if took := time.Since(began); took > bound {
		return errors.Join(fmt.Errorf("%s was kept waiting for %v by %s %s", v.name, took.Round(time.Millisecond), method, address), err)
	}
	if err := away(res, err); err != nil {
		if res != nil {
			res.Body.Close()
		}
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return fmt.Errorf("%w: %w", errAway, err)
	}
	if to, err := res.Location(); err == nil {
		v.code = to.Query().Get("code")
		if v.code == "" {
			return fmt.Errorf("%s was sent back with %s", v.name, to.RawQuery)
		}
		return nil
	}
	v.page, v.status = string(body), res.StatusCode
	if strings.Contains(res.Request.URL.Path, "/login/jrn_") {
		v.at = res.Request.URL.String()
	}
	return nil
}

// reload is what people do when a page did not come: they ask for it again.
func (v *userAgent) reload(ctx context.Context) error {
	return retryWhileAway(ctx, func() error {
		if v.at == "" {
			return v.send(ctx, http.MethodGet, v.authorize(), nil)
		}
		return v.send(ctx, http.MethodGet, v.at, nil)
	})
}

var hiddenField = regexp.MustCompile(`<input type="hidden" name="([a-z]+)" value="([^"]*)"`)

// step is what the page asks for.
func (v *userAgent) step() string {
	if v.status == http.StatusGone {
		return "ended"
	}
	for _, field := range hiddenField.FindAllStringSubmatch(v.page, -1) {
		if field[1] == "state" {
			_, rest, _ := strings.Cut(html.UnescapeString(field[2]), ".")
			step, _, _ := strings.Cut(rest, ".")
			return strings.ReplaceAll(step, "-", " ")
		}
	}
	return ""
}

// heading is what a person reads first.
func (v *userAgent) heading() string {
	if _, rest, found := strings.Cut(v.page, "<h1>"); found {
		heading, _, _ := strings.Cut(rest, "</h1>")
		return heading
	}
	return v.page
}

func (v *userAgent) journey() string { return path.Base(v.at) }

// post fills in the page's form. If the answer is lost, the page is asked for
// again, and lost tells that nobody knows what became of the input.
func (v *userAgent) post(ctx context.Context, fields ...string) (lost bool, err error) {
	form := url.Values{}
	for _, field := range hiddenField.FindAllStringSubmatch(v.page, -1) {
		form.Set(field[1], html.UnescapeString(field[2]))
	}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	err = v.send(ctx, http.MethodPost, v.at, form)
	if errors.Is(err, errAway) {
		return true, v.reload(ctx)
	}
	return false, err
}

// to goes on until the page asks for what is wanted, or the person is back at the
// application.
func (v *userAgent) to(ctx context.Context, want string) error {
	if v.page == "" {
		if err := v.reload(ctx); err != nil {
			return err
		}
	}
	for end := time.Now().Add(2 * maxWait); time.Now().Before(end); {
		step := v.step()
		if v.code != "" || step == want {
			return nil
		}
		var lost bool
		var err error
		switch step {
		case "identify":
			lost, err = v.post(ctx, "username", v.name)
		case "password":
			lost, err = v.post(ctx, "password", everybodysPassword, "do", "continue")
			if err == nil && v.status == http.StatusUnprocessableEntity {
				return fmt.Errorf("%s: the right password was refused at %s", v.name, v.at)
			}
		case "choose":
			lost, err = v.post(ctx, "method", "passcode", "do", "continue")
		case "enrol offer":
			lost, err = v.post(ctx, "do", "enrol")
		case "enrol platform":
			lost, err = v.post(ctx, "platform", "linux", "do", "continue")
		case "enrol scan":
			lost, err = v.post(ctx, "do", "continue")
		case "ended":
			if v.at != "" {
				return fmt.Errorf("%s: on the way to %q the journey at %s ended: %s", v.name, want, v.at, v.heading())
			}
			// The request was used up and the answer lost: they begin again at the application.
			lost, err = true, v.reload(ctx)
		default:
			return fmt.Errorf("%s: on the way to %q the page at %q says %q: %d %s", v.name, want, v.at, step, v.status, v.heading())
		}
		if err != nil {
			return err
		}
		if lost {
			time.Sleep(100 * time.Millisecond)
		}
	}
	return fmt.Errorf("%s: never came to %q, but to %q", v.name, want, v.step())
}

// confirm types a passcode that was never typed before until it is known what
// became of it. It reports whether the person is back at the application.
func (v *userAgent) confirm(ctx context.Context, code string) (bool, error) {
	began, lostOnce := time.Now(), false
	for {
		lost, err := v.post(ctx, "passcode", code, "do", "continue")
		if err != nil {
			return false, err
		}
		lostOnce = lostOnce || lost
		switch {
		case v.code != "":
			return true, nil
		case v.step() == "ended" && lostOnce:
			return false, nil // it had passed; the answer is lost, and the application asks anew
		case v.step() != "passcode":
			return false, fmt.Errorf("%s: after the passcode the page says %q", v.name, v.step())
		case time.Since(began) > 25*time.Second:
			return false, nil // no longer fresh
		case lost: // not taken: once more
			time.Sleep(100 * time.Millisecond)
		case lostOnce:
			return false, fmt.Errorf("%s: the passcode was used up in %s, which did not go on", v.name, v.journey())
		default:
			return false, fmt.Errorf("%s: a fresh passcode was refused in %s", v.name, v.journey())
		}
	}
}

// logInAgainAndAgain logs in whoever can, until stop.
func (w *faultServer) logInAgainAndAgain(stop <-chan struct{}) {
	ctx := w.t.Context()
	params := otp.Params{Digits: 6, Period: 30}
	for {
		select {
		case <-stop:
			return
		default:
		}
		o := w.takeTokenUser(otp.Step(params, time.Now()))
		if o == nil {
			time.Sleep(50 * time.Millisecond) // all have used the passcode of these 30 seconds
			continue
		}
		w.history.note(w.logIn(ctx, o, params))
		w.returnTokenUser(o)
	}
}

func (w *faultServer) logIn(ctx context.Context, o *tokenUser, params otp.Params) error {
	v := w.newUserAgent(o.name)
	if err := v.to(ctx, "passcode"); err != nil {
		return err
	}
	o.step = otp.Step(params, time.Now())
	code := otp.HOTP(o.seed, params, o.step)
	w.history.tried(o.name, code, v.journey())
	if rand.N(4) == 0 {
		return w.race(ctx, v, o, code)
	}
	done, err := v.confirm(ctx, code)
	if err != nil || !done {
		return err
	}
	w.history.loggedIn(v.journey(), o.name, code)
	return v.redeem(ctx)
}

// race types the same passcode in two browsers at the same moment.
func (w *faultServer) race(ctx context.Context, v *userAgent, o *tokenUser, code string) error {
	other := w.newUserAgent(o.name)
	if err := other.to(ctx, "passcode"); err != nil {
		return err
	}
	w.history.tried(o.name, code, other.journey())
	var wg sync.WaitGroup
	for _, v := range []*userAgent{v, other} {
		wg.Go(func() { _, _ = v.post(ctx, "passcode", code, "do", "continue") }) // what it came to, the code tells
	}
	wg.Wait()
	arrived := 0
	for _, v := range []*userAgent{v, other} {
		if v.code != "" {
			arrived++
			w.history.loggedIn(v.journey(), o.name, code)
		}
	}
	if arrived > 1 {
		return fmt.Errorf("%s: one passcode let two browsers in", o.name)
	}
	return nil
}

// enrollAgainAndAgain enrols newcomers, until stop or until there is nobody left.
func (w *faultServer) enrollAgainAndAgain(stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		name, ok := w.takeNewcomer()
		if !ok {
			return
		}
		w.history.note(w.enroll(w.t.Context(), name))
	}
}

// enrol goes the whole way of somebody without an authenticator.
func (w *faultServer) enroll(ctx context.Context, name string) error {
	v := w.newUserAgent(name)
	if err := v.to(ctx, "enrol code"); err != nil {
		return err
	}
	return v.enrollFromCode(ctx)
}

// enrollFromCode goes on from the page that asks for the mailed code.
func (v *userAgent) enrollFromCode(ctx context.Context) error {
	w, name := v.w, v.name
	for tries := 0; v.step() == "enrol code"; tries++ {
		code, err := w.smtp.code(ctx, name+"@example.org")
		if err != nil {
			return err
		}
		lost, err := v.post(ctx, "code", code, "do", "continue")
		if err != nil {
			return err
		}
		if v.step() == "enrol code" && !lost && tries > 0 {
			return fmt.Errorf("%s: the mailed code was refused in %s", name, v.journey())
		}
	}
	if err := v.to(ctx, "enrol scan"); err != nil {
		return err
	}
	app := &phone.Phone{Dir: filepath.Join(w.dir, "phones", name)}
	account, err := v.activate(ctx, app)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	w.history.enrolled(account.Serial)
	if err := v.to(ctx, "passcode"); err != nil {
		return err
	}
	code, err := app.Passcode(ctx, account.ID)
	if err != nil {
		return err
	}
	w.history.tried(name, code.Code, v.journey())
	done, err := v.confirm(ctx, code.Code)
	if err != nil || !done {
		return err
	}
	w.history.loggedIn(v.journey(), name, code.Code)
	return v.redeem(ctx)
}

var shortCode = regexp.MustCompile(`id="short-code"[^>]*>([^<]+)<`)

// activate types the short code into an app, as often as it takes.
func (v *userAgent) activate(ctx context.Context, app *phone.Phone) (account phone.Account, err error) {
	found := shortCode.FindStringSubmatch(v.page)
	if found == nil {
		return account, fmt.Errorf("no short code on the page at %s", v.at)
	}
	err = retryWhileAway(ctx, func() error {
		account, err = app.Activate(ctx, phone.Activation{Base: v.w.Base, Code: found[1], Name: "Terminal"})
		refusal, refused := errors.AsType[*phone.Refusal](err)
		switch {
		case err == nil:
			return nil
		case refused && refusal.Status != http.StatusServiceUnavailable:
			return fmt.Errorf("activation: %w", err)
		}
		return fmt.Errorf("%w: %w", errAway, err)
	})
	return account, err
}

// redeem is the application's part: the code for tokens, some codes twice, some
// refresh tokens for others.
func (v *userAgent) redeem(ctx context.Context) error {
	form := url.Values{"grant_type": {"authorization_code"}, "code": {v.code}, "redirect_uri": {callback}, "code_verifier": {verifier}}
	refresh, status, err := v.w.token(ctx, form)
	if err != nil || status != http.StatusOK {
		return err // lost on the way: a second try counts as the code's reuse, so nobody makes one
	}
	v.w.history.count("codes redeemed")
	if rand.N(4) == 0 {
		again, status, err := v.w.token(ctx, form)
		if err == nil && (status == http.StatusOK || again != "") {
			return fmt.Errorf("%s: a code was redeemed twice", v.name)
		}
		return err
	}
	form = url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}}
	if next, status, err := v.w.token(ctx, form); err == nil && status == http.StatusOK {
		v.w.history.refreshed(refresh, next)
	}
	return nil
}

// token asks the token endpoint once. A status of 0 means that the answer was
// lost.
func (w *faultServer) token(ctx context.Context, form url.Values) (refresh string, status int, err error) {
	form.Set("client_id", w.client)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.Base+"/t/default/oauth/token", strings.NewReader(form.Encode()))
	if err != nil {
		return "", 0, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := http.DefaultClient.Do(req)
	if err := away(res, err); err != nil {
		if res != nil {
			res.Body.Close()
		}
		return "", 0, nil
	}
	defer res.Body.Close()
	var tokens struct {
		Refresh string `json:"refresh_token"`
		Error   string `json:"error"`
	}
	if err := json.NewDecoder(res.Body).Decode(&tokens); err != nil {
		return "", 0, nil //nolint:nilerr // cut off in the middle: lost
	}
	if res.StatusCode != http.StatusOK && tokens.Error != "invalid_grant" {
		return "", res.StatusCode, fmt.Errorf("token endpoint: %s, %s", res.Status, tokens.Error)
	}
	return tokens.Refresh, res.StatusCode, nil
}
