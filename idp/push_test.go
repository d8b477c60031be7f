package idp_test

import (
	"context"
	"html"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/push"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// able makes the user's app one of a version that can do these checks.
func (s *site) able(app string, checks ...policy.Presence) {
	s.t.Helper()
	var can []string
	for _, p := range checks {
		can = append(can, p.Capability())
	}
	s.Do(s.t, func(tx *store.Tx) error {
		return tx.Authenticators().SetApp(s.t.Context(), s.Tenant.ID, s.token.ID, app, can)
	})
}

// check sets the tenant's push policy.
func (s *site) check(presence policy.Presence, change ...func(*policy.Push)) {
	s.t.Helper()
	p := policy.DefaultPush()
	p.Presence = presence
	for _, c := range change {
		c(&p)
	}
	s.set(p)
}

// answer answers the request that waits.
func (s *site) answer(change func(*push.Answer)) error {
	return s.DB.InTx(s.t.Context(), identity.Principal{Tenant: s.Tenant.ID, Kind: identity.AuthenticatorApp}, func(tx *store.Tx) error {
		p, err := push.Pending(s.t.Context(), tx.Reader, s.Tenant.ID, s.User.ID)
		if err != nil {
			return err
		}
		a := push.Answer{Request: p.ID, Nonce: p.Nonce, Decision: push.Approve,
			Passcode: func() (push.Verdict, store.Passcode, error) { return push.PasscodeRight, store.Passcode{}, nil }}
		change(&a)
		_, err = push.TakeAnswer(s.t.Context(), tx, s.token, a)
		return err
	})
}

// again waits until another request may be sent, and sends one by the page's
// button.
func (v *userAgent) again() *userAgent {
	v.t.Helper()
	v.Clock.Advance(15 * time.Second)
	return v.send("do", "again")
}

var (
	tags    = regexp.MustCompile(`<[^>]*>`)
	buttons = regexp.MustCompile(`<button[^>]* name="(?:do|method)" value="([a-z]+)"`)
)

// heading is what the page says first.
func (v *userAgent) heading() string {
	_, rest, _ := strings.Cut(v.page, "<h1>")
	heading, _, _ := strings.Cut(rest, "</h1>")
	return html.UnescapeString(tags.ReplaceAllString(heading, ""))
}

// does lists what the page's buttons do.
func (v *userAgent) does() (does []string) {
	for _, b := range buttons.FindAllStringSubmatch(v.page, -1) {
		does = append(does, b[1])
	}
	return does
}

// Every way a push ends but by approval has its own page, which says what can be
// done now, and an end that allows no other request has no button for one.
func TestJRN11_EveryEndHasItsOwnPage(t *testing.T) {
	wrong := func(a *push.Answer) { a.Number = "00" }
	for _, tt := range []struct {
		name    string
		end     func(s *site, v *userAgent)
		heading string
		says    string
		does    []string
	}{
		{"a mistake", func(s *site, v *userAgent) { s.answers(func(a *push.Answer) { a.Decision = push.DenyMistake }) },
			"You declined it", "", []string{"again", "passcode", "back", "cancel"}},
		{"not me", func(s *site, v *userAgent) { s.answers(func(a *push.Answer) { a.Decision = push.DenyNotMe }) },
			"This sign‑in was rejected in the authenticator", "this attempt to sign in is over", []string{"cancel"}},
		{"a wrong number", func(s *site, v *userAgent) { s.answers(wrong) },
			"The number was not right", "one try only", []string{"again", "passcode", "back", "cancel"}},
		{"nobody answered", func(s *site, v *userAgent) { s.Clock.Advance(time.Minute) },
			"The request ran out of time", "No answer to it counts any more", []string{"again", "passcode", "back", "cancel"}},
		{"another tab began a newer one", func(s *site, v *userAgent) {
			s.Clock.Advance(15 * time.Second)
			other := &userAgent{site: s, http: v.http}
			other.toChoice().send("method", "push").sees(`class="number"`)
		}, "A newer request took this one’s place", "It was sent at", []string{"again", "passcode", "back", "cancel"}},
		{"a clock that is off", func(s *site, v *userAgent) {
			s.answers(func(a *push.Answer) {
				a.Number = shown.FindStringSubmatch(v.page)[1]
				a.Passcode = func() (push.Verdict, store.Passcode, error) {
					return push.PasscodeTooFar, store.Passcode{Step: s.Clock.Now().Unix()/30 + 8}, nil
				}
			})
		}, "The clock of your authenticator is off", "enter the next passcode by hand", []string{"continue", "push", "cancel"}},
		{"push taken away after the approval", func(s *site, v *userAgent) {
			s.answers(func(a *push.Answer) { a.Number = shown.FindStringSubmatch(v.page)[1] })
			s.Do(s.t, func(tx *store.Tx) error { return authenticator.SetPush(s.t.Context(), tx, s.token, false) })
		}, "The approval no longer counted", "push was switched off", []string{"passcode", "back", "cancel"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t, storetest.SQLite(t))
			v := s.userAgent().toChoice().send("method", "push").sees(`class="number"`)
			tt.end(s, v)
			v.send()
			if got := v.heading(); got != tt.heading {
				t.Errorf("heading %q, want %q", got, tt.heading)
			}
			if got := v.does(); !slices.Equal(got, tt.does) {
				t.Errorf("buttons %q, want %q", got, tt.does)
			}
			if !strings.Contains(v.page, tt.says) {
				t.Errorf("does not say %q:\n%s", tt.says, v.page)
			}
		})
	}
}

