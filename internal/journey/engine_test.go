package journey_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/push"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
	"github.com/latchkey-id/latchkey/locales/localestest"
)

// A fixture is a tenant with an application, and a user who has a password and
// an authenticator that makes passcodes and gets push.
type fixture struct {
	*storetest.Fixture
	*testing.T
	db     *store.DB
	engine *journey.Engine
	token  identity.Authenticator
	grants atomic.Int32
	last   identity.Session           // of the newest success
	device journey.Device             // that its browser was given to keep
	passed []identity.CompletedFactor // in its journey
}

const password = "correct horse battery"

func newFixture(t *testing.T, empty *storetest.Fixture) *fixture {
	t.Helper()
	db := empty.DB
	h := &fixture{Fixture: empty, T: t, db: db}
	h.engine = h.newEngine(db)
	var err error
	h.User, err = h.engine.Directory.AddUser(t.Context(), h.Who, h.Tenant.ID, directory.NewUser{Name: "Berit.Lie", Mail: "berit@example.org", Password: password})
	if err != nil {
		t.Fatal(err)
	}
	h.token = identity.Authenticator{Tenant: h.Tenant.ID, ID: identity.NewID(identity.AuthenticatorID), Serial: "LK1", Kind: identity.AppToken,
		Name: "Pixel 9", Platform: identity.Android, Seed: []byte("12345678901234567890"), Digits: 6, Step: 30, ActivatedAt: db.Now(),
		PushOnAt: db.Now(), Capabilities: []string{"presence:none", "presence:enter"}}
	h.do(h.Who, func(tx *store.Tx) error { return tx.Authenticators().Add(t.Context(), h.token, h.User.ID) })
	return h
}

func (h *fixture) do(who identity.Principal, f func(tx *store.Tx) error) {
	h.Helper()
	if err := h.db.InTx(h.Context(), who, f); err != nil {
		h.Fatal(err)
	}
}

// newEngine is an engine on a database of this installation, as one node has it.
func (h *fixture) newEngine(db *store.DB) *journey.Engine {
	h.Helper()
	return &journey.Engine{DB: db, Directory: directory.New(db, 2), Catalog: localestest.Catalog(h), Base: &url.URL{Scheme: "https", Host: "login.example.org"}}
}

// A client is that of an input, and whether it asked beside its input to be remembered.
type client struct {
	journey.Client
	Remember *bool
}

func (h *fixture) withSession(s identity.Session) client {
	return client{Client: journey.Client{Tenant: h.Tenant, Who: identity.Principal{Tenant: h.Tenant.ID, Kind: identity.Browser, IP: "192.0.2.17"}, Session: s,
		Grant: func(_ context.Context, _ *store.Tx, s journey.Success) error {
			h.grants.Add(1)
			h.last, h.device, h.passed = s.Session, s.Device, s.Journey.Passed
			return nil
		}}}
}

// take hands an input to the journey of a view, from the client it is bound to,
// and returns the view of what followed. An input that was not taken is a
// Conflict.
func (h *fixture) take(c client, v *journey.View, in journey.Input) (*journey.View, error) {
	return h.takeOn(h.engine, c, v, in)
}

func (h *fixture) takeOn(e *journey.Engine, c client, v *journey.View, in journey.Input) (*journey.View, error) {
	h.Helper()
	remembering := journey.Remembering{Remember: c.Remember}
	switch with := in.(type) {
	case journey.ChooseMethod:
		with.Remembering = remembering
		in = with
	case journey.EnterPasscode:
		with.Remembering = remembering
		in = with
	case journey.EnterResponse:
		with.Remembering = remembering
		in = with
	case journey.SignWithPasskey:
		with.Remembering = remembering
		in = with
	}
	c.Binding, c.Browser = v.Journey.Browser, v.Journey.Browser
	before := slices.Clone(v.Journey.Passed)
	p, err := e.Take(h.Context(), c.Client, v.Journey.ID, v.State(), in)
	if err != nil {
		return nil, err
	}
	if p.Stale {
		return nil, &identity.Error{Kind: identity.Conflict, Err: errors.New("the input was not taken")}
	}
	after, err := h.viewOf(c, p)
	if err == nil {
		h.checkProofs(after.Journey, before, c.Session)
	}
	return after, err
}

