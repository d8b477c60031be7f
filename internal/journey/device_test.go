package journey_test

import (
	"slices"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/push"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
	"github.com/latchkey-id/latchkey/templates"
)

var (
	twoFactors = []identity.Validation{identity.Password, identity.SecondFactor}
	yes, no    = true, false
)

// remembering lets devices be remembered.
func (h *fixture) remembering(remember bool) {
	h.Helper()
	h.setPolicy(policy.Access{Rules: []policy.Rule{{Name: "all", Require: twoFactors, Remember: remember}}})
}

// bringing is a client of a browser with what it was given to keep.
func (h *fixture) bringing(device store.DeviceCookie, box *bool) client {
	v := h.withSession(identity.Session{})
	v.Device, v.Remember = device, box
	return v
}

// login goes as far as the password takes a browser with its cookie.
func (h *fixture) login(browser string, device store.DeviceCookie, change func(*journey.Request)) *journey.View {
	h.Helper()
	h.device = journey.Device{}
	client := h.bringing(device, nil)
	v, err := h.begin(browser, identity.Session{}, change)
	v = h.want(v, err, journey.Identify)
	v, err = h.take(client, v, journey.EnterName{Name: "berit.lie"})
	v = h.want(v, err, journey.AskPassword)
	v, err = h.take(client, v, journey.EnterPassword{Password: password})
	if err != nil {
		h.Fatal(err)
	}
	return v
}

// remembered logs in whole with the box ticked, and returns what the browser keeps.
func (h *fixture) remembered(browser string) store.DeviceCookie {
	h.Helper()
	h.Clock.Advance(time.Minute) // another passcode
	client := h.bringing(store.DeviceCookie{}, &yes)
	v := h.login(browser, store.DeviceCookie{}, nil)
	if !v.OffersRemember() {
		h.Fatal("the page does not offer to remember the device")
	}
	v, err := h.take(client, v, journey.ChooseMethod{Method: identity.ByPasscode})
	v = h.want(v, err, journey.AskPasscode)
	if v.Journey.Remember != identity.WillRemember {
		h.Error("what was ticked on the page of choice is forgotten on the next")
	}
	v, err = h.take(client, v, journey.EnterPasscode{Passcode: h.passcode(0)})
	h.want(v, err, journey.Done)
	if h.device.Cookie.ID == "" || h.device.Life != 30*24*time.Hour {
		h.Fatalf("given to keep: %v", h.device)
	}
	h.Clock.Advance(time.Hour)
	return h.device.Cookie
}

func (h *fixture) queued(kind string) (n int) {
	h.Helper()
	h.do(h.Who, func(tx *store.Tx) error {
		all, err := tx.Outbox().Lease(h.Context(), "test", h.Clock.Now().Add(time.Hour), 100)
		for _, m := range all {
			if m.Kind == kind {
				n++
			}
		}
		return err
	})
	return n
}

// After a full login with the box ticked, the password is enough in that browser:
// the login says truly that nothing else was proved, and the secret is new.
func TestJRN9_ARememberedDeviceStandsForThePasscode(t *testing.T) {
	storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
		h := newFixture(t, empty)
		h.remembering(true)
		first := h.remembered("b")
		if got := h.events(audit.DeviceAdded); len(got) != 1 {
			t.Errorf("%d events of a remembered device, want 1", len(got))
		}
		v := h.want(h.login("b", first, nil), nil, journey.Done)
		if got := journey.References(v.Journey.Passed); !slices.Equal(got, []string{"pwd"}) {
			t.Errorf("amr %v, want pwd alone", got)
		}
		if got := v.Rules.Reached(v.Journey); got != journey.PasswordContext {
			t.Errorf("context %s", got)
		}
		if h.device.Cookie.ID != first.ID || h.device.Cookie.Secret == first.Secret {
			t.Errorf("the browser keeps %v after %v", h.device.Cookie, first)
		}
		logins := h.events(audit.LoginSucceeded)
		if !slices.ContainsFunc(logins, func(e audit.Event) bool { return e.Data["otp"] == "remembered device" }) {
			t.Errorf("no event tells of it: %v", logins)
		}
	})
}

