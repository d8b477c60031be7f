package journey_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/push"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// A randomClient takes steps of one journey at random, knowing the secrets of two
// people and mixing them up.
type randomClient struct {
	*fixture
	*rand.Rand
	people []person
	view   *journey.View   // as last seen
	stale  []*journey.View // pages left open
	// what was given, right, and by whom, since somebody was named
	given map[identity.Validation]string
	log   []string
}

type person struct {
	identity.User
	password string
	token    identity.Authenticator
}

// No order of inputs, right or wrong, stale or fresh, anybody's or nobody's,
// reaches success without every validation that policy required, each given for
// the name the journey ended with (JRN-1). What was given is what the test
// itself handed in; it asks the engine nothing but whether it granted.
func TestJRN1_NoRandomSequenceSucceedsWithoutEveryValidation(t *testing.T) {
	h := newFixture(t, storetest.SQLite(t))
	lockout := policy.DefaultLockout()
	lockout.Threshold = 50 // or a client would soon be locked out
	lockout.MaxWrongPasscodes = 50
	h.setPolicy(lockout)
	rules := policy.DefaultPush()
	rules.BeforePassword = true
	h.setPolicy(rules)
	people := []person{{h.User, password, h.token}}
	carl, err := h.engine.Directory.AddUser(t.Context(), h.Who, h.Tenant.ID, directory.NewUser{Name: "carl", Password: "another horse battery"})
	if err != nil {
		t.Fatal(err)
	}
	token := h.token
	token.ID, token.Serial, token.Seed = identity.NewID(identity.AuthenticatorID), "LK2", []byte("98765432109876543210")
	h.do(h.Who, func(tx *store.Tx) error { return tx.Authenticators().Add(t.Context(), token, carl.ID) })
	people = append(people, person{carl, "another horse battery", token})

	version := int64(0)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	successes := make(map[string]int)
	for run := range 30 {
		required := [][]identity.Validation{{identity.Password, identity.SecondFactor}, {identity.SecondFactor}, {identity.Password}}[run%3]
		document, err := policy.Encode(policy.Access{Rules: []policy.Rule{{Name: "all", Require: required}}})
		if err != nil {
			t.Fatal(err)
		}
		h.do(h.Who, func(tx *store.Tx) error {
			err := tx.Policies().Set(t.Context(), h.Tenant.ID, policy.KindAccess, version, document)
			version++
			return err
		})
		h.Clock.Advance(time.Minute)
		w := &randomClient{fixture: h, Rand: rand.New(rand.NewPCG(seed, uint64(run))), people: people, given: map[identity.Validation]string{}}
		if w.view, err = h.begin(fmt.Sprint("b", run%5), identity.Session{}, nil); err != nil {
			t.Fatal(err)
		}
		before := h.grants.Load()
		for range 25 {
			w.step()
			if h.grants.Load() == before {
				continue
			}
			for _, v := range required {
				if w.given[v] == "" || w.given[v] != h.last.UserID {
					t.Fatalf("run %d: %s logged in, though %v was given by %q:\n%q", run, h.last.UserID, v, w.given[v], w.log)
				}
			}
			successes[fmt.Sprint(required)]++
			break
		}
		if h.grants.Load() > before+1 {
			t.Fatalf("run %d: granted %d times", run, h.grants.Load()-before)
		}
	}
	if len(successes) != 3 {
		t.Errorf("of the runs succeeded %v; some of each kind should, or this proves nothing", successes)
	}
}

// step takes one step: mostly one that fits the page, so that runs get
// somewhere, else any.
func (w *randomClient) step() {
	fits := map[journey.Step]func() (*journey.View, error){
		journey.Identify: w.identify, journey.AskPassword: w.typePassword, journey.Choose: w.choose,
		journey.AskPasscode: w.typePasscode, journey.WaitForPush: w.waitForPush, journey.PushOver: w.choose,
	}
	other := []func() (*journey.View, error){w.identify, w.typePassword, w.choose, w.typePasscode, w.waitForPush, w.answer, w.back, w.language, w.wait}
	act := other[w.IntN(len(other))]
	if fit, ok := fits[w.view.Step]; ok && w.IntN(5) > 0 {
		act = fit
	}
	seen := w.view
	if len(w.stale) > 0 && w.IntN(10) == 0 {
		w.view = w.stale[w.IntN(len(w.stale))]
	}
	_, err := act()
	for _, kind := range []identity.Kind{identity.Conflict, identity.Expired, identity.Throttled, identity.Forbidden} {
		if errors.Is(err, kind) {
			err = nil
		}
	}
	if err != nil {
		w.Fatalf("%v:\n%q", err, w.log)
	}
	w.stale = append(w.stale, seen)
	if w.view, err = w.lookAt(seen.Journey.ID); err != nil {
		w.Fatal(err)
	}
}