// viewOf is what the engine knows behind a prompt.
func (h *fixture) viewOf(c client, p *journey.Prompt) (*journey.View, error) {
	v, err := h.engine.Load(context.WithoutCancel(h.Context()), c.Client, p.Journey)
	if err == nil && p.EndedNow {
		v.Step = p.Step
	}
	return v, err
}

func (h *fixture) lookAt(id string) (*journey.View, error) {
	return h.engine.Load(h.Context(), h.withSession(identity.Session{}).Client, id)
}

// Why a journey did not begin.
var (
	errLoginRequired = errors.New("login required")
	errContextUnmet  = errors.New("context unmet")
)

func (h *fixture) started(c client, p *journey.Prompt, err error) (*journey.View, error) {
	h.Helper()
	switch {
	case err != nil:
		return nil, err
	case p.Reason == journey.ReasonLoginRequired:
		return nil, errLoginRequired
	case p.Reason == journey.ReasonContextUnmet:
		return nil, errContextUnmet
	}
	return h.viewOf(c, p)
}

// begin begins a journey for a browser.
func (h *fixture) begin(browser string, s identity.Session, change func(*journey.Request)) (*journey.View, error) {
	h.Helper()
	return h.beginFrom(h.withSession(s), browser, change)
}

func (h *fixture) beginFrom(c client, browser string, change func(*journey.Request)) (*journey.View, error) {
	h.Helper()
	var want journey.Request
	if change != nil {
		change(&want)
	}
	wants, err := json.Marshal(want)
	if err != nil {
		h.Fatal(err)
	}
	id := identity.NewID(identity.RequestID)
	h.do(identity.Principal{Tenant: h.Tenant.ID}, func(tx *store.Tx) error {
		return tx.Requests().Add(h.Context(), store.Request{Tenant: h.Tenant.ID, ID: id, Application: h.Application.ID, Wants: wants, ExpiresAt: h.db.Now().Add(time.Minute)})
	})
	c.Browser, c.Binding = browser, browser
	p, err := h.engine.Begin(h.Context(), c.Client, journey.FromApplication{Stored: id})
	return h.started(c, p, err)
}

// want is the view of a step that was taken, which must stand at a step.
func (h *fixture) want(v *journey.View, err error, step journey.Step) *journey.View {
	h.Helper()
	if err != nil {
		h.Fatalf("on the way to %q: %v", step, err)
	}
	if v.Step != step {
		h.Fatalf("at %q (%s), want %q", v.Step, v.Journey.Notice, step)
	}
	return v
}

func (h *fixture) toChoice(browser string) *journey.View {
	h.Helper()
	v, err := h.begin(browser, identity.Session{}, nil)
	v = h.want(v, err, journey.Identify)
	v, err = h.take(h.withSession(identity.Session{}), v, journey.EnterName{Name: " Berit.LIE "})
	v = h.want(v, err, journey.AskPassword)
	return h.proved(v, journey.Choose)
}

// proved gives the right password and wants to be at a step then.
func (h *fixture) proved(v *journey.View, at journey.Step) *journey.View {
	h.Helper()
	v, err := h.take(h.withSession(identity.Session{}), v, journey.EnterPassword{Password: password})
	return h.want(v, err, at)
}

func (h *fixture) passcode(offset int64) string {
	params := otp.Params{Digits: 6, Period: 30}
	return otp.HOTP(h.token.Seed, params, otp.Step(params, h.db.Now())+offset)
}

func (h *fixture) events(kind audit.Kind) []audit.Event {
	h.Helper()
	all, err := store.Collect(h.db.Events().List(h.Context(), h.Tenant.ID, store.EventFilter{Kind: kind, Limit: -1}))
	if err != nil {
		h.Fatal(err)
	}
	return all
}

