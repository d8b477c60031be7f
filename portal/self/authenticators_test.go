package self_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/audit"
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
		if _, to, _ := v.request(page, url.Values{"do": {"push-on"}}); to != "/t/demo/login?for=authenticators&fresh=1" || is().Push(h.Clock.Now()) != identity.PushDisabled {
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
