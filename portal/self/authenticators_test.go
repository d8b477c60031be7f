package self_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// eventKinds lists the kinds of the user's events, newest first.
func (v *browser) eventKinds() (kinds []audit.Kind) {
	v.t.Helper()
	for e, err := range v.DB.Events().List(v.t.Context(), v.Tenant.ID, store.EventFilter{User: v.User.ID}) {
		if err != nil {
			v.t.Fatal(err)
		}
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

// An authenticator is renamed, its push turned on and off, and it is reported
// lost, each with its event. Only turning push on requires a fresh factor; a
// person who reports one lost may have no other.
func TestCRED16_OwnAuthenticator(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		v, a := newBrowser(t, h), h.Authenticator(t, "Pixel 9")
		password := identity.CompletedFactor{Validation: identity.Password, Method: identity.ByPassword, At: h.Clock.Now()}
		v.signIn(password)
		page := "/authenticators/" + a.ID
		is := func() identity.Authenticator {
			t.Helper()
			now, err := h.DB.Authenticators().Get(t.Context(), h.Tenant.ID, a.ID)
			if err != nil {
				t.Fatal(err)
			}
			return now
		}
		for _, typed := range []string{"", "   ", strings.Repeat("x", 65)} {
			if code, _, _ := v.request(page, url.Values{"do": {"rename"}, "name": {typed}}); code != http.StatusUnprocessableEntity || is().Name != "Pixel 9" {
				t.Errorf("renamed to %q: %d, %q", typed, code, is().Name)
			}
		}
		if _, to, _ := v.request(page, url.Values{"do": {"rename"}, "name": {" Annas Pixel "}}); is().Name != "Annas Pixel" || to != "/t/demo/me"+page+"?said=renamed" {
			t.Errorf("name %q, then %s", is().Name, to)
		}
		v.request(page, url.Values{"do": {"push-off"}})
		if got := is().Push(h.Clock.Now()); got != identity.PushDisabled {
			t.Errorf("push %q after it was turned off", got)
		}
		if _, to, _ := v.request(page, url.Values{"do": {"push-on"}}); to != "/t/demo/login?for=authenticators&fresh=1&item="+a.ID || is().Push(h.Clock.Now()) != identity.PushDisabled {
			t.Errorf("push on without a factor: to %q, %q", to, is().Push(h.Clock.Now()))
		}
		v.signIn(password, identity.CompletedFactor{Validation: identity.SecondFactor, Method: identity.ByPasscode, Authenticator: a.ID, At: h.Clock.Now()})
		v.request(page, url.Values{"do": {"push-on"}})
		if got := is().Push(h.Clock.Now()); got != identity.PushEnabled {
			t.Errorf("push %q after it was turned on", got)
		}
		v.signIn(password)
		if _, to, _ := v.request(page, url.Values{"do": {"lost"}}); is().State() != identity.Revoked || to != "/t/demo/me/authenticators?said=lost" {
			t.Errorf("%q after it was reported lost, then %s", is().State(), to)
		}
		if code, _, _ := v.request(page, nil); code != http.StatusNotFound {
			t.Errorf("its page: %d", code)
		}
		want := []audit.Kind{audit.AuthenticatorRevoked, audit.AuthenticatorPush, audit.AuthenticatorPush, audit.AuthenticatorRenamed}
		var got []audit.Kind
		for _, k := range v.eventKinds() {
			if strings.HasPrefix(string(k), "authenticator.") && k != audit.AuthenticatorAdded {
				got = append(got, k)
			}
		}
		if len(got) != len(want) {
			t.Errorf("events %v, want %v", got, want)
		}
	})
}

// Of push that is paused it is said so, and it can be turned off; of push that is off it is
// not said that it is paused. (With the state of push as it is, both failed.)
func TestCRED16_PausedPushIsOn(t *testing.T) {
	h := storetest.SQLite(t)
	v, on, off := newBrowser(t, h), h.Authenticator(t, "Pixel 9"), h.Authenticator(t, "Pixel 8")
	h.Do(t, func(tx *store.Tx) error {
		if err := authenticator.SetPush(t.Context(), tx, off, false); err != nil {
			return err
		}
		return tx.Push().Lock(t.Context(), h.Tenant.ID, h.User.ID, tx.Now().Add(time.Hour))
	})
	v.signIn(identity.CompletedFactor{Validation: identity.Password, Method: identity.ByPassword, At: h.Clock.Now()})
	for _, tt := range []struct {
		a            identity.Authenticator
		says, button string
	}{{on, "no sign-in is sent to it for a while", "push-off"}, {off, "Its passcodes work", "push-on"}} {
		_, _, body := v.request("/authenticators/"+tt.a.ID, nil)
		if !strings.Contains(body, tt.says) || !strings.Contains(body, `value="`+tt.button+`"`) || strings.Contains(body, "Paused") != (tt.a.ID == on.ID) {
			t.Errorf("%s: want %q and %s in\n%s", tt.a.Name, tt.says, tt.button, body)
		}
	}
}