// A request that one too many ended was not superseded by a newer one, which was not
// sent: its page says that push is paused, and until when.
//
// Tried without the case of a lock in pushEnded: it said that a newer request was sent.
func TestPUSH9_TheOtherTabOfALock(t *testing.T) {
	s := newSite(t, storetest.SQLite(t))
	s.check(policy.Enter, func(p *policy.Push) { p.Limit = 1 })
	v := s.userAgent().toChoice().send("method", "push").sees(`class="number"`)
	s.Clock.Advance(15 * time.Second)
	other := &userAgent{site: s, http: v.http}
	other.toChoice().send("method", "push").sees("Push is paused for now")
	v.send().sees("Push is back at")
	if got, want := v.heading(), "Push is paused for now"; got != want {
		t.Errorf("heading %q, want %q", got, want)
	}
}

// answers answers the request that waits, which must work.
func (s *site) answers(change func(*push.Answer)) {
	s.t.Helper()
	if err := s.answer(change); err != nil {
		s.t.Fatal(err)
	}
}

// Three requests in a journey: the page says that it was the last, and a form
// sent by hand gets no fourth.
func TestPUSH9_ThreeInAJourney(t *testing.T) {
	s := newSite(t, storetest.SQLite(t))
	v := s.userAgent().toChoice().send("method", "push")
	v.again().sees(`value="again"`)
	v.again().sees("No further request can be sent in this sign‑in.")
	if slices.Contains(v.does(), "again") {
		t.Error("a fourth is offered")
	}
	v.again().sees("No more pushes can be sent in this sign‑in")
	s.Clock.Advance(time.Minute)
	v.open(v.at).sees("The request ran out of time").sees("No further request can be sent")
	v.send("do", "back").sees("No more can be sent in this sign‑in").sees(`<div class="choice off">`)
}

// After *it wasn't me* the page leads out to the application and nowhere else, and
// tells nothing about what protects the account. (Without Rejected in Next the page
// offered a passcode.)
func TestPUSH14_ThePageOfARejectionTellsNothing(t *testing.T) {
	s := newSite(t, storetest.SQLite(t))
	v := s.userAgent().toChoice().send("method", "push").sees(`class="number"`)
	s.answers(func(a *push.Answer) { a.Decision = push.DenyNotMe })
	v.send().sees("this attempt to sign in is over")
	if got, want := v.does(), []string{"cancel"}; !slices.Equal(got, want) {
		t.Errorf("buttons %q, want %q", got, want)
	}
	for _, word := range []string{"passcode", "number", "record", "24 hours", "for a day", "password", "lock", "request"} {
		if text := tags.ReplaceAllString(v.page, " "); strings.Contains(text, word) {
			t.Errorf("the page says %q:\n%s", word, text)
		}
	}
	for _, way := range []string{"again", "back", "passcode", "push"} {
		s.Clock.Advance(15 * time.Second)
		if v.send("do", way); v.heading() != "This sign‑in was rejected in the authenticator" {
			t.Errorf("after %s: %s", way, v.heading())
		}
	}
	v.send("do", "cancel")
	if v.heading() == "This sign‑in was rejected in the authenticator" {
		t.Error("there is no way out")
	}
}