// Each way past which a remembered device must not lead, once for each guard of
// mayRecognise and of UseDevice: with any of them taken out its row fails.
func TestJRN9_WhereARememberedDeviceDoesNotCount(t *testing.T) {
	for _, tt := range []struct {
		name    string
		between func(h *fixture)
		browser string
		change  func(*journey.Request)
	}{
		{"another browser", nil, "c", nil},
		{"the rule allows it no more", func(h *fixture) { h.remembering(false) }, "b", nil},
		{"forced", nil, "b", func(s *journey.Request) { s.ForceLogin = true }},
		{"older than max_age", nil, "b", func(s *journey.Request) { s.MaxAge = new(int64(60)) }},
		{"older than the rule's age", func(h *fixture) {
			h.setPolicy(policy.Access{Rules: []policy.Rule{{Name: "all", Require: twoFactors, Remember: true, MaxAge: 60}}})
		}, "b", nil},
		{"a second factor is asked for", nil, "b", mfa},
		{"idle", func(h *fixture) { h.Clock.Advance(14 * 24 * time.Hour) }, "b", nil},
		{"after another password", func(h *fixture) {
			p := password
			if _, err := h.engine.Directory.Change(h.Context(), h.Who, h.Tenant.ID, "berit.lie", directory.Change{Password: &p}); err != nil {
				h.Fatal(err)
			}
		}, "b", nil},
		{"an operator forgot it", func(h *fixture) {
			h.do(h.Who, func(tx *store.Tx) error {
				_, err := directory.ForgetDevices(h.Context(), tx, h.User, "", "operator", templates.Origin{At: tx.Now()})
				return err
			})
		}, "b", nil},
		{"another authenticator was revoked", func(h *fixture) {
			other := h.token
			other.ID, other.Serial = identity.NewID(identity.AuthenticatorID), "LK2"
			h.do(h.Who, func(tx *store.Tx) error {
				if err := tx.Authenticators().Add(h.Context(), other, h.User.ID); err != nil {
					return err
				}
				return authenticator.Revoke(h.Context(), tx, other, "lost")
			})
		}, "b", nil},
		{"a push was rejected", func(h *fixture) {
			j := h.Journey(h.T, "another")
			h.do(h.Who, func(tx *store.Tx) error {
				return directory.FailedAnswer(h.Context(), tx, push.AnswerResult{Outcome: store.PushNotMe, Failed: true,
					Request: store.PushRequest{Tenant: h.Tenant.ID, ID: identity.NewID(identity.PushID), User: h.User.ID, Journey: j.ID}})
			})
		}, "b", nil},
		{"disabled and enabled", func(h *fixture) {
			for _, do := range []func() error{
				func() error {
					_, err := h.engine.Directory.Disable(h.Context(), h.Who, h.Tenant.ID, "berit.lie")
					return err
				},
				func() error {
					_, err := h.engine.Directory.Enable(h.Context(), h.Who, h.Tenant.ID, "berit.lie")
					return err
				},
			} {
				if err := do(); err != nil {
					h.Fatal(err)
				}
			}
		}, "b", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newFixture(t, storetest.SQLite(t))
			h.remembering(true)
			device := h.remembered("b")
			if tt.between != nil {
				tt.between(h)
			}
			h.want(h.login(tt.browser, device, tt.change), nil, journey.Choose)
		})
	}
}

// It never stands in for the password, and the box alone remembers nothing. With
// the rule's leave, or the password typed here, taken out of OffersRemember, the
// second or the last part fails.
func TestJRN9_OnlyAFullLoginRemembers(t *testing.T) {
	h := newFixture(t, storetest.SQLite(t))
	h.remembering(true)
	device := h.remembered("b")
	client := h.bringing(device, &yes)
	v, err := h.begin("b", identity.Session{}, nil)
	v = h.want(v, err, journey.Identify)
	v, err = h.take(client, v, journey.EnterName{Name: "berit.lie"})
	v = h.want(v, err, journey.AskPassword)
	if v.OffersRemember() {
		t.Error("offered before a password")
	}
	v, err = h.take(client, v, journey.EnterPassword{Password: "wrong"})
	h.want(v, err, journey.AskPassword)

	// Where the rule allows none, the box in a form of one's own is of no account.
	h.remembering(false)
	h.device = journey.Device{}
	h.Clock.Advance(time.Minute)
	v = h.want(h.login("c", store.DeviceCookie{}, nil), nil, journey.Choose)
	client = h.bringing(store.DeviceCookie{}, &yes)
	v, err = h.take(client, v, journey.ChooseMethod{Method: identity.ByPasscode})
	v = h.want(v, err, journey.AskPasscode)
	v, err = h.take(client, v, journey.EnterPasscode{Passcode: h.passcode(0)})
	h.want(v, err, journey.Done)
	if h.device.Cookie.ID != "" {
		t.Error("remembered where the rule allows none")
	}

	// Ticked and taken back is not ticked.
	h.remembering(true)
	h.Clock.Advance(time.Minute)
	v = h.want(h.login("d", store.DeviceCookie{}, nil), nil, journey.Choose)
	v, err = h.take(h.bringing(store.DeviceCookie{}, &yes), v, journey.ChooseMethod{Method: identity.ByPasscode})
	v = h.want(v, err, journey.AskPasscode)
	v, err = h.take(h.bringing(store.DeviceCookie{}, &no), v, journey.EnterPasscode{Passcode: h.passcode(0)})
	h.want(v, err, journey.Done)
	if h.device.Cookie.ID != "" {
		t.Error("remembered though the box was emptied again")
	}

	// A passcode that an operator made is good for what it was made for; without the
	// look at the authenticator in remember it is good for thirty days.
	h.Clock.Advance(time.Minute)
	var temporary string
	h.do(h.Who, func(tx *store.Tx) (err error) {
		temporary, _, err = authenticator.MakeTemporary(t.Context(), tx, h.User, time.Hour, false)
		return err
	})
	v = h.want(h.login("f", store.DeviceCookie{}, nil), nil, journey.Choose)
	v, err = h.take(h.bringing(store.DeviceCookie{}, &yes), v, journey.ChooseMethod{Method: identity.ByPasscode})
	v = h.want(v, err, journey.AskPasscode)
	v, err = h.take(h.bringing(store.DeviceCookie{}, &yes), v, journey.EnterPasscode{Passcode: temporary})
	h.want(v, err, journey.Done)
	if h.device.Cookie.ID != "" {
		t.Error("remembered by a temporary passcode")
	}

	// With the password of a session, a second factor is no full login.
	s := h.withPassword("e")
	h.remembering(true)
	h.Clock.Advance(time.Minute)
	client = h.bringing(store.DeviceCookie{}, &yes)
	client.Session = s
	v, err = h.begin("e", s, nil)
	v = h.want(v, err, journey.Choose)
	v, err = h.take(client, v, journey.ChooseMethod{Method: identity.ByPasscode})
	v = h.want(v, err, journey.AskPasscode)
	v, err = h.take(client, v, journey.EnterPasscode{Passcode: h.passcode(0)})
	h.want(v, err, journey.Done)
	if h.device.Cookie.ID != "" {
		t.Error("remembered by a second factor alone")
	}
}

