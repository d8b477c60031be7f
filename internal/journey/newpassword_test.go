package journey_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/enroll"
	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
	"github.com/latchkey-id/latchkey/templates"
)

const another = "seventeen green umbrellas"

// forgets stands at the page that asks for the mailed code.
func (h *fixture) forgets(browser, name string) *journey.View {
	h.Helper()
	return h.forgot(h.named(browser, name, journey.AskPassword))
}

func (h *fixture) forgot(v *journey.View) *journey.View {
	h.Helper()
	v, err := h.take(h.withSession(nowhere), v, journey.ForgotPassword{})
	return h.want(v, err, journey.AskResetCode)
}

// typesCode types a mailed code; at is where the journey is to be then.
func (h *fixture) typesCode(v *journey.View, code string, at journey.Step) *journey.View {
	h.Helper()
	v, err := h.take(h.withSession(nowhere), v, journey.EnterMailCode{Code: code})
	return h.want(v, err, at)
}

// mailedCode is the code in the newest mail of a kind.
func (h *fixture) mailedCode(kind string) string {
	h.Helper()
	all := letters[templates.PasswordReset](h, kind)
	if len(all) == 0 {
		h.Fatalf("no mail of kind %s", kind)
	}
	return all[len(all)-1].Code
}

// mailCodes makes the codes that were asked for, as a server does in the background.
func (h *fixture) mailCodes() {
	h.Helper()
	if _, err := (&enroll.CodeMailer{DB: h.db}).Flush(h.Context()); err != nil {
		h.Fatal(err)
	}
}

// letters are what the mails of a kind say, oldest first.
func letters[L any](h *fixture, kind string) (all []L) {
	h.Helper()
	h.mailCodes()
	h.do(h.Who, func(tx *store.Tx) error {
		leased, err := tx.Outbox().Lease(h.Context(), "test", tx.Now().Add(time.Millisecond), 100)
		if err != nil {
			return err
		}
		slices.SortStableFunc(leased, func(a, b store.Message) int { return a.CreatedAt.Compare(b.CreatedAt) })
		for _, m := range leased {
			if m.Kind == kind {
				var l L
				if err := json.Unmarshal(m.Arguments, &l); err != nil {
					return err
				}
				all = append(all, l)
			}
		}
		return nil
	})
	return all
}

func (h *fixture) sets(v *journey.View, typed string, at journey.Step, told string) *journey.View {
	h.Helper()
	v, err := h.take(h.withSession(nowhere), v, journey.ChoosePassword{Password: typed, Again: typed})
	v = h.want(v, err, at)
	if v.Journey.Notice != told {
		h.Errorf("told %q, want %q", v.Journey.Notice, told)
	}
	return v
}

