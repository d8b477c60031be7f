package journey_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// client is what a face hands the engine for a browser.
func (h *fixture) client(browser string) journey.Client {
	c := h.withSession(identity.Session{}).Client
	c.Browser, c.Binding = browser, browser
	return c
}

// starts begins a journey for a client and returns its first prompt.
func (h *fixture) starts(c journey.Client) *journey.Prompt {
	h.Helper()
	v, err := h.begin(c.Browser, identity.Session{}, nil)
	if err != nil {
		h.Fatal(err)
	}
	p, err := h.engine.Look(h.Context(), c, v.Journey.ID)
	if err != nil {
		h.Fatal(err)
	}
	return p
}

// random is what differs from one journey to another, whoever it is about.
var random = regexp.MustCompile(`"(code|digits|started|challenge)":("[^"]*"|[0-9]+)`)

// Until a password was proved, the prompts of a name that exists, of one that does
// not, of one that is locked, disabled, has no authenticator, or is denied by
// policy are equal as JSON, whatever is handed in.
func TestENR4_PromptsAreEqualUntilAPasswordWasProved(t *testing.T) {
	for policyName, required := range map[string][]identity.Validation{
		"password first":  {identity.Password, identity.SecondFactor},
		"passcode only":   {identity.SecondFactor},
		"passkey as well": {identity.Password, identity.VerifiedPasskey},
	} {
		t.Run(policyName, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
				h := newFixture(t, empty)
				h.setPolicy(policy.Access{Rules: []policy.Rule{{Name: "all", Require: required}}})
				rules := policy.DefaultPush()
				rules.BeforePassword = true
				h.setPolicy(rules)
				names := h.kindsOfNames()
				want := ""
				for _, name := range names {
					told := h.promptsOf(name)
					if want == "" {
						want = told
					}
					if told != want {
						t.Errorf("%s is told\n%s\nand %s\n%s", name, told, names[0], want)
					}
				}
			})
		})
	}
}

// kindsOfNames are names of each kind: the first is a user's whom nothing is wrong
// with.
func (h *fixture) kindsOfNames() []string {
	h.Helper()
	add := func(name string) identity.User { return h.addUser(name) }
	add("noauthenticator")
	locked, disabled, pushLocked := add("locked"), add("disabled"), add("pushlocked")
	h.do(h.Who, func(tx *store.Tx) error {
		if _, err := tx.Users().Lock(h.Context(), h.Tenant.ID, locked.ID); err != nil {
			return err
		}
		if _, err := tx.Users().Disable(h.Context(), h.Tenant.ID, disabled.ID); err != nil {
			return err
		}
		phone := h.token
		phone.ID, phone.Serial = identity.NewID(identity.AuthenticatorID), "LK9"
		if err := tx.Authenticators().Add(h.Context(), phone, pushLocked.ID); err != nil {
			return err
		}
		return tx.Push().Lock(h.Context(), h.Tenant.ID, pushLocked.ID, h.db.Now().Add(24*time.Hour))
	})
	return []string{"berit.lie", "nobody", "pushlocked", "noauthenticator", "locked", "disabled", "Nobody.Else"}
}