func (w *randomClient) note(format string, args ...any) {
	w.log = append(w.log, fmt.Sprintf("%s: ", w.view.Step)+fmt.Sprintf(format, args...))
}

func (w *randomClient) somebody() person { return w.people[w.IntN(len(w.people))] }

// give notes a right input of p's, whatever the engine makes of it, if p is whom
// the journey is about at this moment.
func (w *randomClient) give(v identity.Validation, p person) {
	if j, err := w.db.Journeys().Get(w.Context(), w.Tenant.ID, w.view.Journey.ID); err == nil && j.UserID == p.ID {
		w.given[v] = p.ID
	}
}

func (w *randomClient) identify() (*journey.View, error) {
	name := []string{w.people[0].Name, w.people[0].Name, w.people[1].Name, "nobody", "", "\x00"}[w.IntN(6)]
	w.note("name %q", name)
	v, err := w.take(w.withSession(identity.Session{}), w.view, journey.EnterName{Name: name})
	if err == nil && v.Journey.Notice == "" {
		clear(w.given)
	}
	return v, err
}

func (w *randomClient) typePassword() (*journey.View, error) {
	p := w.somebody()
	if w.IntN(4) == 0 {
		w.note("a wrong password")
		return w.take(w.withSession(identity.Session{}), w.view, journey.EnterPassword{Password: "wrong password"})
	}
	w.note("the password of %s", p.Name)
	w.give(identity.Password, p)
	return w.take(w.withSession(identity.Session{}), w.view, journey.EnterPassword{Password: p.password})
}

func (w *randomClient) choose() (*journey.View, error) {
	method := []identity.Method{identity.ByPasscode, identity.ByPush, identity.ByPassword, "enrol"}[w.IntN(4)]
	w.note("choose %s", method)
	if method == identity.ByPush {
		return w.take(w.withSession(identity.Session{}), w.view, journey.ChooseMethod{Method: identity.ByPush})
	}
	return w.take(w.withSession(identity.Session{}), w.view, journey.ChooseMethod{Method: method})
}

func (w *randomClient) typePasscode() (*journey.View, error) {
	p, params := w.somebody(), otp.Params{Digits: 6, Period: 30}
	offset := []int64{0, 0, 1, -1, 20, -20}[w.IntN(6)]
	w.note("a passcode of %s, %d steps off", p.Name, offset)
	if offset*offset <= 1 {
		w.give(identity.SecondFactor, p)
	}
	return w.take(w.withSession(identity.Session{}), w.view, journey.EnterPasscode{Passcode: otp.HOTP(p.token.Seed, params, otp.Step(params, w.db.Now())+offset)})
}

func (w *randomClient) waitForPush() (*journey.View, error) {
	if w.IntN(2) == 0 {
		if v, err := w.answer(); err != nil {
			return v, err
		}
		var err error
		if w.view, err = w.lookAt(w.view.Journey.ID); err != nil {
			return nil, err
		}
	}
	w.note("go on")
	return w.take(w.withSession(identity.Session{}), w.view, journey.Continue{})
}

// answer is what the phone of somebody does with what waits there.
func (w *randomClient) answer() (*journey.View, error) {
	p := w.somebody()
	number, decision := w.view.Request.Number, []push.Decision{push.Approve, push.Approve, push.DenyMistake, push.DenyNotMe}[w.IntN(4)]
	if w.IntN(4) == 0 {
		number = "07"
	}
	err := w.db.InTx(w.Context(), w.Who, func(tx *store.Tx) error {
		open, err := push.Pending(w.Context(), tx.Reader, w.Tenant.ID, p.ID)
		if err != nil {
			return err
		}
		w.note("%s: %s with %q", p.Name, decision, number)
		end, err := push.TakeAnswer(w.Context(), tx, p.token, push.Answer{Request: open.ID, Nonce: open.Nonce, Decision: decision, Number: number,
			Passcode: func() (push.Verdict, store.Passcode, error) { return push.PasscodeRight, store.Passcode{}, nil }})
		if err == nil && end.Outcome == store.PushApproved && open.Journey == w.view.Journey.ID {
			w.give(identity.SecondFactor, p)
		}
		return err
	})
	if errors.Is(err, identity.NotFound) {
		err = nil // nothing waits
	}
	return nil, err
}

func (w *randomClient) back() (*journey.View, error) {
	w.note("back")
	v, err := w.take(w.withSession(identity.Session{}), w.view, journey.GoBack{})
	if err == nil && v.Step == journey.Identify {
		clear(w.given)
	}
	return v, err
}

func (w *randomClient) language() (*journey.View, error) {
	return w.take(w.withSession(identity.Session{}), w.view, journey.PickLanguage{Language: "de"})
}

func (w *randomClient) wait() (*journey.View, error) {
	w.Clock.Advance(time.Duration(w.IntN(90)) * time.Second)
	return nil, nil
}
