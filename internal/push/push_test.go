package push

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

var shown = Display{Application: "Payroll", Place: "Bergen, Norway"}

func start(t *testing.T, h *storetest.Fixture, db *store.DB, j *identity.Journey, presence policy.Presence) (store.PushRequest, error) {
	t.Helper()
	var p store.PushRequest
	err := db.InTx(t.Context(), h.Who, func(tx *store.Tx) error {
		var err error
		p, err = Start(t.Context(), tx, j, shown, presence, policy.DefaultPush())
		return err
	})
	return p, err
}

func mustStart(t *testing.T, h *storetest.Fixture, j *identity.Journey, presence policy.Presence) store.PushRequest {
	t.Helper()
	p, err := start(t, h, h.DB, j, presence)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func answer(t *testing.T, h *storetest.Fixture, db *store.DB, a identity.Authenticator, with Answer) (AnswerResult, error) {
	t.Helper()
	if with.Passcode == nil {
		with.Passcode = func() (Verdict, store.Passcode, error) { return PasscodeRight, store.Passcode{}, nil }
	}
	var end AnswerResult
	err := db.InTx(t.Context(), h.Who, func(tx *store.Tx) error {
		var err error
		end, err = TakeAnswer(t.Context(), tx, a, with)
		return err
	})
	return end, err
}

func approval(p store.PushRequest) Answer {
	return Answer{Request: p.ID, Nonce: p.Nonce, Decision: Approve, Number: p.Number}
}

func claim(t *testing.T, h *storetest.Fixture, db *store.DB, j *identity.Journey, id string) (identity.Authenticator, error) {
	t.Helper()
	var a identity.Authenticator
	err := db.InTx(t.Context(), h.Who, func(tx *store.Tx) error {
		var err error
		a, err = Claim(t.Context(), tx, j, id)
		return err
	})
	return a, err
}

func look(t *testing.T, h *storetest.Fixture, id string) State {
	t.Helper()
	s, err := LoadState(t.Context(), h.DB.Reader, h.Tenant.ID, id)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func events(t *testing.T, h *storetest.Fixture, kind audit.Kind) []audit.Event {
	t.Helper()
	found, err := store.Collect(h.DB.Events().List(t.Context(), h.Tenant.ID, store.EventFilter{Kind: kind}))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// refused returns the code and outcome of the Refusal that an error wraps, or the text
// of another error.
func refused(err error) string {
	if err == nil {
		return ""
	}
	if r, ok := errors.AsType[*Refusal](err); ok {
		return strings.TrimSpace(r.Code + " " + string(r.Outcome))
	}
	return err.Error()
}

func refusalOf(err error) (Refusal, bool) {
	r, ok := errors.AsType[*Refusal](err)
	if !ok {
		return Refusal{}, false
	}
	return *r, true
}

// key returns the locale key of an error.
func key(err error) string {
	if e, ok := errors.AsType[*identity.Error](err); ok {
		return e.Key
	}
	return ""
}

func TestPush_FromStartToClaim(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		a, j := h.Authenticator(t, "phone"), h.Journey(t, "browser")
		woken, stop := h.DB.Subscribe(store.AuthenticatorTopic(a.ID))
		defer stop()
		p := mustStart(t, h, j, policy.Enter)
		select {
		case <-woken:
		case <-time.After(5 * time.Second):
			t.Error("the open app was not woken")
		}

		pending, err := Pending(t.Context(), h.DB.Reader, h.Tenant.ID, h.User.ID)
		if err != nil {
			t.Fatal(err)
		}
		if pending.Application != "Payroll" || pending.Place != shown.Place || pending.Name != j.Name || pending.IP != j.IP || !pending.LoginAt.Equal(j.StartedAt) {
			t.Errorf("PUSH-12: the phone shows %+v", pending)
		}
		if pending.Number != "" {
			t.Error("PUSH-19: the number goes to the phone")
		}
		if s := look(t, h, p.ID); s.Number != p.Number || s.Left != time.Minute || s.Outcome != "" || !s.Waiting() {
			t.Errorf("the page that waits sees %+v", s)
		}

		waiting, stop := h.DB.Subscribe(store.JourneyTopic(j.ID))
		defer stop()
		end, err := answer(t, h, h.DB, a, approval(p))
		if err != nil || end.Outcome != store.PushApproved || end.Failed {
			t.Fatalf("approval: %+v, %v", end, err)
		}
		select {
		case <-waiting:
		case <-time.After(5 * time.Second):
			t.Error("the browser was not woken")
		}
		if s := look(t, h, p.ID); s.Outcome != store.PushApproved || s.Number != "" || !s.Waiting() {
			t.Errorf("after the approval the page sees %+v", s)
		}
		if n := len(events(t, h, audit.PushApproved)); n != 0 {
			t.Errorf("%d events of success before the claim", n)
		}
		if by, err := claim(t, h, h.DB, j, p.ID); err != nil || by.ID != a.ID {
			t.Errorf("claim: by %q, %v", by.ID, err)
		}
		if s := look(t, h, p.ID); s.Waiting() {
			t.Error("there is something to wait for after the claim")
		}
		if got := events(t, h, audit.PushApproved); len(got) != 1 || got[0].Authenticator != a.ID || got[0].Journey != j.ID || got[0].Application != h.Application.ID {
			t.Errorf("events of success: %v", got)
		}
		got := events(t, h, audit.PushChallenge)
		if len(got) != 1 || got[0].Data["application"] != "Payroll" || got[0].Personal["name"] != j.Name || got[0].Personal["from"] != j.IP {
			t.Errorf("events of challenge: %v", got)
		}
		for _, e := range append(got, events(t, h, audit.PushApproved)...) {
			for _, v := range e.Data {
				if v == p.Number {
					t.Errorf("PUSH-19: the number is in an event: %v", e.Data)
				}
			}
		}
	})
}

func TestPUSH10_OneWaits(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		a := h.Authenticator(t, "phone")
		mine, mineToo, other := h.Journey(t, "mine"), h.Journey(t, "mine"), h.Journey(t, "other")
		first := mustStart(t, h, mine, policy.Enter)

		_, err := start(t, h, h.DB, other, policy.Enter)
		if key(err) != "error.push.elsewhere" || !errors.Is(err, identity.Conflict) {
			t.Errorf("from another browser: %v, want error.push.elsewhere", err)
		}
		_, err = start(t, h, h.DB, mineToo, policy.Enter)
		if key(err) != "error.push.wait" {
			t.Errorf("PUSH-9: at once, from the same browser: %v, want error.push.wait", err)
		}
		h.Clock.Advance(14 * time.Second)
		if _, err = start(t, h, h.DB, mineToo, policy.Enter); key(err) != "error.push.wait" {
			t.Errorf("PUSH-9: after 14 s: %v, want error.push.wait", err)
		}
		h.Clock.Advance(time.Second)
		second := mustStart(t, h, mineToo, policy.Enter)
		if s := look(t, h, first.ID); s.Outcome != store.PushSuperseded || s.Number != "" {
			t.Errorf("the first is %q, want superseded, without its number", s.Outcome)
		}
		if _, err := answer(t, h, h.DB, a, approval(first)); refused(err) != "ended superseded" {
			t.Errorf("an approval of the first: %v, want ended superseded", err)
		}
		if s := look(t, h, second.ID); s.Outcome != "" {
			t.Errorf("that ended the second: %q", s.Outcome)
		}
		h.Clock.Advance(time.Minute)
		mustStart(t, h, other, policy.Enter) // the second has expired, though nobody wrote so
	})
}