// A forgotten password is set anew by the code mailed and the authenticator, and
// by both alone; whoever had the old one is out.
func TestTLOG02_AForgottenPasswordIsSetAnew(t *testing.T) {
	storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
		h := newFixture(t, empty)
		client := h.withSession(nowhere)
		v := h.toChoice("thief")
		v, err := h.take(client, v, journey.ChooseMethod{Method: identity.ByPasscode})
		v = h.want(v, err, journey.AskPasscode)
		h.types(v, h.passcode(0), journey.Done, "")
		stolen := h.last
		halfway := h.toChoice("thief too")
		h.Clock.Advance(time.Minute)

		v = h.typesCode(h.forgets("own", "berit.lie"), h.mailedCode("password-reset"), journey.Choose)
		if !v.Journey.Proved() || v.Journey.Has(identity.Password) {
			t.Error("the code must show who it is, and be no password")
		}
		v, err = h.take(client, v, journey.ChooseMethod{Method: identity.ByPasscode})
		v = h.types(h.want(v, err, journey.AskPasscode), "000000", journey.AskPasscode, "error.passcode.wrong")
		v = h.types(v, h.passcode(0), journey.AskNewPassword, "")
		v = h.sets(v, "password", journey.AskNewPassword, "error.password.common")
		if v, err = h.take(client, v, journey.ChoosePassword{Password: another, Again: another + "!"}); err != nil || v.Journey.Notice != "error.password.different" {
			t.Errorf("typed in two ways: %v", err)
		}
		v = h.sets(v, password, journey.AskNewPassword, "error.password.same") // the one that was forgotten
		v = h.sets(v, another, journey.Done, "")
		if got := journey.References(v.Journey.Passed); !slices.Equal(got, []string{"otp", "pwd", "mfa"}) {
			t.Errorf("amr %v", got)
		}

		left, err := store.Collect(h.db.Sessions().OfUser(t.Context(), h.Tenant.ID, h.User.ID))
		if err != nil || len(left) != 1 || left[0].ID != h.last.ID || left[0].ID == stolen.ID {
			t.Errorf("sessions %+v, %v; want the new one alone", left, err)
		}
		if now, err := h.lookAt(halfway.Journey.ID); err != nil || now.Step != journey.AskPassword {
			t.Errorf("a login under way stands at %v, %v", now.Step, err)
		}
		v, err = h.take(client, h.named("old", "berit.lie", journey.AskPassword), journey.EnterPassword{Password: password})
		h.want(v, err, journey.AskPassword)
		v, err = h.take(client, h.named("new", "berit.lie", journey.AskPassword), journey.EnterPassword{Password: another})
		h.want(v, err, journey.Choose)
		if all := letters[templates.PasswordChanged](h, "password-changed"); len(all) != 1 || all[0].How != templates.PasswordForgotten {
			t.Errorf("%d mails tell of it", len(all))
		}
		changed := slices.DeleteFunc(h.events(audit.UserChanged), func(e audit.Event) bool { return e.Data["password"] != "changed" })
		if len(changed) != 1 || !strings.Contains(changed[0].Data["by"], "forgotten") || changed[0].Data["sessions"] != "1" {
			t.Errorf("events %+v", changed)
		}
	})
}

// Until the mailed code was right all names are answered the same: one that is
// nobody's, one that is disabled, locked, without a mail address, without a
// password, and one that is somebody's.
func TestTLOG01_WhoForgotIsToldTheSame(t *testing.T) {
	storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
		h := newFixture(t, empty)
		add := func(name, mail, password string) identity.User {
			u, err := h.engine.Directory.AddUser(t.Context(), h.Who, h.Tenant.ID, directory.NewUser{Name: name, Mail: mail, Password: password})
			if err != nil {
				t.Fatal(err)
			}
			return u
		}
		add("nomail", "", password)
		add("nopassword", "nopassword@example.org", "")
		add("noauthenticator", "none@example.org", password)
		locked, disabled := add("locked", "locked@example.org", password), add("disabled", "disabled@example.org", password)
		h.do(h.Who, func(tx *store.Tx) error {
			if _, err := tx.Users().Lock(t.Context(), h.Tenant.ID, locked.ID); err != nil {
				return err
			}
			_, err := tx.Users().Disable(t.Context(), h.Tenant.ID, disabled.ID)
			return err
		})
		for _, name := range []string{"berit.lie", "nobody", "nomail", "nopassword", "noauthenticator", "locked", "disabled"} {
			v := h.forgets("b "+name, name)
			var told []string
			for range 6 {
				v = h.typesCode(v, "000000", journey.AskResetCode)
				told = append(told, v.Journey.Notice)
			}
			if v2, err := h.take(h.withSession(nowhere), v, journey.Resend{}); err != nil || v2.Step != journey.AskResetCode {
				t.Errorf("%s: again: %v", name, err)
			} else {
				told = append(told, v2.Journey.Notice)
			}
			want := []string{"error.code.wrong", "error.code.wrong", "error.code.wrong", "error.code.wrong", "error.code.tries", "error.code.tries", "error.code.wait"}
			if !slices.Equal(told, want) {
				t.Errorf("%s is told %v", name, told)
			}
		}
		// The locked one gets a code too: who has it is told of the lock.
		if got := len(h.mails("password-reset")); got != 3 {
			t.Errorf("%d mails, want those of berit.lie, noauthenticator and locked", got)
		}
	})
}