// promptsOf hands one and the same sequence of inputs to a new journey of a name,
// and returns the JSON of every prompt, with the name and what is random left out.
func (h *fixture) promptsOf(name string) string {
	h.Helper()
	c := h.client("b-" + name)
	p := h.starts(c)
	var told bytes.Buffer
	note := func() {
		text, err := json.Marshal(p)
		if err != nil {
			h.Fatal(err)
		}
		text = random.ReplaceAll(text, []byte(`"$1":""`))
		told.Write(bytes.ReplaceAll(text, []byte(`"`+name+`"`), []byte(`"NAME"`)))
		told.WriteByte('\n')
	}
	note()
	for _, in := range []journey.Input{
		journey.EnterName{Name: name},
		journey.EnterPassword{Password: "not the password"},
		journey.ChooseMethod{Method: identity.ByPasscode},
		journey.EnterPasscode{Passcode: "000000"},
		journey.EnterPasscode{Passcode: "zero"},
		journey.ChooseMethod{Method: identity.ByRecoveryCode},
		journey.EnterRecoveryCode{Code: "AAAA-AAAA-AAAA-AAAA"},
		journey.ChooseMethod{Method: identity.ByPush},
		journey.Continue{},
		journey.GoBack{},
		journey.ChooseMethod{Method: identity.ByPasskey},
		journey.ChooseMethod{Method: journey.MethodEnroll},
		journey.EnterMailCode{Code: "123456"},
		journey.Resend{},
		journey.GoBack{},
		journey.GoBack{},
		journey.EnterName{Name: name},
		journey.ForgotPassword{},
		journey.EnterMailCode{Code: "123456"},
		journey.PickLanguage{Language: "de"},
		journey.Cancel{},
	} {
		after, err := h.engine.Take(h.Context(), c, p.Journey, p.State, in)
		if err != nil {
			fmt.Fprintf(&told, "%s: %v\n", in.Kind(), errorKey(err))
			continue
		}
		p = after
		note()
	}
	h.Clock.Advance(20 * time.Minute) // so that no limit is met by the next name
	return told.String()
}

func errorKey(err error) string {
	if e, ok := errors.AsType[*identity.Error](err); ok {
		return e.Key
	}
	return err.Error()
}

// Another client than the journey's is refused, whatever it hands in, and nothing
// changes (JRN-4).
func TestJRN4_AnotherClientIsRefused(t *testing.T) {
	h := newFixture(t, storetest.SQLite(t))
	mine, theirs := h.client("mine"), h.client("theirs")
	p := h.starts(mine)
	for _, c := range []journey.Client{theirs, h.client("")} {
		if _, err := h.engine.Look(t.Context(), c, p.Journey); !errors.Is(err, identity.Forbidden) {
			t.Errorf("Look by %q: %v, want Forbidden", c.Binding, err)
		}
		if _, err := h.engine.Take(t.Context(), c, p.Journey, p.State, journey.EnterName{Name: "berit.lie"}); !errors.Is(err, identity.Forbidden) {
			t.Errorf("Take by %q: %v, want Forbidden", c.Binding, err)
		}
		if _, err := h.engine.Wait(t.Context(), c, p.Journey, p.State); !errors.Is(err, identity.Forbidden) {
			t.Errorf("Wait by %q: %v, want Forbidden", c.Binding, err)
		}
	}
	after, err := h.engine.Look(t.Context(), mine, p.Journey)
	if err != nil || after.State != p.State {
		t.Errorf("state %q after others' inputs, %v; want %q", after.State, err, p.State)
	}
}

// An input that was decided on another prompt changes nothing, and gets the present
// prompt: a form sent twice, one of a page that was left, one of another step.
func TestJRN4_AStaleInputChangesNothing(t *testing.T) {
	h := newFixture(t, storetest.SQLite(t))
	c := h.client("b")
	first := h.starts(c)
	second, err := h.engine.Take(t.Context(), c, first.Journey, first.State, journey.EnterName{Name: "berit.lie"})
	if err != nil || second.Step != journey.AskPassword || second.Stale {
		t.Fatalf("at %q, %v", second.Step, err)
	}
	for name, tt := range map[string]struct {
		state string
		in    journey.Input
	}{
		"the same form again":                {first.State, journey.EnterName{Name: "somebody.else"}},
		"a button of the page that was left": {first.State, journey.Cancel{}},
		"an input of another step":           {second.State, journey.EnterPasscode{Passcode: h.passcode(0)}},
		"a state of another step":            {"2.passcode", journey.EnterPasscode{Passcode: h.passcode(0)}},
		"a button of a page of that version": {"2.choose", journey.Cancel{}},
		"a state that is none":               {"", journey.EnterPassword{Password: password}},
		"a version to come":                  {"3.password", journey.EnterPassword{Password: password}},
		"to go on from nothing":              {second.State, journey.Continue{}},
	} {
		after, err := h.engine.Take(t.Context(), c, first.Journey, tt.state, tt.in)
		if err != nil || !after.Stale || after.State != second.State || after.Name != "berit.lie" {
			t.Errorf("%s: %+v, %v; want the present prompt", name, after, err)
		}
	}
	if n := len(h.events("login.cancelled")); n != 0 {
		t.Errorf("%d journeys were cancelled", n)
	}
}