// After a request has ended, the next one must wait: also if the user goes back or
// answers *no*, and from another browser (attack 13).
//
// Without the minimum spacing in checkMayStart, the next was sent at once.
func TestPUSH9_SpacedThoughTheLastHasEnded(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, h *storetest.Fixture, a identity.Authenticator, p store.PushRequest) error{
		"the browser went back": func(t *testing.T, h *storetest.Fixture, _ identity.Authenticator, p store.PushRequest) error {
			return h.DB.InTx(t.Context(), h.Who, func(tx *store.Tx) error { return Cancel(t.Context(), tx, h.Tenant.ID, p.ID) })
		},
		"a mistake": func(t *testing.T, h *storetest.Fixture, a identity.Authenticator, p store.PushRequest) error {
			_, err := answer(t, h, h.DB, a, Answer{Request: p.ID, Nonce: p.Nonce, Decision: DenyMistake})
			return err
		},
		"not me": func(t *testing.T, h *storetest.Fixture, a identity.Authenticator, p store.PushRequest) error {
			_, err := answer(t, h, h.DB, a, Answer{Request: p.ID, Nonce: p.Nonce, Decision: DenyNotMe})
			return err
		},
		"approved, and not claimed": func(t *testing.T, h *storetest.Fixture, a identity.Authenticator, p store.PushRequest) error {
			_, err := answer(t, h, h.DB, a, approval(p))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
				a := h.Authenticator(t, "phone")
				if err := end(t, h, a, mustStart(t, h, h.Journey(t, "mine"), policy.Enter)); err != nil {
					t.Fatal(err)
				}
				for _, pass := range []time.Duration{0, 15*time.Second - time.Millisecond} {
					h.Clock.Advance(pass)
					for _, browser := range []string{"mine", "other"} {
						if _, err := start(t, h, h.DB, h.Journey(t, browser), policy.Enter); key(err) != "error.push.wait" {
							t.Errorf("%s, after %v: %v, want error.push.wait", browser, pass, err)
						}
					}
				}
				h.Clock.Advance(time.Millisecond)
				mustStart(t, h, h.Journey(t, "other"), policy.Enter)
			})
		})
	}
}

