package self_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/push"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// isLive reports whether there is a live session with the secret.
func (v *browser) isLive(secret string) bool {
	v.t.Helper()
	_, err := v.DB.Sessions().BySecret(v.t.Context(), v.Tenant.ID, secret, v.browser)
	return err == nil
}

var (
	address = regexp.MustCompile(`192\.0\.2\.\d+`)
	older   = regexp.MustCompile(`\?before=([^"]+)"`)
)

// A person lists the sessions and ends one, or all but the present one: at
// once, with the refresh tokens granted in it, and never another person's. (It
// fails if the grants are not revoked, if all grants of the user are, and if
// EndSession accepts any id.)
func TestTLOG27_TLOG28_EndingASessionElsewhere(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		v := newBrowser(t, h)
		password := identity.CompletedFactor{Validation: identity.Password, Method: identity.ByPassword, At: h.Clock.Now()}
		mine := h.User
		other := identity.User{Tenant: h.Tenant.ID, ID: identity.NewID(identity.UserID), Name: "bo.lind"}
		h.Do(t, func(tx *store.Tx) error { return tx.Users().Add(t.Context(), other) })
		h.User = other
		theirs := v.signIn(password)
		theirSecret := v.secret
		h.User = mine
		var secrets []string
		var ids []string
		for range 3 {
			ids = append(ids, v.signIn(password))
			secrets = append(secrets, v.secret)
		}
		for _, id := range ids { // each has a grant for offline access, with its id as the code
			g := store.Grant{Tenant: h.Tenant.ID, ID: identity.NewID(identity.GrantID), Application: v.app.ID, User: mine.ID, Session: id,
				Offline: true, AuthTime: h.Clock.Now(), CodeExpires: h.Clock.Now().Add(time.Hour), ExpiresAt: h.Clock.Now().Add(time.Hour)}
			h.Do(t, func(tx *store.Tx) error { return tx.Grants().Add(t.Context(), g, id) })
		}
		over := func(id string) (over bool) {
			t.Helper()
			h.Do(t, func(tx *store.Tx) error {
				g, _, err := tx.Grants().UseCode(t.Context(), h.Tenant.ID, id)
				over = g.Over
				return err
			})
			return over
		}

		_, _, body := v.request("/sessions", nil)
		if got := strings.Count(body, `name="session"`); got != 2 || strings.Contains(body, theirs) {
			t.Errorf("%d sessions can be ended, want the two elsewhere\n%s", got, body)
		}
		for _, id := range []string{theirs, ids[2], "ses_x", ""} {
			if code, _, _ := v.request("/sessions", url.Values{"session": {id}}); code < 400 || !v.isLive(secrets[2]) {
				t.Errorf("ending %q: %d", id, code)
			}
		}
		h.User = other
		if !v.isLive(theirSecret) {
			t.Error("another person's session was ended")
		}
		h.User = mine

		if _, to, _ := v.request("/sessions", url.Values{"session": {ids[0]}}); to != "/t/demo/me/sessions?said=session-ended" {
			t.Errorf("then %q", to)
		}
		if v.isLive(secrets[0]) || !v.isLive(secrets[1]) || !over(ids[0]) || over(ids[1]) || over(ids[2]) {
			t.Errorf("one ended: live %v %v, grants over %v %v %v", v.isLive(secrets[0]), v.isLive(secrets[1]), over(ids[0]), over(ids[1]), over(ids[2]))
		}
		v.request("/sessions", url.Values{"do": {"end-others"}})
		if v.isLive(secrets[1]) || !v.isLive(secrets[2]) || !over(ids[1]) || over(ids[2]) {
			t.Errorf("others ended: live %v %v, grants over %v %v", v.isLive(secrets[1]), v.isLive(secrets[2]), over(ids[1]), over(ids[2]))
		}
		ended := 0
		for _, k := range v.eventKinds() {
			if k == audit.SessionEnded {
				ended++
			}
		}
		if ended != 2 {
			t.Errorf("%d events of ended sessions, want 2", ended)
		}
	})
}