// Each step leaves its record: where it stood, who acted, what was handed in and
// what came of it, and nothing that was typed.
func TestJRN5_StepsAreRecorded(t *testing.T) {
	storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
		h := newFixture(t, empty)
		c := h.client("b")
		p := h.starts(c)
		for _, in := range []journey.Input{
			journey.EnterName{Name: "berit.lie"}, journey.EnterPassword{Password: "hunter2-hunter2"}, journey.EnterPassword{Password: password},
			journey.ChooseMethod{Method: identity.ByPasscode}, journey.EnterPasscode{Passcode: h.passcode(0)},
		} {
			var err error
			if p, err = h.engine.Take(t.Context(), c, p.Journey, p.State, in); err != nil || p.Stale {
				t.Fatalf("%s: %+v, %v", in.Kind(), p, err)
			}
			h.Clock.Advance(time.Second)
		}
		steps, err := h.db.Journeys().StepsTaken(t.Context(), h.Tenant.ID, p.Journey)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for i, s := range steps {
			got = append(got, fmt.Sprintf("%s %s %s %s", s.Step, s.Executor, s.Input, s.Result))
			if i > 0 && !s.At.After(steps[i-1].At) {
				t.Errorf("step %d at %s, the one before at %s", i, s.At, steps[i-1].At)
			}
		}
		want := []string{"identify BROWSER name ", "password BROWSER password error.login.wrong", "password BROWSER password ",
			"choose BROWSER method ", "passcode BROWSER passcode "}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("recorded\n%q, want\n%q", got, want)
		}
		text, err := json.Marshal(steps)
		if err != nil || bytes.Contains(text, []byte("hunter2")) || bytes.Contains(text, []byte(password)) || bytes.Contains(text, []byte("berit")) {
			t.Errorf("the record tells what was typed: %s, %v", text, err)
		}
	})
}

// The callback of an application is handed a copy of the journey: what it does to
// that changes nothing.
func TestJRN2_TheGrantChangesNoJourney(t *testing.T) {
	h := newFixture(t, storetest.SQLite(t))
	h.setPolicy(policy.Access{Rules: []policy.Rule{{Name: "all", Require: []identity.Validation{identity.Password}}}})
	c := h.client("b")
	c.Grant = func(_ context.Context, _ *store.Tx, s journey.Success) error {
		s.Journey.UserID, s.Journey.Outcome = "usr_other", identity.Denied
		return nil
	}
	p := h.starts(c)
	for _, in := range []journey.Input{journey.EnterName{Name: "berit.lie"}, journey.EnterPassword{Password: password}} {
		var err error
		if p, err = h.engine.Take(t.Context(), c, p.Journey, p.State, in); err != nil {
			t.Fatal(err)
		}
	}
	j, err := h.db.Journeys().Get(t.Context(), h.Tenant.ID, p.Journey)
	if err != nil || j.UserID != h.User.ID || j.Outcome != identity.Succeeded || p.Outcome != identity.Succeeded || !p.EndedNow {
		t.Errorf("journey of %s ended with %q, %v; prompt %+v", j.UserID, j.Outcome, err, p)
	}
}

