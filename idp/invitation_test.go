package idp_test

import (
	"context"
	"errors"
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/admin"
	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// newcomer is somebody in the site who has no authenticator, and a link.
func (s *site) newcomer(withPassword bool) (identity.User, string) {
	s.t.Helper()
	n := directory.NewUser{Name: "anna.lie", Mail: "lie@example.org"}
	if withPassword {
		n.Password = password
	}
	u, err := directory.New(s.DB, 1).AddUser(s.t.Context(), s.Who, s.Tenant.ID, n)
	if err != nil {
		s.t.Fatal(err)
	}
	return u, s.invite(u)
}

// invite sends a user a link and returns the secret that the mail has.
func (s *site) invite(u identity.User) string {
	s.t.Helper()
	var args string
	s.Do(s.t, func(tx *store.Tx) error {
		_, why, err := admin.Invite(s.t.Context(), tx, u, 24*time.Hour, s.url+"/t/demo")
		if err != nil || why != "" {
			s.t.Fatalf("invite: %q, %v", why, err)
		}
		mails, err := tx.Outbox().Lease(s.t.Context(), "test", s.Clock.Now(), 100)
		if err == nil {
			args = string(mails[len(mails)-1].Arguments)
		}
		return err
	})
	return regexp.MustCompile(`#i1\.([A-Z2-7]{26})`).FindStringSubmatch(args)[1]
}

// begin brings a secret to the page of the link.
func (v *userAgent) begin(secret string) *userAgent {
	v.t.Helper()
	return v.open("/t/demo/enroll").send("secret", secret, "do", "begin")
}

var shortCode = regexp.MustCompile(`id="short-code"[^>]*>([^<]+)<`)

// toCode goes on to the page with the code for an app.
func (v *userAgent) toCode() string {
	v.t.Helper()
	v.sees(`name="platform"`).send("platform", "linux").sees(`id="short-code"`)
	return html.UnescapeString(shortCode.FindStringSubmatch(v.page)[1])
}

// activate makes an authenticator of a short code.
func (s *site) activate(code string) error {
	s.t.Helper()
	p := phone.Phone{Dir: s.t.TempDir(), Now: s.Clock.Now}
	_, err := p.Activate(s.t.Context(), phone.Activation{Base: s.url, Code: code, Push: true})
	return err
}

func (s *site) events(kind audit.Kind) int {
	s.t.Helper()
	all, err := store.Collect(s.DB.Events().List(s.t.Context(), s.Tenant.ID, store.EventFilter{Kind: kind, Limit: 100}))
	if err != nil {
		s.t.Fatal(err)
	}
	return len(all)
}

func (s *site) authenticators(u identity.User) (active int) {
	s.t.Helper()
	for a, err := range s.DB.Authenticators().OfUser(s.t.Context(), u.Tenant, u.ID) {
		if err != nil {
			s.t.Fatal(err)
		}
		if a.State() == identity.Active {
			active++
		}
	}
	return active
}

const (
	ready    = "Your authenticator is ready"
	used     = "This link was used already"
	unknown  = "We do not know this link"
	revoked  = "This link was withdrawn"
	replaced = "A newer mail was sent to you"
	expired  = "This link is too old"
	has      = "You have an authenticator already"
	refused  = "This cannot be set up now"
	outdated = "This page is out of date"
)

func TestENR19_ALinkEnrollsOnceAndLogsNobodyIn(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		s := newSite(t, h)
		u, secret := s.newcomer(true)
		v := s.userAgent().begin(" " + s.url + "/t/demo/enroll#i1." + secret[:13] + "\n " + secret[13:]) // as a mail program wraps it
		if strings.Contains(v.at, secret) || strings.Contains(v.page, secret) {
			t.Errorf("the secret went on to %s", v.at)
		}
		v.sees(`name="password"`).send("password", "wrong password").sees("is not right").send("password", password)
		code := v.toCode()
		if err := s.activate(code); err != nil {
			t.Fatal(err)
		}
		v.send().sees(ready)
		if v.open(v.at).sees(ready); v.code != http.StatusOK {
			t.Errorf("shown again: %d, want 200", v.code)
		}
		if v.open("/t/demo/me"); !strings.Contains(v.page, "no session") {
			t.Errorf("enrolling by mail logged somebody in: %s", v.page)
		}
		for _, secret := range []string{secret, strings.ToLower(secret)} {
			if w := s.userAgent().begin(secret).sees(used); w.code != http.StatusGone {
				t.Errorf("the used link: %d, want 410", w.code)
			}
		}
		if got := s.authenticators(u); got != 1 {
			t.Errorf("%d authenticators, want 1", got)
		}
		for kind, want := range map[audit.Kind]int{audit.EnrollInvited: 1, audit.EnrollInvitationBegun: 1, audit.EnrollInvitationUsed: 1,
			audit.EnrollFinished: 1, audit.LoginSucceeded: 0} {
			if got := s.events(kind); got != want {
				t.Errorf("%d events %s, want %d", got, kind, want)
			}
		}
		// The login that follows proves all it requires by itself (ENR-4).
		v = s.userAgent().open("/t/demo/login").send("username", "anna.lie").send("password", password)
		if strings.Contains(v.page, "signed in") {
			t.Errorf("the password alone was enough: %s", v.page)
		}
	})
}