// PUSH-9, PUSH-9a: a push too many, with passcodes and without.
func TestPUSH9_ThePageOfTheLock(t *testing.T) {
	for _, tt := range []struct {
		name    string
		codes   bool
		heading string
		then    string
	}{
		{"passcodes allowed", true, "Push is paused for now", "Push is back at"},
		{"passcodes refused", false, "Push is paused for now", "You can try again at"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t, storetest.SQLite(t))
			s.check(policy.Enter, func(p *policy.Push) { p.Limit, p.CodesAllowed = 1, tt.codes })
			v := s.userAgent().toChoice().send("method", "push").sees(`class="number"`)
			v.again().sees(tt.then).sees(`<time datetime="` + s.Clock.Now().Add(time.Hour).UTC().Format(time.RFC3339))
			if got := v.heading(); got != tt.heading {
				t.Errorf("heading %q, want %q", got, tt.heading)
			}
			if got := slices.Contains(v.does(), "passcode"); got != tt.codes {
				t.Errorf("a passcode offered: %v, want %v", got, tt.codes)
			}
			if slices.Contains(v.does(), "again") {
				t.Error("another push is offered")
			}
			if tt.codes { // and on the page of the passcode, which is all there is now
				v.send("method", "passcode").sees(`name="passcode"`).sees("Push is back at")
			}
		})
	}
}

// PUSH-10: while another browser's request waits, a page says so; a passcode goes
// on. Attack 3: the number of one browser is of no use to the other's journey.
// (Without the browser in the look at the open request the page was another.)
func TestPUSH10_ThePageOfAnotherBrowser(t *testing.T) {
	s := newSite(t, storetest.SQLite(t))
	mine := s.userAgent().toChoice().send("method", "push").sees(`class="number"`)
	s.Clock.Advance(15 * time.Second)
	theirs := s.userAgent().toChoice().send("method", "push")
	if got, want := theirs.heading(), "Another request is still waiting"; got != want {
		t.Errorf("heading %q, want %q", got, want)
	}
	if strings.Contains(theirs.page, `class="number"`) {
		t.Error("the other browser shows a number")
	}
	s.answers(func(a *push.Answer) { a.Number = shown.FindStringSubmatch(mine.page)[1] })
	theirs.send() // does not claim it
	if strings.Contains(theirs.page, "signed in as") {
		t.Fatal("the approval of one browser let in another")
	}
	theirs.send("method", "passcode").sees(`name="passcode"`)
	mine.send().sees("signed in as " + s.User.ID)
}

// PUSH-22: who has an app too old for the check is told which, what it needs, and
// how; a passcode is asked only where one is allowed, and once the app has been
// updated the journey goes on.
func TestPUSH22_ThePageOfAnAppTooOld(t *testing.T) {
	for _, codes := range []bool{true, false} {
		s := newSite(t, storetest.SQLite(t))
		s.check(policy.Pick, func(p *policy.Push) { p.CodesAllowed = codes })
		s.able("latchkey-web/1.0.0", policy.NoPresence, policy.Enter)
		v := s.userAgent().open("/t/demo/login").send("username", "berit.lie").send("password", password)
		v.sees("A push needs a newer authenticator").sees("Pixel 9").sees("latchkey-web 1.0.0").sees("<bdi>1.1.0</bdi>")
		if got := strings.Contains(v.page, `name="passcode"`); got != codes {
			t.Errorf("passcodes allowed %v, asked %v", codes, got)
		}
		s.able("latchkey-web/1.1.0", policy.NoPresence, policy.Enter, policy.Pick)
		if !codes {
			v.send().sees(`name="method"`)
		}
	}
}