func TestJRN1_PasswordAndPasscode(t *testing.T) {
	storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
		h := newFixture(t, empty)
		client := h.withSession(identity.Session{})
		v := h.toChoice("b")
		v, err := h.take(client, v, journey.ChooseMethod{Method: identity.ByPasscode})
		v = h.want(v, err, journey.AskPasscode)
		v, err = h.take(client, v, journey.EnterPasscode{Passcode: "000 000"})
		v = h.want(v, err, journey.AskPasscode)
		if v.Journey.Notice != "error.passcode.wrong" {
			t.Errorf("told %q", v.Journey.Notice)
		}
		code := h.passcode(0)
		v, err = h.take(client, v, journey.EnterPasscode{Passcode: code[:3] + " " + code[3:]})
		v = h.want(v, err, journey.Done)
		if h.grants.Load() != 1 || v.Journey.Outcome != identity.Succeeded {
			t.Errorf("%d grants, outcome %q", h.grants.Load(), v.Journey.Outcome)
		}
		// The same passcode in another journey is a replay.
		v = h.toChoice("c")
		v, err = h.take(client, v, journey.ChooseMethod{Method: identity.ByPasscode})
		v = h.want(v, err, journey.AskPasscode)
		v, err = h.take(client, v, journey.EnterPasscode{Passcode: code})
		h.want(v, err, journey.AskPasscode)
		// The ended one answers nobody.
		if u, err := h.db.Users().Get(t.Context(), h.Tenant.ID, h.User.ID); err != nil || u.Failures != 1 {
			t.Errorf("%d failures after a finished login and a replay, %v; want 1", u.Failures, err)
		}
	})
}

func TestJRN8_SingleSignOnAndWhatUndoesIt(t *testing.T) {
	storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
		h := newFixture(t, empty)
		client := h.withSession(identity.Session{})
		v := h.toChoice("b")
		v, err := h.take(client, v, journey.ChooseMethod{Method: identity.ByPasscode})
		v = h.want(v, err, journey.AskPasscode)
		v, err = h.take(client, v, journey.EnterPasscode{Passcode: h.passcode(0)})
		h.want(v, err, journey.Done)
		s := h.last

		v, err = h.begin("b", s, nil)
		h.want(v, err, journey.Done)
		if got := journey.References(h.passed); !slices.Equal(got, []string{"pwd", "otp", "mfa"}) {
			t.Errorf("amr %v", got)
		}
		v, err = h.begin("b", s, func(s *journey.Request) { s.ForceLogin = true })
		h.want(v, err, journey.Identify)
		defer func() {
			h.do(h.Who, func(tx *store.Tx) error { return authenticator.Revoke(t.Context(), tx, h.token, "lost") })
			if v, err := h.begin("b", s, nil); err != nil || v.Step == journey.Done {
				t.Errorf("a lost authenticator still signs on: %v", err)
			}
		}()
		tooOld := int64(0)
		old := s
		old.Passed = slices.Clone(s.Passed)
		for i := range old.Passed {
			old.Passed[i].At = old.Passed[i].At.Add(-time.Hour)
		}
		v, err = h.begin("b", old, func(s *journey.Request) { s.MaxAge = &tooOld })
		h.want(v, err, journey.AskPassword)
		if _, err = h.begin("b", identity.Session{}, func(s *journey.Request) { s.Passive = true }); !errors.Is(err, errLoginRequired) {
			t.Errorf("passive without a session: %v", err)
		}
		if v, err = h.begin("b", s, func(s *journey.Request) { s.Passive = true }); err != nil || v.Step != journey.Done {
			t.Errorf("passive with a session: %v", err)
		}
		if _, err = h.begin("b", s, func(s *journey.Request) { s.ACR = []string{"urn:nobody:knows"} }); !errors.Is(err, errContextUnmet) {
			t.Errorf("an unknown context: %v", err)
		}
	})
}

