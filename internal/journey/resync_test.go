package journey_test

import (
	"errors"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/push"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// approveOff approves the request that waits with the passcode of an app whose
// clock is off by so many steps.
func (h *fixture) approveOff(steps int64, number string) {
	h.Helper()
	h.do(h.Who, func(tx *store.Tx) error {
		p, err := push.Pending(h.Context(), tx.Reader, h.Tenant.ID, h.User.ID)
		if err != nil {
			return err
		}
		end, err := push.TakeAnswer(h.Context(), tx, h.token, push.Answer{Request: p.ID, Nonce: p.Nonce, Decision: push.Approve, Number: number,
			Passcode: func() (push.Verdict, store.Passcode, error) {
				return authenticator.Approve(h.Context(), tx, h.token, "", h.passcode(steps))
			}})
		if err == nil && end.Outcome != store.PushResync {
			h.Errorf("the approval is %q, want %s", end.Outcome, store.PushResync)
		}
		return err
	})
}

// type types a passcode and wants to be at a step then, told so.
func (h *fixture) types(v *journey.View, typed string, at journey.Step, told string) *journey.View {
	h.Helper()
	v, err := h.take(h.withSession(nowhere), v, journey.EnterPasscode{Passcode: typed})
	v = h.want(v, err, at)
	if at != journey.Done && v.Journey.Notice != told {
		h.Errorf("told %q, want %q", v.Journey.Notice, told)
	}
	return v
}

// What is said of a passcode that is too far off is so: a clock can be off only where
// one makes the passcodes; a counter is ahead.
//
// Tried without TimeBased in countsPresses, and with it the other way round: one of the
// two was told of the other's.
func TestCRED10_TheWordsOfTheKind(t *testing.T) {
	for _, tt := range []struct {
		name   string
		step   int64 // of the authenticator
		notice string
	}{
		{"by a clock", 30, "notice.passcode.next"},
		{"by a counter", 0, "notice.passcode.next.counter"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newFixture(t, storetest.SQLite(t))
			lone := h.token
			lone.ID, lone.Serial, lone.Step, lone.LastStep = identity.NewID(identity.AuthenticatorID), "LK2", tt.step, -1
			h.do(h.Who, func(tx *store.Tx) error {
				return errors.Join(authenticator.Revoke(t.Context(), tx, h.token, "lost"), tx.Authenticators().Add(t.Context(), lone, h.User.ID))
			})
			h.token = lone
			far := func() string {
				at := int64(40)
				if tt.step > 0 {
					at = h.Clock.Now().Unix()/tt.step + 6
				}
				return otp.HOTP(lone.Seed, otp.Params{Digits: 6}, at)
			}
			v, err := h.take(h.withSession(nowhere), h.toChoice("typed"), journey.ChooseMethod{Method: identity.ByPasscode})
			v = h.types(h.want(v, err, journey.AskPasscode), far(), journey.AskNextPasscode, tt.notice)
			h.saysOfNext(v, false, tt.step == 0)

			v = h.want(h.send(h.toChoice("approved")), nil, journey.WaitForPush)
			number := v.Request.Number
			end, err := h.answer(func(a *push.Answer) {
				a.Number = number
				a.Passcode = func() (push.Verdict, store.Passcode, error) {
					return push.PasscodeTooFar, store.Passcode{Step: 40}, nil
				}
			})
			if err != nil || end.Outcome != store.PushResync {
				t.Fatalf("approved: %q, %v", end.Outcome, err)
			}
			h.saysOfNext(h.want(h.look(v), nil, journey.AskNextPasscode), true, tt.step == 0)
		})
	}
}

// saysOfNext checks what the prompt says that asks for the next passcode.
func (h *fixture) saysOfNext(v *journey.View, approved, counter bool) {
	h.Helper()
	c := h.withSession(nowhere).Client
	c.Binding = v.Journey.Browser
	p, err := h.engine.Look(h.Context(), c, v.Journey.ID)
	if err != nil {
		h.Fatal(err)
	}
	if ask, ok := p.Ask.(journey.AskedPasscode); !ok || !ask.Next || ask.Approved != approved || ask.Counter != counter {
		h.Errorf("asks %+v, want approved %v, by a counter %v", p.Ask, approved, counter)
	}
}