// PUSH-22: an app that turns out to be too old while its request is open: the page that
// waits says so, and what else there is, and once it was updated the request goes on.
func TestPUSH22_ThePageOfAnOldAppThatWasAsked(t *testing.T) {
	s := newSite(t, storetest.SQLite(t))
	s.check(policy.Enter, func(*policy.Push) {})
	v := s.userAgent().toChoice().send("method", "push").sees(`class="number"`)
	s.able("latchkey-web/1.0.0", policy.NoPresence)
	if v.news() != http.StatusOK {
		t.Error("the page is not told that there is news")
	}
	v.send().sees("Your app is too old for this request").sees("Pixel 9").sees("latchkey-web 1.0.0")
	if got, want := v.does(), []string{"passcode", "back", "cancel"}; !slices.Equal(got, want) {
		t.Errorf("buttons %q, want %q", got, want)
	}
	s.able("latchkey-web/1.1.0", policy.NoPresence, policy.Enter)
	v.open(v.at).sees(`class="number"`)
}

// Attack 4: two tabs at one journey. A tab that shows an older number is told that
// there is a newer one; one of them claims the approval, and the other shows that
// it is done and answers the application nothing. Without Journey.Pushes in what a
// stream is asked, the first tab would wait with its old number for ever.
func TestPUSH10_TwoTabsAtOneJourney(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		s := newSite(t, h)
		first := s.userAgent().toChoice().send("method", "push")
		second := &userAgent{site: s, http: first.http}
		second.open(first.at).sees(shown.FindStringSubmatch(first.page)[0])
		second.again()
		if first.news() != http.StatusOK || second.news() != http.StatusNoContent {
			t.Errorf("the old number's tab is told %d, the new one's %d; want 200, 204", first.news(), second.news())
		}
		before := shown.FindStringSubmatch(first.page)[1]
		first.send() // what its script does
		number := shown.FindStringSubmatch(first.page)[1]
		if number == before || number != shown.FindStringSubmatch(second.page)[1] {
			t.Errorf("the first tab shows %s, showed %s", number, before)
		}
		if err := s.approve(t.Context(), number); err != nil {
			t.Fatal(err)
		}
		second.send().sees("signed in as " + h.User.ID)
		at := first.at
		if first.send(); first.code != http.StatusGone || first.heading() != "You are signed in" {
			t.Errorf("the other tab: %d, %q", first.code, first.heading())
		}
		if first.open(at); first.code != http.StatusGone {
			t.Errorf("and once more: %d, want 410", first.code)
		}
	})
}

var streamed = regexp.MustCompile(`data-stream="([^"]*)"`)

// news asks the page's stream once whether there is something new.
func (v *userAgent) news() int {
	v.t.Helper()
	res, err := v.http.Get(v.url + html.UnescapeString(streamed.FindStringSubmatch(v.page)[1]))
	if err != nil {
		v.t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}

// Attack 16: forms sent by hand for what a page does not offer. Each does nothing
// but show the page again: no push, no passcode, no claim, no login. (Without
// Facts.Codes in journey.Next the passcode was asked where codes are refused.)
func TestPUSH16_FormsForWhatIsNotOffered(t *testing.T) {
	pushes := func(s *site, v *userAgent) int64 {
		s.t.Helper()
		j, err := s.DB.Journeys().Get(s.t.Context(), s.Tenant.ID, v.at[strings.LastIndex(v.at, "/")+1:])
		if err != nil {
			s.t.Fatal(err)
		}
		return j.Pushes
	}
	strict := func(p *policy.Push) { p.CodesAllowed = false }
	off := func(p *policy.Push) { p.Enabled = false }
	for _, tt := range []struct {
		name   string
		change func(*policy.Push)
		form   []string
	}{
		{"a passcode where codes are refused", strict, []string{"method", "passcode"}},
		{"its row", strict, []string{"method", "passcode"}},
		{"a method nobody has", strict, []string{"method", "sms"}},
		{"a push where push is off", off, []string{"do", "push"}},
		{"its row", off, []string{"method", "push"}},
		{"a claim of nothing", strict, []string{"step", "push", "number", "47"}},
		{"a passcode on another step", strict, []string{"step", "passcode", "passcode", "123456"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t, storetest.SQLite(t))
			s.check(policy.Enter, tt.change)
			v := s.userAgent().open("/t/demo/login").send("username", "berit.lie").send("password", password)
			v.send(tt.form...)
			if strings.Contains(v.page, "signed in as") || strings.Contains(v.page, `class="number"`) || pushes(s, v) != 0 {
				t.Errorf("%v sent %d pushes:\n%s", tt.form, pushes(s, v), v.page)
			}
			if slices.Equal(tt.form, []string{"method", "passcode"}) && strings.Contains(v.page, `name="passcode"`) {
				t.Error("asks for a passcode")
			}
		})
	}
}