// What fetches links to look at them, however often, uses nothing up, and no
// page lets the secret out (T-LOG-19).
func TestTLOG19_FetchingTheLinkChangesNothing(t *testing.T) {
	s := newSite(t, storetest.SQLite(t))
	_, secret := s.newcomer(false)
	before := s.events("")
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodGet} {
		req, err := http.NewRequestWithContext(t.Context(), method, s.url+"/t/demo/enroll", nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusOK || len(res.Cookies()) != 0 || res.Header.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: %s, cookies %v, Referrer-Policy %q", method, res.Status, res.Cookies(), res.Header.Get("Referrer-Policy"))
		}
	}
	if got := s.events(""); got != before {
		t.Errorf("%d events came of it", got-before)
	}
	// Beginning, and giving up, uses nothing up either.
	for range 3 {
		s.userAgent().begin(secret).toCode()
	}
	v := s.userAgent().begin(secret)
	v.send("do", "cancel").sees("You stopped")
	v = s.userAgent().begin(secret)
	if err := s.activate(v.toCode()); err != nil {
		t.Fatal(err)
	}
	v.send().sees(ready)
}

func TestENR19_LinksThatDoNotWorkSayWhy(t *testing.T) {
	for _, tt := range []struct {
		name  string
		spoil func(t *testing.T, s *site, u identity.User, secret string) (try string)
		want  string
		code  int
	}{
		{"guessed", func(_ *testing.T, _ *site, _ identity.User, secret string) string {
			return strings.Map(func(r rune) rune {
				if r == 'A' {
					return 'B'
				}
				return 'A'
			}, secret)
		}, unknown, http.StatusNotFound},
		{"cut short", func(_ *testing.T, _ *site, _ identity.User, secret string) string { return secret[:25] }, unknown, http.StatusNotFound},
		{"nothing", func(*testing.T, *site, identity.User, string) string { return "" }, unknown, http.StatusNotFound},
		{"a hash", func(_ *testing.T, _ *site, _ identity.User, secret string) string { return store.Hash(secret) }, unknown, http.StatusNotFound},
		{"of another tenant", func(t *testing.T, s *site, u identity.User, secret string) string {
			other := identity.Tenant{ID: identity.NewID(identity.TenantID), Slug: "other", Name: "Other"}
			mate := identity.User{Tenant: other.ID, ID: identity.NewID(identity.UserID), Name: "anna.lie", Mail: "lie@example.org"}
			s.Do(t, func(tx *store.Tx) error {
				return errors.Join(tx.Tenants().Add(t.Context(), other), tx.Users().Add(t.Context(), mate), tx.Applications().Add(t.Context(), identity.PortalApplication(other)))
			})
			theirs := s.invite(mate)
			w := s.userAgent().open("/t/other/enroll").send("secret", secret, "do", "begin").sees(unknown)
			if w.code != http.StatusNotFound {
				t.Errorf("ours at the other tenant: %d, want 404", w.code)
			}
			return theirs
		}, unknown, http.StatusNotFound},
		{"revoked", func(t *testing.T, s *site, u identity.User, secret string) string {
			s.revoke(u)
			return secret
		}, revoked, http.StatusGone},
		{"replaced", func(t *testing.T, s *site, u identity.User, secret string) string {
			s.invite(u)
			return secret
		}, replaced, http.StatusGone},
		{"expired", func(t *testing.T, s *site, u identity.User, secret string) string {
			s.Clock.Advance(24 * time.Hour)
			return secret
		}, expired, http.StatusGone},
		{"a disabled user's", func(t *testing.T, s *site, u identity.User, secret string) string {
			s.disable(u)
			return secret
		}, refused, http.StatusOK},
		{"of somebody with an authenticator", func(t *testing.T, s *site, u identity.User, secret string) string {
			s.provision(u)
			return secret
		}, has, http.StatusOK},
		{"where no platform is allowed", func(t *testing.T, s *site, u identity.User, secret string) string {
			s.set(policy.Platforms{})
			return secret
		}, refused, http.StatusOK},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t, storetest.SQLite(t))
			u, secret := s.newcomer(false)
			v := s.userAgent().begin(tt.spoil(t, s, u, secret)).sees(tt.want)
			if v.code != tt.code {
				t.Errorf("status %d, want %d", v.code, tt.code)
			}
			if strings.Contains(v.page, `name="platform"`) {
				t.Errorf("the wizard stands open at %s", v.at)
			}
		})
	}
}

