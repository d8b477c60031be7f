package journey_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// signedInFrom makes a browser one in which a user has signed in before.
func (h *fixture) signedInFrom(browser string, user identity.User) {
	h.Helper()
	h.do(h.Who, func(tx *store.Tx) error {
		return tx.Users().RecordLogin(h.Context(), h.Tenant.ID, user.ID, browser, false, "")
	})
}

// asks names somebody in a browser, presses a button, and returns what the next page
// says first.
func (h *fixture) asks(browser, name string, at journey.Step, in journey.Input) (told string) {
	h.Helper()
	v, err := h.take(h.withSession(nowhere), h.named(browser, name, at), in)
	if err != nil {
		h.Fatal(err)
	}
	return v.Journey.Notice
}

func (h *fixture) asksReset(browser, name string) string {
	h.Helper()
	return h.asks(browser, name, journey.AskPassword, journey.ForgotPassword{})
}

func (h *fixture) asksEnrollment(browser, name string) string {
	h.Helper()
	return h.asks(browser, name, journey.Choose, journey.ChooseMethod{Method: journey.MethodEnroll})
}

// newcomer has a password and a mail address, and nothing to confirm with.
func (h *fixture) newcomer(name string) identity.User {
	h.Helper()
	u, err := h.engine.Directory.AddUser(h.Context(), h.Who, h.Tenant.ID, directory.NewUser{Name: name, Mail: name + "@example.org", Password: password})
	if err != nil {
		h.Fatal(err)
	}
	return u
}

// Five presses by somebody else use up five codes, and nothing that is the
// owner's: not the reset in a browser that the owner has signed in from, nor
// enrolling after the password or there, nor the one by the other. All are at one
// address.
//
// Tried with all codes of a user in one count, with those of enrolling and of a reset
// in one, and without known browsers in it: each failed.
func TestTLOG10_OthersUseUpNoCodesOfTheOwner(t *testing.T) {
	storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
		h := newFixture(t, empty)
		owner := h.newcomer("new.one")
		h.signedInFrom("own", owner)
		usedUp := func(what string, press func(browser, name string) string) {
			t.Helper()
			for n := range 6 {
				want := ""
				if n == 5 {
					want = "error.code.limit"
				}
				if got := press(fmt.Sprint("other ", n), owner.Name); got != want {
					t.Errorf("%s, press %d by somebody else: told %q, want %q", what, n+1, got, want)
				}
			}
		}
		open := func(what, told string) {
			t.Helper()
			if told != "" {
				t.Errorf("%s is closed to the owner: %q", what, told)
			}
		}
		afterPassword := func(browser string) string {
			t.Helper()
			v := h.proved(h.named(browser, owner.Name, journey.AskPassword), journey.EnrollOffer)
			v, err := h.take(h.withSession(nowhere), v, journey.Continue{})
			return h.want(v, err, journey.EnrollCode).Journey.Notice
		}
		usedUp("a forgotten password", h.asksReset)
		open("a reset in a known browser", h.asksReset("own", owner.Name))
		open("enrolling after the password", afterPassword("elsewhere"))

		h.withoutPassword(nil)
		usedUp("enrolling without a password", h.asksEnrollment)
		open("enrolling in a known browser", h.asksEnrollment("own", owner.Name))

		h.setPolicy(policy.DefaultAccess())
		open("enrolling after the password", afterPassword("elsewhere"))
		open("a reset in a known browser", h.asksReset("own", owner.Name))
	})
}

// Nor does somebody else at the owner's address, who asks for codes under many names, use
// up that address for browsers that their users have signed in from, or for who gave a
// password.
//
// Tried with one count for an address: the owner was refused.
func TestTLOG10_OthersUseUpNoAddress(t *testing.T) {
	storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
		h := newFixture(t, empty)
		owner := h.newcomer("new.one")
		h.signedInFrom("own", owner)
		for n := range policy.DefaultLimits().MailCodesPerAddress + 1 {
			want := ""
			if n == policy.DefaultLimits().MailCodesPerAddress {
				want = "error.code.limit"
			}
			if got := h.asksReset("other", fmt.Sprint("somebody ", n)); got != want {
				t.Errorf("press %d: told %q, want %q", n+1, got, want)
			}
		}
		if told := h.asksReset("own", owner.Name); told != "" {
			t.Errorf("a reset in a known browser: %q", told)
		}
		v := h.proved(h.named("elsewhere", owner.Name, journey.AskPassword), journey.EnrollOffer)
		if v, err := h.take(h.withSession(nowhere), v, journey.Continue{}); err != nil || v.Step != journey.EnrollCode || v.Journey.Notice != "" {
			t.Errorf("enrolling after the password: %+v, %v", v, err)
		}
	})
}