// Neither the mailed code, nor what an earlier login left in the browser, nor
// self-provisioning stands for the second factor (CVE-2026-18963): a mailbox alone
// opens nothing.
//
// Tried with j.Passed kept in SendResetCode, with FactorStands taken out of
// resetting, and with MayEnroll as it is without a reset: each failed.
func TestTLOG05_AMailboxSetsNoPassword(t *testing.T) {
	storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
		h := newFixture(t, empty)
		client := h.withSession(nowhere)
		must := func(what string, v *journey.View) {
			t.Helper()
			if _, err := h.take(client, v, journey.ChoosePassword{Password: another, Again: another}); !errors.Is(err, identity.Conflict) {
				t.Errorf("%s: set a password: %v", what, err)
			}
		}
		must("without anything", h.named("a", "berit.lie", journey.AskPassword))
		v := h.forgets("b", "berit.lie")
		must("before the code", v)
		v = h.typesCode(v, h.mailedCode("password-reset"), journey.Choose)
		must("by the code alone", v)
		at := *v
		at.Step = journey.AskNewPassword // as the browser says it stands
		must("by a form of the next page", &at)

		// A session left open proved a second factor, long ago.
		h.Clock.Advance(time.Minute)
		v, err := h.take(client, h.toChoice("own"), journey.ChooseMethod{Method: identity.ByPasscode})
		h.types(h.want(v, err, journey.AskPasscode), h.passcode(0), journey.Done, "")
		open := h.last
		h.Clock.Advance(time.Minute)
		halfHour := int64(1800)
		old := open
		old.Passed = slices.Clone(open.Passed)
		for i, p := range old.Passed {
			if p.Validation == identity.Password {
				old.Passed[i].At = p.At.Add(-time.Hour)
			}
		}
		v, err = h.begin("own", old, func(s *journey.Request) { s.MaxAge = &halfHour })
		v = h.want(v, err, journey.AskPassword)
		if !v.Journey.HasSecondFactor() {
			t.Fatal("the session's factor does not count: the trial shows nothing")
		}
		v = h.typesCode(h.forgot(v), h.mailedCode("password-reset"), journey.Choose)
		must("by a session's factor", v)

		// Who has no authenticator is not helped to one.
		if _, err := h.engine.Directory.AddUser(t.Context(), h.Who, h.Tenant.ID, directory.NewUser{Name: "new", Mail: "new@example.org", Password: password}); err != nil {
			t.Fatal(err)
		}
		v = h.typesCode(h.forgets("c", "new"), h.mailedCode("password-reset"), journey.Refused)
		must("without an authenticator", v)
		if v.Facts.MayEnroll || v.Journey.Enroll != identity.NotEnrolling {
			t.Error("self-provisioning is offered beside the reset")
		}
	})
}

// A code for one purpose is wrong for the other, is good once, for ten minutes, and
// in its own journey.
func TestENR6_AResetCodeIsForAResetAlone(t *testing.T) {
	h := newFixture(t, storetest.SQLite(t))
	first := h.forgets("a", "berit.lie")
	code := h.mailedCode("password-reset")
	h.Clock.Advance(time.Minute)
	second := h.forgets("b", "berit.lie")
	if v := h.typesCode(second, code, journey.AskResetCode); v.Journey.Notice != "error.code.wrong" {
		t.Errorf("of another journey: %q", v.Journey.Notice)
	}
	h.do(h.Who, func(tx *store.Tx) error {
		rules, err := enroll.ReadRules(t.Context(), tx.Reader, h.Tenant.ID)
		if err != nil {
			return err
		}
		j := *first.Journey
		j.Reset, j.Enroll = identity.NotResetting, identity.EnrollCode
		problem, err := enroll.CheckCode(t.Context(), tx, &j, code, rules)
		if problem != "error.code.wrong" {
			t.Errorf("to enrol: %q", problem)
		}
		return err
	})
	h.Clock.Advance(10 * time.Minute)
	if v := h.typesCode(first, code, journey.AskResetCode); v.Journey.Notice != "error.code.expired" {
		t.Errorf("after ten minutes: %q", v.Journey.Notice)
	}
}