func TestPUSH9_ThreeInAJourney(t *testing.T) {
	h := storetest.SQLite(t)
	j := h.Journey(t, "browser")
	for range 3 {
		mustStart(t, h, j, policy.NoPresence)
		h.Clock.Advance(15 * time.Second)
	}
	if _, err := start(t, h, h.DB, j, policy.NoPresence); key(err) != "error.push.limit" {
		t.Errorf("a fourth: %v, want error.push.limit", err)
	}
	mustStart(t, h, h.Journey(t, "browser"), policy.NoPresence)
}

// Of many concurrent starts one is sent, from one browser or from two.
func TestPUSH10_StartsRace(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		nodes := [...]*store.DB{h.DB, h.Node(t)}
		journeys := [...]*identity.Journey{h.Journey(t, "mine"), h.Journey(t, "mine"), h.Journey(t, "other")}
		var sent atomic.Int32
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				switch _, err := start(t, h, nodes[i%2], journeys[i%3], policy.Enter); {
				case err == nil:
					sent.Add(1)
				case key(err) != "error.push.wait" && key(err) != "error.push.elsewhere":
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if sent.Load() != 1 || len(events(t, h, audit.PushChallenge)) != 1 {
			t.Errorf("%d of 50 were sent, want 1", sent.Load())
		}
	})
}

// Approved and denied at the same time, from two phones and on two nodes: the
// request ends once, with at most one event (attack 1).
//
// Without "ended_at IS NULL" in EndPush, several ended it on PostgreSQL.
func TestPUSH26_AnswersRace(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		phones := [...]identity.Authenticator{h.Authenticator(t, "one"), h.Authenticator(t, "two")}
		nodes := [...]*store.DB{h.DB, h.Node(t)}
		j := h.Journey(t, "browser")
		p := mustStart(t, h, j, policy.Enter)
		decisions := [...]Decision{Approve, DenyNotMe, DenyMistake}
		var mu sync.Mutex
		var ends []store.PushOutcome
		var late []error
		var wg sync.WaitGroup
		for i := range 60 {
			wg.Go(func() {
				with := approval(p)
				with.Decision = decisions[i%3]
				end, err := answer(t, h, nodes[i%2], phones[i%2], with)
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					ends = append(ends, end.Outcome)
				} else {
					late = append(late, err)
				}
			})
		}
		wg.Wait()
		if len(ends) != 1 {
			t.Fatalf("%d answers ended the request: %v, want 1", len(ends), ends)
		}
		for _, err := range late {
			if want := "ended " + string(ends[0]); refused(err) != want {
				t.Errorf("a late answer: %v, want %s", err, want)
			}
		}
		if got := len(events(t, h, audit.PushRefused)); (got == 1) != (ends[0] == store.PushNotMe) {
			t.Errorf("%d events of refusal after %s", got, ends[0])
		}
	})
}