// What ends an invitation ends what was begun by it, up to the last moment: the
// page says so, and the app gets no authenticator.
func TestENR19_EndedInTheMiddle(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(s *site, u identity.User)
		want string
	}{
		{"revoked", func(s *site, u identity.User) { s.revoke(u) }, revoked},
		{"replaced", func(s *site, u identity.User) { s.invite(u) }, replaced},
		{"the user is disabled", func(s *site, u identity.User) { s.disable(u) }, refused},
		{"the user is handed another", func(s *site, u identity.User) { s.provision(u) }, has},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t, storetest.SQLite(t))
			u, secret := s.newcomer(false)
			v := s.userAgent().begin(secret)
			code := v.toCode()
			tt.end(s, u)
			if err := s.activate(code); err == nil {
				t.Error("the app got an authenticator")
			}
			v.send().sees(tt.want)
			for _, do := range []string{"continue", "renew", "back", "again", "passcode", "push"} {
				v.send("do", do, "platform", "linux", "method", "push").sees(tt.want)
			}
			if got := s.events(audit.EnrollInvitationUsed); got != 0 {
				t.Errorf("%d invitations used", got)
			}
		})
	}
}

// A journey begun by a mail cannot be turned into a login, nor its password page
// passed by posting another page's form.
func TestENR19_NoWayAroundTheWizard(t *testing.T) {
	s := newSite(t, storetest.SQLite(t))
	u, secret := s.newcomer(true)
	v := s.userAgent().begin(secret).sees(`name="password"`)
	for _, form := range [][]string{
		{"do", "back"}, {"username", "berit.lie"}, {"do", "push"}, {"method", "passcode"}, {"method", "enrol"},
		{"do", "continue", "step", "enrol platform", "platform", "linux"}, {"do", "renew", "step", "enrol scan"}, {"step", "done"},
		{"do", "enrol", "step", "enrol offer"}, {"step", "passcode", "passcode", s.passcode()},
	} {
		v.send(form...)
		if v.open(v.at); !strings.Contains(v.page, `name="password"`) || !strings.Contains(v.page, u.Name) {
			t.Fatalf("%v led to %s\n%s", form, v.at, v.page)
		}
	}
	v.send("password", password).sees(`name="platform"`)
	for _, form := range [][]string{{"do", "back"}, {"do", "push"}, {"do", "resend"}, {"do", "continue", "step", "done"}} {
		v.send(form...).sees(`name="platform"`)
	}
	if got := s.authenticators(u); got != 0 {
		t.Errorf("%d authenticators", got)
	}
	// Somebody else's browser has no part in it.
	w := s.userAgent()
	if w.open(v.at); w.code != http.StatusForbidden {
		t.Errorf("another browser: %d, want 403", w.code)
	}
}

// Of two browsers with one link, the first to finish wins; the other is told.
func TestENR19_TwoBrowsersWithOneLink(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		s := newSite(t, h)
		u, secret := s.newcomer(false)
		first, second := s.userAgent().begin(secret), s.userAgent().begin(secret)
		lost := first.toCode()
		code := second.toCode() // voids the first's
		if err := s.activate(lost); err == nil {
			t.Error("the code of the first browser still works")
		}
		if err := s.activate(code); err != nil {
			t.Fatal(err)
		}
		second.send().sees(ready)
		first.send("do", "renew").sees(used)
		first.open(first.at).sees(used)
		if got := s.authenticators(u); got != 1 {
			t.Errorf("%d authenticators, want 1", got)
		}
	})
}