const (
	nextPlease = "notice.passcode.next"
	wrongCode  = "error.passcode.wrong"
)

// An approval whose passcode is too far off asks for the next one in the
// browser, which logs in and sets the clock: also where policy refuses codes,
// since the approval was the phone's.
//
// Tried without step > first.Step: the first passcode was its own next.
func TestPUSH16_TheNextPasscodeByHand(t *testing.T) {
	for _, codes := range []bool{true, false} {
		storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
			h := newFixture(t, empty)
			rules := policy.DefaultPush()
			rules.CodesAllowed = codes
			h.setPolicy(rules)
			v := h.send(h.toChoice("b"))
			h.approveOff(6, v.Request.Number)
			v = h.want(h.look(v), nil, journey.AskNextPasscode)
			if n := len(h.events(audit.OuterWindow)); n != 1 || h.user().Failures != 0 {
				t.Errorf("%d events of the outer window, %d failures", n, h.user().Failures)
			}
			// The first is not the next, nor is one a little farther off.
			v = h.types(v, h.passcode(6), journey.AskNextPasscode, wrongCode)
			v = h.types(v, h.passcode(8), journey.AskNextPasscode, wrongCode)
			h.types(v, h.passcode(7), journey.Done, "")
			if n := len(h.events(audit.OuterWindow)); n != 1 {
				t.Errorf("%d events of the outer window", n)
			}
			h.Clock.Advance(time.Minute)
			if a, err := h.db.Authenticators().Get(t.Context(), h.Tenant.ID, h.token.ID); err != nil || a.Drift != 7 {
				t.Errorf("drift %d, %v, want 7", a.Drift, err)
			}
			h.send(h.toChoice("b"))
			verdict := push.PasscodeWrong
			h.do(h.Who, func(tx *store.Tx) (err error) {
				h.token.Drift = 7
				verdict, _, err = authenticator.Approve(t.Context(), tx, h.token, "", h.passcode(7))
				return err
			})
			if verdict != push.PasscodeRight {
				t.Errorf("the clock was not set: verdict %d", verdict)
			}
		})
	}
}

// Where policy refuses codes, nothing but the next of the authenticator that
// approved completes it.
//
// Tried without FirstAlone: the other authenticator's passcode logged in.
func TestPUSH16_NoOtherPasscodeWhereCodesAreRefused(t *testing.T) {
	h := newFixture(t, storetest.SQLite(t))
	other := h.Fixture
	other.User = h.User
	second := other.Authenticator(t, "another phone")
	rules := policy.DefaultPush()
	rules.CodesAllowed = false
	h.setPolicy(rules)
	v := h.send(h.toChoice("b"))
	h.approveOff(6, v.Request.Number)
	mine := h.token
	h.token = second
	typed := h.passcode(0)
	h.token = mine
	h.types(h.want(h.look(v), nil, journey.AskNextPasscode), typed, journey.AskNextPasscode, wrongCode)
}

// A passcode typed from the outer window is no wrong one. The next one, within
// five minutes and three tries, logs in. Tries that miss count as wrong.
func TestCRED10_ResynchronisationByHand(t *testing.T) {
	storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
		h := newFixture(t, empty)
		v := h.toTyping()
		v = h.types(v, h.passcode(6), journey.AskNextPasscode, nextPlease)
		if h.user().Failures != 0 {
			t.Errorf("%d failures: it was right", h.user().Failures)
		}
		h.Clock.Advance(30 * time.Second)
		h.types(v, h.passcode(6), journey.Done, "")
		if n := len(h.events(audit.OuterWindow)); n != 1 {
			t.Errorf("%d events of the outer window, want 1", n)
		}
		h.Clock.Advance(30 * time.Second)
		h.types(h.toTyping(), h.passcode(6), journey.Done, "") // the clock is set
	})
}

