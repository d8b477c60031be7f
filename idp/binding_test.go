package idp_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
	"github.com/latchkey-id/latchkey/internal/web"
)

const (
	ofJourney = "latchkey_journey_demo_"
	ofBrowser = "latchkey_browser_demo"
)

// bindings are the userAgent's cookies that bind journeys, by name.
func (v *userAgent) bindings() map[string]string {
	v.t.Helper()
	all := v.cookies()
	maps.DeleteFunc(all, func(name, _ string) bool { return !strings.HasPrefix(name, ofJourney) })
	return all
}

// tab is another tab of the same browser.
func (v *userAgent) tab() *userAgent { return &userAgent{site: v.site, http: v.http} }

// Two tabs of a browser without cookies begin at once: both requests leave before
// either answer sets a cookie, and of the browser cookie the later answer's stays.
// Both go on, whichever is answered first, and the browser is signed in. (With
// journeys bound by the browser cookie the first answered got 403. With its
// failures and session where it began, and not where it named its user, the first
// to finish was not signed in.)
func TestJRN4_TwoSignInsBegunAtOnceBothGoOn(t *testing.T) {
	for name, first := range map[string]int{"in the order of their answers": 0, "in the other order": 1} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, storetest.SQLite(t))
			s.asks(identity.Password)
			browser := s.userAgent()
			var tabs []*userAgent
			var cookies []map[string]string
			for range 2 { // each as if no answer had come yet
				alone := s.userAgent().open("/t/demo/login")
				tab := browser.tab()
				tab.at = alone.at
				tabs, cookies = append(tabs, tab), append(cookies, alone.cookies())
			}
			if cookies[0][ofBrowser] == "" || cookies[0][ofBrowser] == cookies[1][ofBrowser] {
				t.Fatalf("the answers set %v", cookies)
			}
			browser.plant(cookies[0])
			browser.plant(cookies[1])
			for _, tab := range tabs {
				if tab.open(tab.at); tab.code != http.StatusOK {
					t.Fatalf("a tab got %d", tab.code)
				}
			}
			tabs[first].send("username", "berit.lie").send("password", password).sees("signed in as " + s.User.ID)
			tabs[1-first].send("username", "berit.lie").sees("signed in as " + s.User.ID) // by the session that the other led to
			if left := browser.bindings(); len(left) != 0 {
				t.Errorf("bindings left: %v", left)
			}
		})
	}
}

// signedBinding is a cookie of a journey's name that we signed, of a secret that
// is not the journey's.
func (s *site) signedBinding(id string) string {
	s.t.Helper()
	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)
	if err := web.NewSessions(s.DB.CookieKeys(), false).Bind(w, r, s.Tenant, id, identity.NewSecret()); err != nil {
		s.t.Fatal(err)
	}
	return w.Result().Cookies()[0].Value
}

// The cookie of the browser opens no journey, nor does the binding of another one,
// under its own name or under this one's. (With the browser cookie checked, and
// with any journey's secret taken, it failed.)
func TestJRN4_TheBindingAloneOpensAJourney(t *testing.T) {
	s := newSite(t, storetest.SQLite(t))
	mine := s.userAgent().toChoice()
	id := mine.at[strings.LastIndex(mine.at, "/")+1:]
	held := mine.cookies()
	if held[ofJourney+id] == "" || len(mine.bindings()) != 1 {
		t.Fatalf("the browser holds %v", held)
	}
	other := s.userAgent().open("/t/demo/login").bindings()
	var otherValue string
	for _, otherValue = range other {
	}
	for name, cookies := range map[string]map[string]string{
		"the browser's":                      {ofBrowser: held[ofBrowser]},
		"another journey's":                  other,
		"another journey's, under this name": {ofJourney + id: otherValue},
		"another secret's, signed by us":     {ofJourney + id: s.signedBinding(id)},
		"a secret that nobody signed":        {ofJourney + id: "1764000000000." + identity.NewSecret()},
	} {
		theirs := s.userAgent()
		theirs.plant(cookies)
		if theirs.open(mine.at); theirs.code != http.StatusForbidden {
			t.Errorf("%s cookie: %d, want 403", name, theirs.code)
		}
		if theirs.read(theirs.http.PostForm(mine.at, mine.fill("method", "push"))); theirs.code != http.StatusForbidden {
			t.Errorf("posting with %s cookie: %d, want 403", name, theirs.code)
		}
		if theirs.open(mine.at + "/events"); theirs.code != http.StatusForbidden {
			t.Errorf("the stream with %s cookie: %d, want 403", name, theirs.code)
		}
	}
	theirs := s.userAgent()
	theirs.plant(mine.bindings())
	if theirs.open(mine.at); theirs.code != http.StatusOK {
		t.Errorf("with its binding alone a journey opens with %d, want 200", theirs.code)
	}
}

