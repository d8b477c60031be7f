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