// The password is asked for wherever the access policy would, of who has one.
func TestENR4_TheMailboxAloneIsNotEnoughWhereAPasswordIsAsked(t *testing.T) {
	otp := []identity.Validation{identity.SecondFactor}
	both := []identity.Validation{identity.Password, identity.SecondFactor}
	for _, tt := range []struct {
		name  string
		rules []policy.Rule
		has   bool // a password
		asked bool
	}{
		{"everybody, everywhere", []policy.Rule{{Name: "all", Require: both}}, true, true},
		{"for another application alone", []policy.Rule{{Name: "pay", Applications: []string{"app_x"}, Require: both}, {Name: "all", Require: otp}}, true, true},
		{"in no rule", []policy.Rule{{Name: "all", Require: otp}}, true, false},
		{"of others alone", []policy.Rule{{Name: "staff", Groups: []string{"grp_x"}, Require: both}, {Name: "all", Require: otp}}, true, false},
		{"but there is none", []policy.Rule{{Name: "all", Require: both}}, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t, storetest.SQLite(t))
			s.set(policy.Access{Rules: tt.rules})
			_, secret := s.newcomer(tt.has)
			v := s.userAgent().begin(secret)
			if got := strings.Contains(v.page, `name="password"`); got != tt.asked {
				t.Errorf("a password is asked: %v, want %v", got, tt.asked)
			}
		})
	}
}

// Guessing at the password behind a link counts and locks as it does in a login.
func TestENR19_GuessingThePasswordLocks(t *testing.T) {
	s := newSite(t, storetest.SQLite(t))
	_, secret := s.newcomer(true)
	v := s.userAgent().begin(secret)
	for range policy.DefaultLockout().Threshold + 1 {
		v.send("password", "wrong password").sees(`name="password"`)
	}
	v.send("password", password).sees(`name="password"`)
	s.userAgent().begin(secret).send("password", password).sees(`name="password"`)
	if got := s.events(audit.UserLocked); got != 1 {
		t.Errorf("%d events of a lock, want 1", got)
	}
}

func TestENR19_WrongLinksAreCounted(t *testing.T) {
	s := newSite(t, storetest.SQLite(t))
	_, secret := s.newcomer(false)
	limit := policy.DefaultLimits().MailCodesPerAddress
	for range limit {
		s.userAgent().begin(strings.Repeat("A", 26)).sees(unknown)
	}
	if v := s.userAgent().begin(strings.Repeat("A", 26)); v.code != http.StatusTooManyRequests {
		t.Errorf("one wrong link too many: %d, want 429", v.code)
	}
	s.userAgent().begin(secret).sees(`name="platform"`) // who has a right one is not kept out by others
	for range 29 {
		s.userAgent().begin(secret)
	}
	if v := s.userAgent().begin(secret); v.code != http.StatusTooManyRequests {
		t.Errorf("one link begun too often: %d, want 429", v.code)
	}
}

// Where one platform is allowed, its choice is skipped (ENR-7), with a password
// before it or without.
func TestENR7_OnePlatformIsNotAskedFor(t *testing.T) {
	for _, asked := range []bool{true, false} {
		s := newSite(t, storetest.SQLite(t))
		s.set(policy.Platforms{identity.Android: {Allowed: true}})
		_, secret := s.newcomer(asked)
		v := s.userAgent().begin(secret)
		if asked {
			v.sees(`name="password"`).send("password", password)
		}
		v.sees(`id="short-code"`)
		v.send("do", "back").sees(`name="platform"`)
	}
}