// A journey that ends takes its binding along, however it ends.
func TestJRN4_AnEndedJourneyLeavesNoBinding(t *testing.T) {
	for name, end := range map[string]func(v *userAgent){
		"succeeded": func(v *userAgent) { v.send("method", "passcode").send("passcode", v.passcode()).sees("signed in as") },
		"cancelled": func(v *userAgent) { v.send("do", "cancel") },
		"ended elsewhere": func(v *userAgent) {
			v.Do(v.t, func(tx *store.Tx) error {
				j, err := tx.Journeys().Get(v.t.Context(), v.Tenant.ID, v.at[strings.LastIndex(v.at, "/")+1:])
				if err != nil {
					return err
				}
				j.EndedAt, j.Outcome = tx.Now(), identity.Failed
				return tx.Journeys().Step(v.t.Context(), j)
			})
			if v.open(v.at); v.code != http.StatusGone {
				v.t.Errorf("its page: %d, want 410", v.code)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, storetest.SQLite(t))
			v := s.userAgent()
			other := v.tab().open("/t/demo/login")
			v.toChoice()
			if len(v.bindings()) != 2 {
				t.Fatalf("bindings: %v", v.bindings())
			}
			if end(v); len(v.bindings()) != 1 {
				t.Errorf("afterwards: %v", v.bindings())
			}
			if other.open(other.at); other.code != http.StatusOK && name != "succeeded" {
				t.Errorf("the other tab's journey opens with %d", other.code)
			}
		})
	}
}

// Of a journey that is over a browser without its binding learns that alone, in
// words that are the same however it ended; the one that is signed in by it learns
// that too. (With the prompt of the journey's own client for everybody, and without
// the look at whose session it is, it failed.)
func TestJRN4_AnEndedJourneyTellsOthersNothing(t *testing.T) {
	const over, signedIn = "It was finished, cancelled or left alone for too long", "You are signed in"
	s := newSite(t, storetest.SQLite(t))
	v := s.userAgent().toChoice()
	address := v.at
	v.send("method", "passcode").send("passcode", s.passcode()).sees("signed in as")
	if v.open(address).sees(signedIn); v.code != http.StatusGone {
		t.Errorf("its own browser got %d", v.code)
	}
	theirs := s.userAgent().open(address).sees(over)
	if theirs.code != http.StatusGone || strings.Contains(theirs.page, signedIn) || strings.Contains(theirs.page, "berit.lie") {
		t.Errorf("another browser got %d\n%s", theirs.code, theirs.page)
	}
	theirs.read(theirs.http.PostForm(address, theirs.fill("method", "push", "language", "de")))
	if theirs.code != http.StatusGone || strings.Contains(theirs.page, "berit.lie") {
		t.Errorf("another browser that posts got %d\n%s", theirs.code, theirs.page)
	}

	invited, secret := s.newcomer(false)
	enrolled := s.userAgent().begin(secret)
	code := enrolled.toCode()
	address = enrolled.at
	if err := s.activate(code); err != nil {
		t.Fatal(err)
	}
	enrolled.send().sees(ready)
	enrolled.open(address).sees(ready) // its end is shown under its binding
	theirs = s.userAgent().open(address).sees(over)
	if theirs.code != http.StatusGone || strings.Contains(theirs.page, invited.Name) || strings.Contains(theirs.page, ready) {
		t.Errorf("of an invitation another browser got %d\n%s", theirs.code, theirs.page)
	}
}