func TestJRN7_StepUpAsksWhatIsMissing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
		h := newFixture(t, empty)
		h.setPolicy(policy.Access{Rules: []policy.Rule{{Name: "all", Require: []identity.Validation{identity.Password}}}})
		v, err := h.begin("b", identity.Session{}, nil)
		v = h.want(v, err, journey.Identify)
		v, err = h.take(h.withSession(identity.Session{}), v, journey.EnterName{Name: "berit.lie"})
		v = h.want(v, err, journey.AskPassword)
		v, err = h.take(h.withSession(identity.Session{}), v, journey.EnterPassword{Password: password})
		h.want(v, err, journey.Done)
		s := h.last
		v, err = h.begin("b", s, func(s *journey.Request) { s.ACR = []string{journey.MFAContext} })
		v = h.want(v, err, journey.Choose)
		v, err = h.take(h.withSession(s), v, journey.ChooseMethod{Method: identity.ByPasscode})
		v = h.want(v, err, journey.AskPasscode)
		v, err = h.take(h.withSession(s), v, journey.EnterPasscode{Passcode: h.passcode(0)})
		v = h.want(v, err, journey.Done)
		if after := h.last; after.ID != s.ID || len(after.Passed) != 2 {
			t.Errorf("after step-up session %+v, before %s", after, s.ID)
		}
		if got := v.Rules.Reached(v.Journey); got != journey.MFAContext {
			t.Errorf("context %s", got)
		}
	})
}

func (h *fixture) setPolicy(d policy.Document) {
	h.Helper()
	document, err := policy.Encode(d)
	if err != nil {
		h.Fatal(err)
	}
	h.do(identity.Principal{Tenant: h.Tenant.ID}, func(tx *store.Tx) error {
		present, err := tx.Policies().Get(h.Context(), h.Tenant.ID, d.Kind())
		if err != nil {
			return err
		}
		return tx.Policies().Set(h.Context(), h.Tenant.ID, d.Kind(), present.Version, document)
	})
}

func TestPUSH26_AnApprovalIsClaimedOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
		h := newFixture(t, empty)
		client := h.withSession(identity.Session{})
		v, err := h.take(client, h.toChoice("b"), journey.ChooseMethod{Method: identity.ByPush})
		v = h.want(v, err, journey.WaitForPush)
		if len(v.Request.Number) != 2 {
			t.Fatalf("number %q", v.Request.Number)
		}
		h.do(identity.Principal{Tenant: h.Tenant.ID}, func(tx *store.Tx) error {
			p, err := push.Pending(t.Context(), tx.Reader, h.Tenant.ID, h.User.ID)
			if err != nil {
				return err
			}
			_, err = push.TakeAnswer(t.Context(), tx, h.token, push.Answer{Request: p.ID, Nonce: p.Nonce, Decision: push.Approve, Number: v.Request.Number,
				Passcode: func() (push.Verdict, store.Passcode, error) { return push.PasscodeRight, store.Passcode{}, nil }})
			return err
		})
		if v, err = h.lookAt(v.Journey.ID); err != nil {
			t.Fatal(err)
		}
		var done atomic.Int32
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				mine := *v
				j := *v.Journey
				mine.Journey = &j
				after, err := h.take(client, &mine, journey.Continue{})
				switch {
				case err == nil && after.Step == journey.Done:
					done.Add(1)
				case err != nil && !errors.Is(err, identity.Conflict) && !errors.Is(err, identity.Expired):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if done.Load() != 1 || h.grants.Load() != 1 {
			t.Errorf("claimed %d times, granted %d times; want once", done.Load(), h.grants.Load())
		}
	})
}

func TestJRN3_GoingBackRevokesWhatDependedOnIt(t *testing.T) {
	storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
		h := newFixture(t, empty)
		client := h.withSession(identity.Session{})
		v, err := h.take(client, h.toChoice("b"), journey.GoBack{})
		v = h.want(v, err, journey.Identify)
		v, err = h.take(client, v, journey.EnterName{Name: "berit.lie"})
		h.want(v, err, journey.AskPassword)
		again, err := h.db.Journeys().Get(t.Context(), h.Tenant.ID, v.Journey.ID)
		if err != nil || len(again.Passed) != 0 {
			t.Errorf("passed %v, %v; want nothing", again.Passed, err)
		}
	})
}