// Another vendor's app, which is confirmed in the browser, uses the link up too.
func TestENR12_AnotherVendorsAppByMail(t *testing.T) {
	s := newSite(t, storetest.SQLite(t))
	rules := policy.DefaultSelfProvisioning()
	rules.ThirdParty = true
	s.set(rules)
	s.set(policy.Platforms{})
	u, secret := s.newcomer(false)
	v := s.userAgent().begin(secret).sees(`name="passcode"`) // the only way, so no choice is asked
	passcode := func() string {
		typed := regexp.MustCompile(`id="secret"[^>]*>([A-Z2-7 ]+)<`).FindStringSubmatch(v.page)[1]
		key, err := otp.DecodeSecret(typed)
		if err != nil {
			t.Fatal(err)
		}
		return otp.TOTP(key, otp.Params{Digits: 6, Period: 30}, s.Clock.Now())
	}
	confirm := v.fill("passcode", passcode())
	s.revoke(u)
	v.read(v.http.PostForm(v.at, confirm)).sees(revoked)
	if got := s.authenticators(u); got != 0 {
		t.Errorf("%d authenticators of a revoked link", got)
	}
	v = s.userAgent().begin(s.invite(u)).sees(`name="passcode"`)
	v.send("passcode", passcode()).sees(ready)
	if strings.Contains(v.page, "signing in") {
		t.Errorf("a login is said to go on:\n%s", v.page)
	}
	if got := s.events(audit.EnrollInvitationUsed); got != 1 || s.authenticators(u) != 1 {
		t.Errorf("%d invitations used for %d authenticators", got, s.authenticators(u))
	}
}

// Picking a language on the link's page loses nothing that was brought, and the
// journey speaks it (ENR-13).
func TestENR13_ThePageOfTheLinkInAnotherLanguage(t *testing.T) {
	s := newSite(t, storetest.SQLite(t))
	_, secret := s.newcomer(false)
	v := s.userAgent().open("/t/demo/enroll").sees(`lang="en"`).send("secret", secret, "language", "de")
	v.sees(`<html lang="de"`).sees(secret).send("secret", secret, "do", "begin").sees(`<html lang="de"`).sees(`name="platform"`)
}

// A page left open too long says that the link still works, or that it does not.
func TestENR19_APageLeftOpen(t *testing.T) {
	s := newSite(t, storetest.SQLite(t))
	_, secret := s.newcomer(false)
	v := s.userAgent().begin(secret)
	s.Clock.Advance(20 * time.Minute)
	v.open(v.at).sees(outdated)
	late := s.userAgent()
	s.Clock.Advance(23*time.Hour + 35*time.Minute)
	late.begin(secret).sees(`name="platform"`)
	code := late.toCode()
	s.Clock.Advance(6 * time.Minute) // the link is over; what was begun is not
	if err := s.activate(code); err != nil {
		t.Fatal(err)
	}
	late.send().sees(ready)
	v.open(v.at).sees(used)
}

func (s *site) revoke(u identity.User) {
	s.t.Helper()
	s.Do(s.t, func(tx *store.Tx) error {
		i, err := tx.Invitations().Open(s.t.Context(), u.Tenant, u.ID)
		if err != nil {
			return err
		}
		return admin.RevokeInvitation(s.t.Context(), tx, i)
	})
}

func (s *site) disable(u identity.User) {
	s.t.Helper()
	if _, err := directory.New(s.DB, 1).Disable(s.t.Context(), s.Who, u.Tenant, u.Name); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) provision(u identity.User) {
	s.t.Helper()
	s.Do(s.t, func(tx *store.Tx) error {
		_, _, err := authenticator.Provision(context.Background(), tx, u, authenticator.TokenSpec{Kind: identity.TOTP, Digits: 6, Period: 30})
		return err
	})
}

// A mail gateway that re-encodes the number sign of the mailed link sends the browser to
// another path. It is led back to the page of the link with the same fragment; nothing is
// looked up or used up by that, and no other path is answered. Without the route of
// mangledInvitation all are unknown addresses.
func TestENR19_TheMailedLinkSurvivesGateways(t *testing.T) {
	s := newSite(t, storetest.SQLite(t))
	_, secret := s.newcomer(true)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for path, want := range map[string]string{
		"/t/demo/enroll%23i1." + secret:       "/t/demo/enroll#i1." + secret,
		"/t/demo/enroll%2523i1." + secret:     "/t/demo/enroll#i1." + secret,
		"/t/demo/enroll%23i1." + secret[1:]:   "",
		"/t/demo/enroll%23%2F%2Fevil.example": "",
		"/t/demo/nothing":                     "",
		"/t/nobody/enroll%23i1." + secret:     "",
	} {
		res, err := client.Get(s.url + path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if want == "" && res.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s, want 404", path, res.Status)
		}
		if got := res.Header.Get("Location"); got != want || want != "" && res.StatusCode != http.StatusSeeOther {
			t.Errorf("%s: %s to %q, want %q", path, res.Status, got, want)
		}
		if res.Header.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: Referrer-Policy %q", path, res.Header.Get("Referrer-Policy"))
		}
	}
	s.userAgent().begin(secret).sees(`name="password"`)
}