// Nobody sees or changes another person's authenticator by its id. (It fails if
// Own does not compare the user.)
func TestCRED16_NobodyElsesAuthenticator(t *testing.T) {
	h := storetest.SQLite(t)
	v, a := newBrowser(t, h), h.Authenticator(t, "Pixel 9")
	other := identity.User{Tenant: h.Tenant.ID, ID: identity.NewID(identity.UserID), Name: "bo.lind"}
	h.Do(t, func(tx *store.Tx) error { return tx.Users().Add(t.Context(), other) })
	mine := v.User
	v.User = other
	h.Authenticator(t, "Nokia") // of the other user
	v.signIn(identity.CompletedFactor{Validation: identity.SecondFactor, Method: identity.ByRecoveryCode, At: h.Clock.Now()})
	for _, form := range []url.Values{nil, {"do": {"lost"}}, {"do": {"push-off"}}, {"do": {"push-on"}}, {"do": {"rename"}, "name": {"mine"}}} {
		if code, _, body := v.request("/authenticators/"+a.ID, form); code != http.StatusNotFound || strings.Contains(body, "Pixel") {
			t.Errorf("%v: %d", form, code)
		}
	}
	if now, err := h.DB.Authenticators().Get(t.Context(), mine.Tenant, a.ID); err != nil || now.Name != "Pixel 9" || now.State() != identity.Active {
		t.Errorf("it is %+v now, %v", now, err)
	}
}

// A passkey is shown as what it is: nothing is said of push, passcodes or a platform.
// Neither is it of a hardware token. (With the push of every authenticator shown, and
// with the same text for all, it failed.)
func TestCRED16_NothingIsSaidOfWhatAnAuthenticatorHasNot(t *testing.T) {
	h := storetest.SQLite(t)
	v, app := newBrowser(t, h), h.Authenticator(t, "Pixel 9")
	add := func(kind identity.AuthenticatorKind, name string) identity.Authenticator {
		t.Helper()
		a := identity.Authenticator{Tenant: h.Tenant.ID, ID: identity.NewID(identity.AuthenticatorID), Kind: kind, Name: name, Serial: "S-" + name,
			Digits: 6, LastStep: -1, Template: []byte(`{}`), EnrolledAt: h.Clock.Now(), ActivatedAt: h.Clock.Now()}
		h.Do(t, func(tx *store.Tx) error {
			if err := tx.Authenticators().Add(t.Context(), a, h.User.ID); err != nil || kind != identity.Passkey {
				return err
			}
			return tx.Passkeys().Add(t.Context(), store.Passkey{Tenant: a.Tenant, Authenticator: a.ID, User: h.User.ID, Credential: []byte(a.ID), Key: []byte("key"), Eligible: true})
		})
		return a
	}
	passkey, token := add(identity.Passkey, "Blue key"), add(identity.HOTP, "Key ring")
	v.signIn(identity.CompletedFactor{Validation: identity.SecondFactor, Method: identity.ByRecoveryCode, At: h.Clock.Now()})
	_, _, list := v.request("/authenticators", nil)
	items := strings.Split(list, "<article")
	for _, tt := range []struct {
		a              identity.Authenticator
		push, platform bool
		icon           string // part of its drawing
		try            string
	}{
		{app, true, true, `<rect x="7" y="2.5"`, "its passcodes are right"},
		{passkey, false, false, `<circle cx="8" cy="9" r="4.5"/>`, "works in this browser"},
		{token, false, false, `<circle cx="12" cy="18" r="1.9"/>`, "its passcodes are right"},
	} {
		_, _, page := v.request("/authenticators/"+tt.a.ID, nil)
		_, page, _ = strings.Cut(page, "<main>")
		for i, item := range items {
			if !strings.Contains(item, tt.a.Name) {
				continue
			}
			item, _, _ = strings.Cut(item, "</article>")
			for where, text := range map[string]string{"the list": item, "its page": page} {
				if got := strings.Contains(text, "Push") || strings.Contains(text, "push"); i > 0 && got != tt.push {
					t.Errorf("%s on %s: push is there: %v, want %v\n%s", tt.a.Name, where, got, tt.push, text)
				}
				if got := strings.Contains(text, "Runs on"); i > 0 && got != tt.platform {
					t.Errorf("%s on %s: platform is there: %v, want %v\n%s", tt.a.Name, where, got, tt.platform, text)
				}
			}
			if i > 0 && !strings.Contains(item, tt.icon) {
				t.Errorf("%s has another picture\n%s", tt.a.Name, item)
			}
		}
		if !strings.Contains(page, tt.try) {
			t.Errorf("%s: no %q in\n%s", tt.a.Name, tt.try, page)
		}
	}
}