// The history has the person's events of 90 days, newest first, in pages, each
// event once, and nothing of other users. (It fails without the user in the
// filter, and without Since.)
func TestCRED16_HistoryOfSignIns(t *testing.T) {
	h := storetest.SQLite(t)
	v := newBrowser(t, h)
	happened := func(user, ip string, kind audit.Kind) {
		t.Helper()
		who := identity.Principal{Tenant: h.Tenant.ID, Kind: identity.Person, ID: user, IP: ip}
		err := h.DB.InTx(t.Context(), who, func(tx *store.Tx) error {
			return tx.Event(t.Context(), audit.Event{Kind: kind, User: user, Application: v.app.ID,
				Data: map[string]string{"password": "password", "otp": "recovery code"}, Personal: map[string]string{"browser": "Firefox, Linux"}})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	happened(h.User.ID, "203.0.113.99", audit.LoginSucceeded)
	h.Clock.Advance(91 * 24 * time.Hour)
	for i := range 60 { // many in one millisecond
		happened(h.User.ID, fmt.Sprintf("192.0.2.%d", i), audit.PasscodeWrong)
	}
	happened("usr_"+strings.Repeat("x", 27), "198.51.100.1", audit.LoginSucceeded)
	h.Clock.Advance(time.Second)
	happened(h.User.ID, "192.0.2.200", audit.LoginSucceeded)
	v.signIn(identity.CompletedFactor{Validation: identity.Password, Method: identity.ByPassword, At: h.Clock.Now()})

	seen, pages := make(map[string]int), 0
	for page := "/history"; page != ""; pages++ {
		code, _, body := v.request(page, nil)
		if code != http.StatusOK || strings.Contains(body, "203.0.113.99") || strings.Contains(body, "198.51.100.1") || pages > 5 {
			t.Fatalf("%s: %d\n%s", page, code, body)
		}
		if pages == 0 && !strings.Contains(body, "Signed in") {
			t.Errorf("the sign-in is not on the first page:\n%s", body)
		}
		for _, ip := range address.FindAllString(body, -1) {
			seen[ip]++
		}
		next := older.FindStringSubmatch(body)
		page = ""
		if next != nil {
			page = "/history?before=" + next[1]
		}
	}
	if pages != 3 || len(seen) != 61 {
		t.Errorf("%d pages with %d addresses, want 3 with 61", pages, len(seen))
	}
	for ip, n := range seen {
		if n != 1 {
			t.Errorf("%s is there %d times", ip, n)
		}
	}
	if code, _, body := v.request("/history?before=x%27--", nil); code != http.StatusOK || !strings.Contains(body, "192.0.2.200") {
		t.Errorf("an address that is none: %d", code)
	}
}

// The history has every attempt that proved the password, whatever became of it, once, with
// the browser and the address it came from and not those of the phone that answered; how a
// push request ended reads differently each time, and the advice has links. (Without the
// kinds in signIns, without shown, and with the address of every event as it is, it
// failed.)
func TestCRED16_TheHistoryHasEveryAttemptThatProvedThePassword(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		v, phone := newBrowser(t, h), h.Authenticator(t, "Pixel 9")
		const refused, attempts = "198.51.100.7", 10 // the phone's address
		as := func(kind identity.PrincipalKind, ip string, do func(tx *store.Tx) error) {
			t.Helper()
			h.Clock.Advance(time.Second)
			if err := h.DB.InTx(t.Context(), identity.Principal{Tenant: h.Tenant.ID, Kind: kind, ID: phone.ID, IP: ip}, do); err != nil {
				t.Fatal(err)
			}
		}
		n, knows := 0, false // whether the password is known
		attempt := func(ends store.PushOutcome, then audit.Kind, reason string) {
			t.Helper()
			h.Clock.Advance(time.Hour)
			n++
			now := h.Clock.Now()
			j := &identity.Journey{Tenant: h.Tenant.ID, ID: identity.NewID(identity.JourneyID), Application: h.Application.ID, Protocol: h.Application.Protocol, Request: []byte(`{}`),
				Browser: "b", UserID: h.User.ID, Name: h.User.Name, IP: fmt.Sprintf("192.0.2.%d", n), StartedAt: now, ExpiresAt: now.Add(15 * time.Minute)}
			e := audit.Event{Kind: audit.PasswordRight, User: j.UserID, Application: j.Application, Journey: j.ID, Personal: map[string]string{"browser": "Chrome, Windows"}}
			as(identity.Browser, j.IP, func(tx *store.Tx) error {
				if err := tx.Journeys().Add(t.Context(), j); err != nil {
					return err
				}
				if !knows {
					return nil
				}
				return tx.Event(t.Context(), e)
			})
			if ends != "none" {
				as(identity.Browser, j.IP, func(tx *store.Tx) error {
					p, err := push.Start(t.Context(), tx, j, push.Display{Application: "Payroll"}, policy.NoPresence, policy.DefaultPush())
					if err == nil && ends != "" {
						_, err = tx.Push().End(t.Context(), p.Tenant, p.ID, ends, phone.ID)
					}
					if err == nil && then == audit.LoginSucceeded {
						_, _, err = tx.Push().Claim(t.Context(), p.Tenant, p.ID, j.ID, tx.Now().Add(-time.Minute))
					}
					return err
				})
			}
			if then == "" {
				return
			}
			e.Kind, e.Reason, e.Personal = then, reason, nil
			by, ip := identity.Browser, j.IP
			if then == audit.PushRefused {
				by, ip = identity.AuthenticatorApp, refused
			}
			as(by, ip, func(tx *store.Tx) error { return tx.Event(t.Context(), e) })
		}
		attempt(store.PushNotMe, audit.PushRefused, "rejected by user") // where a push may come before the password
		knows = true
		attempt("none", "", "")                                           // left at the choice
		attempt("", "", "")                                               // nobody answers
		attempt(store.PushMistake, "", "")                                // declined
		attempt(store.PushNotMe, audit.PushRefused, "rejected by user")   // it wasn't me
		attempt(store.PushWrongNumber, audit.PushRefused, "wrong number") // of another sign-in
		attempt(store.PushCancelled, audit.LoginCancelled, "")            // left while it waited
		attempt("none", audit.PasscodeWrong, "wrong")                     // guessed on
		attempt(store.PushApproved, "", "")                               // and the browser was closed
		attempt(store.PushApproved, audit.LoginSucceeded, "")             // signed in
		if n != attempts {
			t.Fatalf("%d attempts, want %d", n, attempts)
		}
		h.Clock.Advance(time.Hour)
		v.signIn(identity.CompletedFactor{Validation: identity.Password, Method: identity.ByPassword, At: h.Clock.Now()})
		_, _, body := v.request("/history", nil)
		rows := strings.Split(body, "<li><span class=\"tag")[1:]
		if len(rows) != attempts || strings.Contains(body, refused) {
			t.Fatalf("%d rows, want one for each of %d attempts, and no address of the phone\n%s", len(rows), attempts, body)
		}
		for i, want := range []string{"Signed in", "Approved, without effect", "Wrong passcode", "Left", "Wrong number", "it wasn’t me", "Declined as a mistake", "Not answered", "Not confirmed", "it wasn’t me"} {
			row, _, _ := strings.Cut(rows[i], "</li>")
			if !strings.Contains(row, want) || strings.Contains(row, "Chrome, Windows") != (i < attempts-1) || !strings.Contains(row, fmt.Sprintf("192.0.2.%d<", attempts-i)) ||
				strings.Contains(row, "right password") != (i > 0 && i < attempts-1) {
				t.Errorf("row %d, want %q:\n%s", i, want, row)
			}
		}
		if !strings.Contains(body, `<a href="/t/demo/me/sessions">Sign out everywhere else`) {
			t.Errorf("the advice has no links\n%s", body)
		}
	})
}