func TestTLOG05_NoStepIsSkipped(t *testing.T) {
	storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
		h := newFixture(t, empty)
		client := h.withSession(identity.Session{})
		v, err := h.begin("b", identity.Session{}, nil)
		v = h.want(v, err, journey.Identify)
		v, err = h.take(client, v, journey.EnterName{Name: "berit.lie"})
		v = h.want(v, err, journey.AskPassword)
		for name, act := range map[string]func() (*journey.View, error){
			"passcode": func() (*journey.View, error) {
				return h.take(client, v, journey.EnterPasscode{Passcode: h.passcode(0)})
			},
			"push": func() (*journey.View, error) { return h.take(client, v, journey.ChooseMethod{Method: identity.ByPush}) },
			"choose": func() (*journey.View, error) {
				return h.take(client, v, journey.ChooseMethod{Method: identity.ByPasscode})
			},
			"identify": func() (*journey.View, error) { return h.take(client, v, journey.EnterName{Name: "other"}) },
		} {
			if _, err := act(); !errors.Is(err, identity.Conflict) {
				t.Errorf("%s before the password: %v, want a conflict", name, err)
			}
		}
	})
}

func TestJRN10_ANameOfNobodyIsAskedTheSame(t *testing.T) {
	storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
		h := newFixture(t, empty)
		client := h.withSession(identity.Session{})
		v, err := h.begin("b", identity.Session{}, nil)
		v = h.want(v, err, journey.Identify)
		v, err = h.take(client, v, journey.EnterName{Name: "nobody"})
		v = h.want(v, err, journey.AskPassword)
		v, err = h.take(client, v, journey.EnterPassword{Password: password})
		v = h.want(v, err, journey.AskPassword)
		if v.Journey.Notice != "error.login.wrong" {
			t.Errorf("told %q", v.Journey.Notice)
		}
	})
}

func TestCRED20_SixWrongPasswordsLockAndTheWordsStayTheSame(t *testing.T) {
	storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
		h := newFixture(t, empty)
		client := h.withSession(identity.Session{})
		v, err := h.begin("b", identity.Session{}, nil)
		v = h.want(v, err, journey.Identify)
		v, err = h.take(client, v, journey.EnterName{Name: "berit.lie"})
		v = h.want(v, err, journey.AskPassword)
		for range 6 {
			v, err = h.take(client, v, journey.EnterPassword{Password: "wrong password"})
			v = h.want(v, err, journey.AskPassword)
		}
		if len(h.events(audit.UserLocked)) != 1 {
			t.Errorf("%d lock events, want 1", len(h.events(audit.UserLocked)))
		}
		v, err = h.take(client, v, journey.EnterPassword{Password: password}) // the right one
		v = h.want(v, err, journey.AskPassword)
		if v.Journey.Notice != "error.login.wrong" {
			t.Errorf("told %q while locked", v.Journey.Notice)
		}
		h.do(identity.Principal{Tenant: h.Tenant.ID}, func(tx *store.Tx) error { return tx.Users().Unlock(t.Context(), h.Tenant.ID, h.User.ID) })
		v, err = h.take(client, v, journey.EnterPassword{Password: password})
		h.want(v, err, journey.Choose)
	})
}