// A copy shows when both have used it: the device is forgotten, the user told
// once, and whoever comes next is asked for a passcode. Without DeviceStolen in
// recognise the copy is refused and nobody learns of it.
func TestTLOG26_ACopyIsNoticed(t *testing.T) {
	storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
		h := newFixture(t, empty)
		h.remembering(true)
		owners := h.remembered("b")
		h.want(h.login("b", owners, nil), nil, journey.Done) // by the thief, with all the browser's cookies
		thiefs := h.device.Cookie
		h.Clock.Advance(time.Hour)
		h.want(h.login("b", owners, nil), nil, journey.Choose)
		h.want(h.login("b", thiefs, nil), nil, journey.Choose)
		forgotten := h.events(audit.DeviceForgotten)
		if len(forgotten) != 1 || forgotten[0].Reason != "stolen" {
			t.Errorf("events %+v, want one of a stolen device", forgotten)
		}
		if n := h.queued("device-stolen"); n != 1 {
			t.Errorf("%d mails of a copy, want 1", n)
		}
	})
}

// A session that a remembered device helped to open goes on as far as the device
// does, and no further: it is looked at again for each application. Without
// stillCounts the session's row counts for all of them.
func TestJRN9_JRN8_ASessionOfARememberedDevice(t *testing.T) {
	storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
		h := newFixture(t, empty)
		h.remembering(true)
		device := h.remembered("b")
		h.want(h.login("b", device, nil), nil, journey.Done)
		s, authenticated := h.last, h.last.AuthTime
		h.Clock.Advance(time.Minute)
		passive := func(s *journey.Request) { s.Passive = true }
		v, err := h.begin("b", s, passive)
		h.want(v, err, journey.Done)
		if !h.last.AuthTime.Equal(authenticated) {
			t.Errorf("auth_time %v, want the password's, %v", h.last.AuthTime, authenticated)
		}
		v, err = h.begin("b", s, mfa) // what is missing is asked, and no more
		h.want(v, err, journey.Choose)
		h.remembering(false)
		v, err = h.begin("b", s, nil)
		h.want(v, err, journey.Choose)
		h.remembering(true)
		h.do(h.Who, func(tx *store.Tx) error {
			_, err := tx.Devices().ForgetAll(t.Context(), h.Tenant.ID, h.User.ID, "operator")
			return err
		})
		v, err = h.begin("b", s, nil)
		h.want(v, err, journey.Choose)
	})
}

// A session by password alone and the cookie are enough for an application that
// asks for more; the login is as old as the password.
func TestJRN9_JRN8_ADeviceCompletesASession(t *testing.T) {
	storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
		h := newFixture(t, empty)
		h.remembering(true)
		device := h.remembered("b")
		s := h.withPassword("b")
		h.remembering(true)
		h.Clock.Advance(30 * time.Minute)
		client := h.bringing(device, nil)
		client.Session = s
		v, err := h.beginFrom(client, "b", func(s *journey.Request) { s.Passive = true })
		h.want(v, err, journey.Done)
		if h.device.Cookie.Secret == device.Secret || h.device.Cookie.ID != device.ID {
			t.Errorf("the browser keeps %v after %v", h.device.Cookie, device)
		}
		if !h.last.AuthTime.Equal(s.AuthTime) || h.last.ID != s.ID {
			t.Errorf("session %s of %v, want %s of %v", h.last.ID, h.last.AuthTime, s.ID, s.AuthTime)
		}
	})
}