// Push requests that others ask for before a password do not use up the user's:
// five go out, none locks push, and the owner's own go out in a known browser and
// after the password, in place of one of theirs that waits.
//
// Tried with Start for everybody: push was locked, and the owner was told that a
// request waits elsewhere.
func TestPUSH9_OthersUseUpNoPushesOfTheOwner(t *testing.T) {
	storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
		h := newFixture(t, empty)
		h.withoutPassword(nil)
		h.signedInFrom("own", h.User)
		push := journey.ChooseMethod{Method: identity.ByPush}
		press := func(who, browser string, told string, goesOut bool) {
			t.Helper()
			before := len(h.events(audit.PushChallenge))
			if got := h.asks(browser, "berit.lie", journey.Choose, push); got != told {
				t.Errorf("%s: told %q, want %q", who, got, told)
			}
			if n := len(h.events(audit.PushChallenge)) - before; (n == 1) != goesOut || n > 1 {
				t.Errorf("%s: %d requests went out, want %v", who, n, goesOut)
			}
		}
		for n := range 5 {
			h.Clock.Advance(time.Minute)
			press("somebody else", fmt.Sprint("other ", n), "", true)
		}
		h.Clock.Advance(16 * time.Second)
		press("the owner, while another's waits", "own", "", true)
		h.Clock.Advance(time.Minute)
		press("somebody else for the sixth time, who is told nothing", "other", "", false)
		if u := h.user(); !u.PushLockedUntil.IsZero() {
			t.Errorf("others locked push until %v", u.PushLockedUntil)
		}
		h.setPolicy(policy.DefaultAccess())
		v := h.send(h.toChoice("elsewhere"))
		if v.Step != journey.WaitForPush || v.Journey.Notice != "" || v.Journey.PushID == "" {
			t.Errorf("after the password: at %s, told %q", v.Step, v.Journey.Notice)
		}
	})
}

// Who keeps asking for a push under a name keeps nobody waiting in a browser that the
// user has signed in from.
//
// Tried with the name alone in whyNoPush: the owner was told to wait.
func TestTLOG10_OthersKeepNobodyWaitingForAPush(t *testing.T) {
	storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
		h := newFixture(t, empty)
		h.withoutPassword(nil)
		h.signedInFrom("own", h.User)
		ask := func(browser string) string {
			return h.asks(browser, "berit.lie", journey.Choose, journey.ChooseMethod{Method: identity.ByPush})
		}
		for _, press := range []struct{ browser, told string }{
			{"other", ""}, {"another", "error.push.wait"}, {"own", ""}, {"own", "error.push.wait"},
		} {
			if got := ask(press.browser); got != press.told {
				t.Errorf("%s: told %q, want %q", press.browser, got, press.told)
			}
		}
	})
}

// Whoever guesses a password elsewhere until the name is locked there locks nobody out
// of a browser that the owner has signed in from.
//
// Tried with counterOf without KnownBrowser: the owner was refused.
func TestTLOG10_OthersLockNoKnownBrowser(t *testing.T) {
	storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
		h := newFixture(t, empty)
		h.signedInFrom("own", h.User)
		client := h.withSession(nowhere)
		v := h.named("other", "berit.lie", journey.AskPassword)
		for range 6 {
			after, err := h.take(client, v, journey.EnterPassword{Password: "a guess"})
			v = h.want(after, err, journey.AskPassword)
		}
		if h.lockedUntil().IsZero() {
			t.Fatal("six wrong passwords locked nothing: nothing is shown")
		}
		h.proved(h.named("own", "berit.lie", journey.AskPassword), journey.Choose)
	})
}

// Whoever tries wrong invitations, until the address is told to wait, closes none that
// is right.
//
// Tried with the rate counted before the invitation is looked for: the right one was
// refused.
func TestTLOG10_WrongInvitationsCloseNoRightOne(t *testing.T) {
	storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
		h := newFixture(t, empty)
		u := h.newcomer("invited")
		i := store.Invitation{Tenant: h.Tenant.ID, ID: identity.NewID(identity.InvitationID), User: u.ID, ExpiresAt: h.Clock.Now().Add(time.Hour)}
		h.do(h.Who, func(tx *store.Tx) error {
			_, err := tx.Invitations().Add(t.Context(), i, "right")
			return err
		})
		c := h.withSession(nowhere).Client
		c.Browser, c.Binding = "b", "b"
		begin := func(secret string) (*journey.Prompt, error) {
			return h.engine.Begin(t.Context(), c, journey.FromInvitation{Secret: secret, Application: h.Application})
		}
		for n := range policy.DefaultLimits().MailCodesPerAddress + 1 {
			_, err := begin("wrong")
			if refused := errors.Is(err, identity.Throttled); refused != (n == policy.DefaultLimits().MailCodesPerAddress) || err != nil && !refused {
				t.Errorf("wrong one %d: %v", n+1, err)
			}
		}
		if p, err := begin("right"); err != nil || p.Step != journey.AskPassword {
			t.Errorf("the right one: %+v, %v", p, err)
		}
	})
}