// A journey counts failures in the browser that names its user, which may have got
// its cookie after the journey began, and in no other one afterwards: who swaps
// cookies between two tries changes no counter. (With the browser it began in, and
// with the present one at every step, it failed.)
func TestCRED20_FailuresCountInTheBrowserThatNamedItsUser(t *testing.T) {
	storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
		h := newFixture(t, empty)
		h.do(identity.Principal{Tenant: h.Tenant.ID}, func(tx *store.Tx) error {
			return tx.Users().RecordLogin(t.Context(), h.Tenant.ID, h.User.ID, "known", false, identity.ByPush)
		})
		// in takes an input with a cookie, in a journey that was begun by begin, which
		// bound it by the cookie's own name.
		in := func(began, cookie string, v *journey.View, in journey.Input) *journey.View {
			c := h.withSession(identity.Session{})
			c.Binding, c.Browser = began, cookie
			p, err := h.engine.Take(t.Context(), c.Client, v.Journey.ID, v.State(), in)
			if err != nil || p.Stale {
				t.Fatalf("%T was not taken, %v", in, err)
			}
			v, err = h.viewOf(c, p)
			return h.want(v, err, journey.AskPassword)
		}
		for _, tt := range []struct {
			name                 string
			began, named, wrongs string // the browser's cookie when it began, named its user, and mistyped
			want                 string
			known                bool
		}{
			{"the cookie came later", "lost", "known", "known", "known", true},
			{"swapped for an unknown one", "known", "known", "other", "known", true},
			{"swapped for a known one", "other", "other", "known", "other", false},
			{"lost on the way", "known", "", "", "known", true},
		} {
			failures := h.user().Failures
			v, err := h.begin(tt.began, identity.Session{}, nil)
			v = h.want(v, err, journey.Identify)
			v = in(tt.began, tt.named, v, journey.EnterName{Name: "berit.lie"})
			v = in(tt.began, tt.wrongs, v, journey.EnterPassword{Password: "wrong password"})
			if j := v.Journey; j.Browser != tt.want || j.KnownBrowser != tt.known {
				t.Errorf("%s: counts in %q, known %v", tt.name, j.Browser, j.KnownBrowser)
			}
			if got := h.user().Failures - failures; (got == 0) != tt.known {
				t.Errorf("%s: %d failures of the user's own, known %v", tt.name, got, tt.known)
			}
		}
	})
}

// Of a journey that is over another client is told that, by Look, by Take and by
// Wait, and nothing of its person; and with the person's session how it ended.
func TestJRN4_AnEndedJourneyTellsOthersNothing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
		h := newFixture(t, empty)
		v := h.toChoice("b")
		v, err := h.take(h.withSession(identity.Session{}), v, journey.Cancel{})
		if err != nil {
			t.Fatal(err)
		}
		other := h.withSession(identity.Session{}).Client
		other.Binding = "c"
		for _, tt := range []struct {
			name    string
			session identity.Session
			want    identity.Outcome
		}{
			{"nobody", identity.Session{}, ""},
			{"another", identity.Session{UserID: "usr_another"}, ""},
			{"its user", identity.Session{UserID: h.User.ID}, identity.Cancelled},
		} {
			other.Session = tt.session
			looked, err := h.engine.Look(t.Context(), other, v.Journey.ID)
			if err != nil {
				t.Fatal(err)
			}
			taken, err := h.engine.Take(t.Context(), other, v.Journey.ID, v.State(), journey.Continue{})
			if err != nil || !taken.Stale {
				t.Fatalf("%s: %+v, %v", tt.name, taken, err)
			}
			for _, p := range []*journey.Prompt{looked, taken} {
				if p.Step != journey.Ended || p.Outcome != tt.want || p.Name != "" || p.Reason != "" || p.Ask != nil || p.FirstPIN != nil || p.EndedNow {
					t.Errorf("%s is told %+v", tt.name, p)
				}
			}
		}
		if state, err := h.engine.Wait(t.Context(), other, v.Journey.ID, v.State()); state == v.State() || err != nil {
			t.Errorf("who waits is told %q, %v", state, err)
		}
	})
}

// addUser adds a user with the password of the fixture's own.
func (h *fixture) addUser(name string) identity.User {
	h.Helper()
	u, err := h.engine.Directory.AddUser(h.Context(), h.Who, h.Tenant.ID, directory.NewUser{Name: name, Password: password})
	if err != nil {
		h.Fatal(err)
	}
	return u
}