// Attack 16, on the phone's side of it: a number that only looks like the one
// shown ends the request, and is no login. (With all but its last two characters
// cut off, a space and a zero before it logged in.)
func TestPUSH17_NumbersThatOnlyLookAlike(t *testing.T) {
	wide := func(n string) string {
		return strings.Map(func(r rune) rune { return r - '0' + '０' }, n)
	}
	for name, written := range map[string]func(string) string{
		"a space":     func(n string) string { return " " + n },
		"a zero":      func(n string) string { return "0" + n },
		"wide digits": wide,
		"none":        func(string) string { return "" },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, storetest.SQLite(t))
			v := s.userAgent().toChoice().send("method", "push")
			s.answers(func(a *push.Answer) { a.Number = written(shown.FindStringSubmatch(v.page)[1]) })
			if v.send(); v.heading() != "The number was not right" {
				t.Errorf("heading %q", v.heading())
			}
		})
	}
}

// What the page shows of each check: how to give the number, and the number so
// that it can be read.
func TestPUSH18_WhatTheBrowserShows(t *testing.T) {
	for _, tt := range []struct {
		presence policy.Presence
		says     string
		number   string // as a pattern
	}{
		{policy.NoPresence, "approve it", ``},
		{policy.Enter, "and enter", `^[1-9]\d$`},
		{policy.Pick, "and pick", `^[1-9]\d\d$`},
		{policy.SixDigits, "and enter", "^[1-9]\\d\\d\u00a0\\d\\d\\d$"},
	} {
		t.Run(string(tt.presence), func(t *testing.T) {
			s := newSite(t, storetest.SQLite(t))
			s.check(tt.presence)
			s.able("latchkey-web/1.1.0", policy.NoPresence, policy.Enter, policy.Pick, policy.SixDigits)
			v := s.userAgent().toChoice().send("method", "push").sees(tt.says)
			number := regexp.MustCompile(`class="number[^>]*>([^<]*)<`).FindStringSubmatch(v.page)
			if (number != nil) != (tt.number != "") {
				t.Fatalf("number %q", number)
			}
			if number == nil {
				return
			}
			if !regexp.MustCompile(tt.number).MatchString(number[1]) {
				t.Errorf("shows %q, want %s", number[1], tt.number)
			}
			v.sees("<bdi>" + number[1] + "</bdi>") // in the sentence, too
			var options []string
			err := s.DB.InTx(t.Context(), s.Who, func(tx *store.Tx) error {
				p, err := push.Pending(t.Context(), tx.Reader, s.Tenant.ID, s.User.ID)
				if err == nil {
					options, err = tx.Push().Options(t.Context(), s.Tenant.ID, p.ID)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range options {
				if o != number[1] && strings.Contains(v.page, o) {
					t.Errorf("the browser shows the decoy %s", o)
				}
			}
		})
	}
}

// On a phone the page leads to the authenticator beside it; on a computer that
// runs none of the user's it does not.
func TestJRN11_OpenTheAppHere(t *testing.T) {
	s := newSite(t, storetest.SQLite(t))
	for agent, want := range map[string]bool{
		"Mozilla/5.0 (Linux; Android 16; Pixel 9) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36": true,
		"Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Safari/604.1":      true,
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36":       false,
	} {
		v := s.userAgent()
		v.http.Transport = agentTransport(agent)
		v.toChoice().send("method", "push").sees(`class="number"`)
		if got := strings.Contains(v.page, `href="`+s.url+`/authenticator/"`); got != want {
			t.Errorf("%s: a link to the authenticator %v, want %v", agent, got, want)
		}
		v.sees("Open your authenticator: the request is in it")
		v.send("do", "cancel")
		s.Clock.Advance(15 * time.Second)
	}
}

// An agentTransport is a browser of this name.
type agentTransport string

func (a agentTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(context.WithoutCancel(r.Context()))
	r.Header.Set("User-Agent", string(a))
	return http.DefaultTransport.RoundTrip(r)
}