// No hash is computed while a transaction is open: the one writer of SQLite could
// not begin another meanwhile.
func TestJRN2_NoHashInsideATransaction(t *testing.T) {
	h := newFixture(t, storetest.SQLite(t))
	hashes := 0
	h.engine.Directory.Hashed = func(context.Context) {
		hashes++
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		if err := h.db.InTx(ctx, h.Who, func(*store.Tx) error { return nil }); err != nil {
			t.Errorf("a hash was computed inside a transaction: %v", err)
		}
	}
	c := h.client("b")
	p := h.starts(c)
	for _, in := range []journey.Input{
		journey.EnterName{Name: "nobody"}, journey.EnterPassword{Password: password}, journey.GoBack{},
		journey.EnterName{Name: "berit.lie"}, journey.EnterPassword{Password: "wrong"}, journey.EnterPassword{Password: password},
	} {
		var err error
		if p, err = h.engine.Take(t.Context(), c, p.Journey, p.State, in); err != nil || p.Stale {
			t.Fatalf("%s: %+v, %v", in.Kind(), p, err)
		}
	}
	if hashes != 3 {
		t.Errorf("%d hashes, want 3", hashes)
	}
}

// A try that finds no slot for its hash has counted nowhere.
func TestQLT3_WhoFindsNoSlotHasNotTried(t *testing.T) {
	h := newFixture(t, storetest.SQLite(t))
	c := h.client("b")
	p := h.starts(c)
	p, err := h.engine.Take(t.Context(), c, p.Journey, p.State, journey.EnterName{Name: "berit.lie"})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // as many as the fixture's directory has
		slot, err := h.engine.Directory.AcquireHashSlot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer slot.Release()
	}
	if _, err := h.engine.Take(t.Context(), c, p.Journey, p.State, journey.EnterPassword{Password: "wrong"}); !errors.Is(err, identity.Unavailable) {
		t.Fatalf("with all slots taken: %v, want Unavailable", err)
	}
	u, err := h.db.Users().Get(t.Context(), h.Tenant.ID, h.User.ID)
	if err != nil || u.Failures != 0 {
		t.Errorf("%d failures counted, %v", u.Failures, err)
	}
	after, err := h.engine.Look(t.Context(), c, p.Journey)
	if err != nil || after.State != p.State {
		t.Errorf("state %q, %v; want %q", after.State, err, p.State)
	}
}

// Who signs in ends the session that somebody else had in the same browser, and
// nobody else's.
func TestTLOG04_AnotherPersonsSessionEndsWithTheSignIn(t *testing.T) {
	storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
		h := newFixture(t, empty)
		h.setPolicy(policy.Access{Rules: []policy.Rule{{Name: "all", Require: []identity.Validation{identity.Password}}}})
		other := h.addUser("carl")
		now := h.db.Now()
		theirs := identity.Session{Tenant: h.Tenant.ID, ID: identity.NewID(identity.SessionID), UserID: other.ID, Browser: "b", CreatedAt: now, SeenAt: now,
			Idle: time.Hour, ExpiresAt: now.Add(time.Hour), AuthTime: now, Passed: []identity.CompletedFactor{{Validation: identity.Password, Method: identity.ByPassword, At: now}}}
		elsewhere := theirs
		elsewhere.ID, elsewhere.Browser = identity.NewID(identity.SessionID), "c"
		h.do(h.Who, func(tx *store.Tx) error {
			return errors.Join(tx.Sessions().Save(t.Context(), theirs, identity.NewSecret()), tx.Sessions().Save(t.Context(), elsewhere, identity.NewSecret()))
		})
		c := h.client("b")
		p := h.starts(c)
		c.Session = theirs
		for _, in := range []journey.Input{journey.EnterName{Name: "berit.lie"}, journey.EnterPassword{Password: password}} {
			var err error
			if p, err = h.engine.Take(t.Context(), c, p.Journey, p.State, in); err != nil {
				t.Fatal(err)
			}
		}
		left, err := store.Collect(h.db.Sessions().OfUser(t.Context(), h.Tenant.ID, other.ID))
		if err != nil || len(left) != 1 || left[0].ID != elsewhere.ID {
			t.Errorf("carl's sessions %+v, %v; want the one in the other browser alone", left, err)
		}
		if h.last.UserID != h.User.ID || h.last.ID == theirs.ID {
			t.Errorf("session %+v", h.last)
		}
	})
}