// The PIN that is typed with passcodes is changed with a second factor that is fresh, by
// the rules of its policy, with an event and a mail; never that of another person, nor of
// an authenticator that has none or is locked. (Without FreshFactor in the row of the
// page, and without the state in ChangeServerPIN, it failed.)
func TestCRED6_AServerPINIsChangedLater(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		v, plain := newBrowser(t, h), h.Authenticator(t, "Pixel 9")
		pinned := func(user identity.User) identity.Authenticator {
			t.Helper()
			a := identity.Authenticator{Tenant: h.Tenant.ID, ID: identity.NewID(identity.AuthenticatorID), Kind: identity.AppToken, Name: "Work phone", Seed: []byte("12345678901234567890"),
				Digits: 6, Step: 30, LastStep: -1, ServerPIN: true, Template: []byte(`{}`), EnrolledAt: h.Clock.Now(), ActivatedAt: h.Clock.Now()}
			a.Serial = "LK-" + a.ID
			h.Do(t, func(tx *store.Tx) error {
				if err := tx.Authenticators().Add(t.Context(), a, user.ID); err != nil {
					return err
				}
				return tx.ServerPINs().Set(t.Context(), a.Tenant, a.ID, "4938", false, false)
			})
			return a
		}
		a := pinned(h.User)
		other := identity.User{Tenant: h.Tenant.ID, ID: identity.NewID(identity.UserID), Name: "bo.lind"}
		h.Do(t, func(tx *store.Tx) error { return tx.Users().Add(t.Context(), other) })
		theirs := pinned(other)
		has := func(a identity.Authenticator, pin string) (has bool) {
			t.Helper()
			h.Do(t, func(tx *store.Tx) (err error) {
				has, err = tx.ServerPINs().Check(t.Context(), a.Tenant, a.ID, pin)
				return err
			})
			return has
		}
		form := func(pin, again string) url.Values {
			return url.Values{"do": {"change"}, "pin": {pin}, "again": {again}}
		}
		page := "/pin/" + a.ID
		password := identity.CompletedFactor{Validation: identity.Password, Method: identity.ByPassword, At: h.Clock.Now()}
		v.signIn(password)
		for _, f := range []url.Values{nil, form("7715", "7715")} {
			if code, to, _ := v.request(page, f); code != http.StatusSeeOther || to != "/t/demo/login?for=pin&fresh=1&item="+a.ID || !has(a, "4938") {
				t.Errorf("without a fresh factor: %d to %q", code, to)
			}
		}
		if code, _, _ := v.request("/pin", nil); code != http.StatusNotFound {
			t.Errorf("of no authenticator: %d", code)
		}
		v.signIn(password, identity.CompletedFactor{Validation: identity.SecondFactor, Method: identity.ByPasscode, Authenticator: a.ID, At: h.Clock.Now()})
		if _, _, body := v.request("/authenticators/"+a.ID, nil); !strings.Contains(body, "/t/demo/me"+page) {
			t.Errorf("no link to the page\n%s", body)
		}
		for _, tt := range []struct{ pin, again, want string }{
			{"7715", "7716", "differ"}, {"4938", "4938", "before"}, {"1234", "1234", "one run"}, {"12", "12", "too few"}, {"77a5", "77a5", "digits only"},
		} {
			if code, _, body := v.request(page, form(tt.pin, tt.again)); code != http.StatusUnprocessableEntity || !strings.Contains(body, tt.want) || !has(a, "4938") {
				t.Errorf("%s: %d, want %q in\n%s", tt.pin, code, tt.want, body)
			}
		}
		if code, to, _ := v.request(page, form("77 15", "7715")); to != "/t/demo/me/authenticators/"+a.ID+"?said=pin" || !has(a, "7715") {
			t.Errorf("changed: %d to %q", code, to)
		}
		if got := v.eventKinds(); got[0] != audit.AuthenticatorPIN {
			t.Errorf("events %v", got)
		}
		h.Do(t, func(tx *store.Tx) error {
			mails, err := tx.Outbox().Lease(t.Context(), "test", tx.Now().Add(time.Millisecond), 10)
			if len(mails) != 1 || !strings.Contains(string(mails[0].Arguments), "pin-changed") {
				t.Errorf("mails %+v", mails)
			}
			return err
		})
		for name, at := range map[string]string{"another person's": theirs.ID, "one without a PIN": plain.ID, "none": "aut_x"} {
			for _, f := range []url.Values{nil, form("5820", "5820")} {
				if code, _, _ := v.request("/pin/"+at, f); code != http.StatusNotFound && (f == nil || at != plain.ID) {
					t.Errorf("%s: %d", name, code)
				}
			}
		}
		if has(theirs, "5820") {
			t.Error("another person's PIN was changed")
		}
		h.Do(t, func(tx *store.Tx) error { _, err := tx.Authenticators().Lock(t.Context(), a.Tenant, a.ID); return err })
		v.signIn(password, identity.CompletedFactor{Validation: identity.SecondFactor, Method: identity.ByRecoveryCode, At: h.Clock.Now()})
		if v.request(page, form("5820", "5820")); has(a, "5820") {
			t.Error("the PIN of a locked one was changed")
		}
	})
}
