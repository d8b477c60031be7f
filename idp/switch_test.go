package idp_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// asks sets what everybody must prove.
func (s *site) asks(what ...identity.Validation) {
	s.t.Helper()
	s.set(policy.Access{Rules: []policy.Rule{{Name: "everyone", Require: what}}})
}

// cookies are the userAgent's, by name.
func (v *userAgent) cookies() map[string]string {
	v.t.Helper()
	at, err := url.Parse(v.url + "/t/demo/login")
	if err != nil {
		v.t.Fatal(err)
	}
	all := map[string]string{}
	for _, c := range v.http.Jar.Cookies(at) {
		all[c.Name] = c.Value
	}
	return all
}

// with reports whether a browser that holds these cookies is signed in.
func (s *site) with(cookies map[string]string) bool {
	s.t.Helper()
	v := s.userAgent()
	v.plant(cookies)
	return v.open("/t/demo/me").code == http.StatusOK
}

// plant sets cookies as somebody might who may set some for this host.
func (v *userAgent) plant(cookies map[string]string) {
	v.t.Helper()
	at, err := url.Parse(v.url)
	if err != nil {
		v.t.Fatal(err)
	}
	var all []*http.Cookie
	for name, value := range cookies {
		all = append(all, &http.Cookie{Name: name, Value: value, Path: "/"})
	}
	v.http.Jar.SetCookies(at, all)
}

// A session's secret is new whenever more was proved; the one before is dead
// from then on, one that was planted never comes to life, and the browser's own
// cookie, which stays, grants nothing. (Where what was proved more began another
// session beside the first, it failed.)
func TestTLOG04_ASessionIsNewWithEachPrivilege(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		s := newSite(t, h)
		s.asks(identity.Password)
		v := s.userAgent().open("/t/demo/login")
		before := v.cookies()
		v.send("username", "berit.lie").send("password", password).sees("signed in as")
		first := v.cookies()
		session := ""
		for name, value := range first {
			if before[name] == "" {
				session = name
			} else if before[name] != value {
				t.Errorf("the cookie %s changed", name)
			}
		}
		if session == "" {
			t.Fatalf("no new cookie: %v before, %v after", before, first)
		}
		if s.with(before) {
			t.Error("the browser's cookie alone is a session")
		}

		planted := s.userAgent()
		planted.plant(map[string]string{session: identity.NewSecret()})
		value := planted.cookies()[session]
		planted.open("/t/demo/login").send("username", "berit.lie").send("password", password).sees("signed in as")
		if planted.cookies()[session] == value || s.with(map[string]string{session: value}) {
			t.Error("a planted secret became a session")
		}

		s.asks(identity.Password, identity.SecondFactor)
		v.open("/t/demo/login").sees(`name="method"`).send("method", "passcode").send("passcode", s.passcode()).sees("signed in as")
		if v.cookies()[session] == first[session] {
			t.Error("the secret is the same after the second factor")
		}
		if s.with(first) {
			t.Error("the secret from before the second factor still is a session")
		}
	})
}

// Two tabs of one browser sign two people in: each journey goes on as whom it
// began with, and what is signed in afterwards is the one who came last, alone.
// (Without EndSession in succeed it failed.)
func TestTLOG06_TwoTabsAreTwoPeople(t *testing.T) {
	s := newSite(t, storetest.SQLite(t))
	s.asks(identity.Password)
	other := s.neighbour()
	v := s.userAgent()
	tab := func() *userAgent { return &userAgent{site: s, http: v.http} }
	one, two := tab().open("/t/demo/login"), tab().open("/t/demo/login")
	one.send("username", "berit.lie")
	two.send("username", other.Name)
	stale := two.fill("password", "anna's long password")
	one.open(one.at).send("password", password).sees("signed in as " + s.User.ID)
	first := v.cookies()
	two.read(two.http.PostForm(two.at, stale)).sees("signed in as " + other.ID)
	if s.with(first) {
		t.Error("the first person's session outlived the second's in the same browser")
	}
	if two.read(two.http.PostForm(one.at, stale)); two.code == http.StatusInternalServerError {
		t.Errorf("a form at where another tab ended: %d", two.code)
	}
	v.open("/t/demo/me").sees("signed in as " + other.ID)
}

// neighbour is one more user, with a password and no authenticator.
func (s *site) neighbour() identity.User {
	s.t.Helper()
	u, err := directory.New(s.DB, 2).AddUser(s.t.Context(), s.Who, s.Tenant.ID,
		directory.NewUser{Name: "anna", Mail: "anna@example.org", Password: "anna's long password"})
	if err != nil {
		s.t.Fatal(err)
	}
	return u
}

// Nobody gets in by two people's halves: a passcode of one is wrong after the
// password of the other, and a password proved for one name is asked again for
// the next. (With forget leaving Passed alone the latter failed.)
func TestTLOG07_TwoPeoplesFactorsAreNobodys(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		s := newSite(t, h)
		berit := s.User
		s.User = s.neighbour()
		theirs := h.Authenticator(t, "Anna's phone")
		s.User = berit

		v := s.userAgent().toChoice().send("method", "passcode")
		v.send("passcode", otp.TOTP(theirs.Seed, otp.Params{}, s.Clock.Now())).sees(`name="passcode"`).sees("alert")
		v.send("do", "back").send("do", "back").sees(`name="username"`)
		v.send("username", "anna").sees(`name="password"`)
		v.send("passcode", otp.TOTP(theirs.Seed, otp.Params{}, s.Clock.Now())).sees(`name="password"`)
	})
}