// Where the password was changed meanwhile, what was begun with the old one ends:
// two resets at once set one password, and an operator's goes before both.
//
// Tried without the old hash in ReplacePassword, and without reset = ” in
// TakeBackPassword: both were set.
func TestTLOG29_OneResetOfTwo(t *testing.T) {
	storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
		h := newFixture(t, empty)
		ready := func(browser string) *journey.View {
			h.Clock.Advance(time.Minute)
			v := h.typesCode(h.forgets(browser, "berit.lie"), h.mailedCode("password-reset"), journey.Choose)
			v, err := h.take(h.withSession(nowhere), v, journey.ChooseMethod{Method: identity.ByPasscode})
			return h.types(h.want(v, err, journey.AskPasscode), h.passcode(0), journey.AskNewPassword, "")
		}
		pages := make(chan *journey.View, 2)
		pages <- ready("a")
		pages <- ready("b")
		results := make(chan error, 2)
		each(2, &journey.View{Journey: &identity.Journey{}}, func(*journey.View) {
			_, err := h.take(h.withSession(nowhere), <-pages, journey.ChoosePassword{Password: another, Again: another})
			results <- err
		})
		if a, b := <-results, <-results; (a == nil) == (b == nil) {
			t.Errorf("%v and %v, want one password set", a, b)
		}
		v, operators := ready("c"), "an operator chose this"
		if _, err := h.engine.Directory.Change(t.Context(), h.Who, h.Tenant.ID, "berit.lie", directory.Change{Password: &operators}); err != nil {
			t.Fatal(err)
		}
		if _, err := h.take(h.withSession(nowhere), v, journey.ChoosePassword{Password: another, Again: another}); !errors.Is(err, identity.Conflict) {
			t.Errorf("over an operator's password: %v", err)
		}
		if now, err := h.lookAt(v.Journey.ID); err != nil || now.Step != journey.AskPassword {
			t.Errorf("the reset stands at %s, %v", now.Step, err)
		}
	})
}

// A password that expired, or that an operator wants changed, is changed in the
// login, after all that it requires; not by itself, and not where single sign-on
// asks for none.
func TestTLOG29_ADuePasswordIsChangedInTheLogin(t *testing.T) {
	storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
		h := newFixture(t, empty)
		client := h.withSession(nowhere)
		login := func(browser, password string, at journey.Step) *journey.View {
			t.Helper()
			h.Clock.Advance(time.Minute)
			v, err := h.take(client, h.named(browser, "berit.lie", journey.AskPassword), journey.EnterPassword{Password: password})
			v = h.want(v, err, journey.Choose)
			v, err = h.take(client, v, journey.ChooseMethod{Method: identity.ByPasscode})
			return h.types(h.want(v, err, journey.AskPasscode), h.passcode(0), at, "")
		}
		rules := policy.DefaultPasswords()
		rules.ExpireDays = 90
		h.setPolicy(rules)
		login("a", password, journey.Done)
		h.Clock.Advance(90 * 24 * time.Hour)
		v := login("b", password, journey.AskNewPassword)
		if h.grants.Load() != 1 {
			t.Error("let in with an expired password")
		}
		v = h.sets(v, password, journey.AskNewPassword, "error.password.same")
		h.sets(v, another, journey.Done, "")
		login("c", another, journey.Done)

		due := true
		if _, err := h.engine.Directory.Change(t.Context(), h.Who, h.Tenant.ID, "berit.lie", directory.Change{PasswordDue: &due}); err != nil {
			t.Fatal(err)
		}
		v, err := h.begin("c", h.last, nil)
		h.want(v, err, journey.Done)
		v = login("d", another, journey.AskNewPassword)
		h.sets(v, password, journey.Done, "")
		login("e", password, journey.Done)
		if all := letters[templates.PasswordChanged](h, "password-changed"); len(all) != 2 || all[1].How != templates.PasswordDue {
			t.Errorf("%d mails tell of it", len(all))
		}
	})
}