// Of any number of tabs one claims an approval, and no other journey can (attack 4).
//
// Without "claimed_at IS NULL" and the journey in ClaimPush, all of them claimed it,
// and so did another journey.
func TestPUSH26_ClaimedOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		a, j := h.Authenticator(t, "phone"), h.Journey(t, "browser")
		nodes := [...]*store.DB{h.DB, h.Node(t)}
		p := mustStart(t, h, j, policy.Enter)
		if _, err := claim(t, h, h.DB, j, p.ID); !errors.Is(err, identity.Expired) {
			t.Errorf("a claim before the approval: %v, want Expired", err)
		}
		if _, err := answer(t, h, h.DB, a, approval(p)); err != nil {
			t.Fatal(err)
		}
		if _, err := claim(t, h, h.DB, h.Journey(t, "browser"), p.ID); !errors.Is(err, identity.Expired) {
			t.Errorf("a claim by another journey: %v, want Expired", err)
		}
		var won atomic.Int32
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				switch _, err := claim(t, h, nodes[i%2], j, p.ID); {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, identity.Expired):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 || len(events(t, h, audit.PushApproved)) != 1 {
			t.Errorf("%d of 100 claimed it, want 1", won.Load())
		}
	})
}

// Without the time in ClaimPush, this fails.
func TestPUSH26_ApprovalLapses(t *testing.T) {
	h := storetest.SQLite(t)
	a, j := h.Authenticator(t, "phone"), h.Journey(t, "browser")
	p := mustStart(t, h, j, policy.Enter)
	h.Clock.Advance(59 * time.Second)
	if _, err := answer(t, h, h.DB, a, approval(p)); err != nil {
		t.Fatal(err)
	}
	h.Clock.Advance(61 * time.Second)
	if s := look(t, h, p.ID); s.Outcome != store.PushExpired || s.Waiting() {
		t.Errorf("an approval of a minute ago is %q", s.Outcome)
	}
	if _, err := claim(t, h, h.DB, j, p.ID); !errors.Is(err, identity.Expired) {
		t.Errorf("claimed after a minute: %v, want Expired", err)
	}
}

// An approval at the moment of expiry is too late (attack 2).
//
// Without the clock in outcome, the request was still open.
func TestPUSH15_Expires(t *testing.T) {
	h := storetest.SQLite(t)
	a, j := h.Authenticator(t, "phone"), h.Journey(t, "browser")
	p := mustStart(t, h, j, policy.Enter)
	h.Clock.Advance(60 * time.Second)
	if s := look(t, h, p.ID); s.Outcome != store.PushExpired || s.Number != "" {
		t.Errorf("after a minute: %+v, want expired", s)
	}
	if _, err := Pending(t.Context(), h.DB.Reader, h.Tenant.ID, h.User.ID); !errors.Is(err, identity.NotFound) {
		t.Errorf("Pending: %v, want NotFound", err)
	}
	if _, err := answer(t, h, h.DB, a, approval(p)); refused(err) != "ended expired" {
		t.Errorf("an approval: %v, want ended expired", err)
	}
	if n := len(events(t, h, audit.PushRefused)); n != 0 {
		t.Errorf("an ignored request left %d events besides its challenge", n)
	}
}