// Codes that policy refuses meanwhile are not let in by one that was typed before.
//
// Tried without looking at Codes in resync: the next one logged in.
func TestCRED10_CodesRefusedMeanwhile(t *testing.T) {
	h := newFixture(t, storetest.SQLite(t))
	v := h.types(h.toTyping(), h.passcode(6), journey.AskNextPasscode, nextPlease)
	rules := policy.DefaultPush()
	rules.CodesAllowed = false
	h.setPolicy(rules)
	if _, err := h.take(h.withSession(nowhere), v, journey.EnterPasscode{Passcode: h.passcode(7)}); !errors.Is(err, identity.Conflict) || h.grants.Load() != 0 {
		t.Errorf("the next one: %v, %d grants", err, h.grants.Load())
	}
	h.want(h.look(v), nil, journey.Choose)
}

func TestCRED10_WhatEndsAResynchronisation(t *testing.T) {
	for name, end := range map[string]func(h *fixture, v *journey.View) *journey.View{
		"three misses": func(h *fixture, v *journey.View) *journey.View {
			v = h.types(v, "000000", journey.AskNextPasscode, wrongCode)
			v = h.types(v, "000000", journey.AskNextPasscode, wrongCode)
			v = h.types(v, "000000", journey.AskPasscode, wrongCode)
			if n := h.user().Failures; n != 3 {
				h.Errorf("%d failures, want 3", n)
			}
			return v
		},
		"five minutes": func(h *fixture, v *journey.View) *journey.View {
			h.Clock.Advance(5 * time.Minute)
			return h.want(h.look(v), nil, journey.AskPasscode)
		},
		"going back": func(h *fixture, v *journey.View) *journey.View {
			v, err := h.take(h.withSession(nowhere), v, journey.GoBack{})
			v = h.want(v, err, journey.Choose)
			v, err = h.take(h.withSession(nowhere), v, journey.ChooseMethod{Method: identity.ByPasscode})
			return h.want(v, err, journey.AskPasscode)
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newFixture(t, storetest.SQLite(t))
			v := end(h, h.types(h.toTyping(), h.passcode(6), journey.AskNextPasscode, nextPlease))
			// A journey has one: neither the next nor a new first one counts now.
			v = h.types(v, h.passcode(7), journey.AskPasscode, wrongCode)
			v = h.types(v, h.passcode(9), journey.AskPasscode, wrongCode)
			h.types(v, h.passcode(0), journey.Done, "") // but a right one does
		})
	}
}

// What somebody saw typed as the first begins no second resynchronisation.
//
// Tried without UseOnce: it did, in the other journey.
func TestCRED10_AFirstPasscodeBeginsOne(t *testing.T) {
	storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
		h := newFixture(t, empty)
		first := h.passcode(6)
		h.types(h.toTyping(), first, journey.AskNextPasscode, nextPlease)
		h.types(h.toTyping(), first, journey.AskPasscode, wrongCode)
	})
}

// The second push of a journey begins no second resynchronisation.
func TestCRED10_OneInAJourney(t *testing.T) {
	h := newFixture(t, storetest.SQLite(t))
	v := h.send(h.toChoice("b"))
	h.approveOff(6, v.Request.Number)
	v = h.want(h.send(h.want(h.look(v), nil, journey.AskNextPasscode)), nil, journey.WaitForPush)
	h.approveOff(7, v.Request.Number)
	v = h.want(h.look(v), nil, journey.PushOver)
	if v.Request.Outcome != store.PushResync {
		t.Errorf("outcome %q", v.Request.Outcome)
	}
	if _, err := h.take(h.withSession(nowhere), v, journey.EnterPasscode{Passcode: h.passcode(8)}); !errors.Is(err, identity.Conflict) {
		t.Errorf("a passcode typed there: %v", err)
	}
}

func (h *fixture) toTyping() *journey.View {
	h.Helper()
	v, err := h.take(h.withSession(nowhere), h.toChoice("b"), journey.ChooseMethod{Method: identity.ByPasscode})
	return h.want(v, err, journey.AskPasscode)
}
