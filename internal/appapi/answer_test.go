package appapi

import (
	"database/sql"
	"encoding/base32"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/push"
	"github.com/latchkey-id/latchkey/internal/store"
)

// passcode is the one the app shows, when its clock is off by some time.
func (a *app) passcode(t *testing.T, off time.Duration) string {
	t.Helper()
	seed, err := a.h.DB.Authenticators().Seed(t.Context(), a.h.Tenant.ID, a.id)
	if err != nil {
		t.Fatal(err)
	}
	return otp.HOTP(seed, otp.Params{}, a.h.Clock.Now().Add(off).Unix()/30)
}

// approval is what an app sends to approve.
func (a *app) approval(t *testing.T, p store.PushRequest) fields {
	return fields{"request": p.ID, "nonce": p.Nonce, "decision": "approve", "number": p.Number, "passcode": a.passcode(t, 0)}
}

// failures is how many failed logins in a row a user has.
func (h *fixture) failures(t *testing.T, user identity.User) int64 {
	t.Helper()
	u, err := h.DB.Users().Get(t.Context(), h.Tenant.ID, user.ID)
	if err != nil {
		t.Fatal(err)
	}
	return u.Failures
}

// The whole way of an approval, with an app that shares no code with us.
func TestPUSH13_ApprovedWithNumberAndPasscode(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		_, shown := h.Issued(t, h.User)
		p := &phone.Phone{Dir: t.TempDir(), Now: h.Clock.Now}
		if _, err := p.Activate(t.Context(), phone.Activation{Link: shown.Link(h.server.URL), Push: true}); err != nil {
			t.Fatal(err)
		}
		j, request := h.Pushed(t, h.User, policy.Enter)
		waiting, err := p.Pending(t.Context())
		if err != nil || len(waiting) != 1 {
			t.Fatalf("pending: %v, %v", waiting, err)
		}
		got := waiting[0]
		if got.ID != request.ID || got.Application != "Payroll" || got.Organisation != h.Tenant.Name || got.User != j.Name || got.Digits != 2 ||
			got.Address != j.IP || got.Place != "Bergen, Norway" || got.Browser != "Firefox, Linux" || got.Started != j.StartedAt.Unix() || got.Expires != request.ExpiresAt.Unix() {
			t.Errorf("PUSH-12: the phone shows %+v", got)
		}
		woken, stop := h.DB.Subscribe(store.JourneyTopic(j.ID))
		defer stop()
		answered := time.Now()
		outcome, err := p.Approve(t.Context(), request.ID, request.Number)
		if err != nil || outcome.Outcome != "approved" {
			t.Fatalf("approve: %+v, %v", outcome, err)
		}
		select {
		case <-woken:
			if took := time.Since(answered); took > time.Second {
				t.Errorf("the browser was woken after %v", took)
			}
		case <-time.After(5 * time.Second):
			t.Error("the browser was not woken")
		}
		h.Do(t, func(tx *store.Tx) error {
			_, err := push.Claim(t.Context(), tx, j, request.ID)
			return err
		})
		if n := h.failures(t, h.User); n != 0 {
			t.Errorf("%d failures after an approval", n)
		}
		if waiting, err := p.Pending(t.Context()); err != nil || len(waiting) != 0 {
			t.Errorf("pending afterwards: %v, %v", waiting, err)
		}
	})
}

// What an approval must be, and what becomes of the request when it is not
// (attack 16).
//
// Tried without sameNumber in package push: the rows of numbers fail.
func TestPUSH13_WhatAnApprovalMustBe(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		a := h.enrolled(t, h.User, true)
		other := h.enrolled(t, h.AddUser(t, "mallory"), true)
		for _, tt := range []struct {
			name    string
			by      *app
			change  func(fields)
			status  int
			says    string // the error, or the outcome
			outcome store.PushOutcome
		}{
			{"as it should be", a, func(fields) {}, 200, "approved", store.PushApproved},
			{"another nonce", a, func(f fields) { f["nonce"] = "EBESExQVFhcYGRobHB0eHw" }, 404, "request", ""},
			{"another request", a, func(f fields) { f["request"] = "psh_aaaaaaaaaaaaaaaaaaaaaaaaaa" }, 404, "request", ""},
			{"by somebody else", other, func(fields) {}, 404, "request", ""},
			{"denied by somebody else", other, func(f fields) { f["decision"] = "deny-not-me" }, 404, "request", ""},
			{"without a passcode", a, func(f fields) { delete(f, "passcode") }, 400, "malformed", ""},
			{"with another passcode", a, func(f fields) { f["passcode"] = wrong(f["passcode"].(string)) }, 422, "passcode", ""},
			{"with a passcode of a minute ago", a, func(f fields) { f["passcode"] = a.passcode(t, -time.Minute) }, 200, "resync-required", store.PushResync},
			{"with a passcode of an hour ago", a, func(f fields) { f["passcode"] = a.passcode(t, -time.Hour) }, 422, "passcode", ""},
			{"without the number", a, func(f fields) { delete(f, "number") }, 200, "wrong-number", store.PushWrongNumber},
			{"with another number", a, func(f fields) { f["number"] = wrong(f["number"].(string)) }, 200, "wrong-number", store.PushWrongNumber},
			{"with a number in disguise", a, func(f fields) { f["number"] = " " + f["number"].(string) }, 200, "wrong-number", store.PushWrongNumber},
			{"with a zero before the number", a, func(f fields) { f["number"] = "0" + f["number"].(string) }, 200, "wrong-number", store.PushWrongNumber},
			{"with the number in wide digits", a, func(f fields) {
				f["number"] = strings.Map(func(r rune) rune { return r - '0' + '\uff10' }, f["number"].(string))
			}, 200, "wrong-number", store.PushWrongNumber},
			{"with the number as a number", a, func(f fields) { f["number"] = json.Number(f["number"].(string)) }, 400, "malformed", ""},
			{"with a list of numbers", a, func(f fields) { f["number"] = []any{"10", "11", f["number"]} }, 400, "malformed", ""},
			{"with no value as the number", a, func(f fields) { f["number"] = nil }, 200, "wrong-number", store.PushWrongNumber},
			{"with an unknown decision", a, func(f fields) { f["decision"] = "Approve" }, 400, "malformed", ""},
		} {
			t.Run(tt.name, func(t *testing.T) {
				h.Clock.Advance(5 * time.Minute) // past the request before, and to a fresh passcode
				_, p := h.Pushed(t, h.User, policy.Enter)
				body := a.approval(t, p)
				tt.change(body)
				r := tt.by.call(t, "answer", body)
				says := r.code()
				if says == "" {
					says, _ = r.body["outcome"].(string)
				}
				if r.status != tt.status || says != tt.says {
					t.Errorf("got %d %q, want %d %q", r.status, says, tt.status, tt.says)
				}
				if got := h.Outcome(t, p); got != tt.outcome {
					t.Errorf("the request has ended with %q, want %q", got, tt.outcome)
				}
			})
		}
	})
}

// wrong returns other digits than these.
func wrong(digits string) string {
	return strings.Map(func(r rune) rune { return '0' + (r-'0'+5)%10 }, digits)
}

// A passcode used in an approval does not work again, typed or signed for
// another request of the same step; the step used last may be signed again.
func TestPUSH13_AnApprovalUsesItsPasscodeUp(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		a := h.enrolled(t, h.User, true)
		_, p := h.Pushed(t, h.User, policy.NoPresence)
		if r := a.call(t, "answer", a.approval(t, p)); r.body["outcome"] != "approved" {
			t.Fatalf("answer: %d %v", r.status, r.body)
		}
		app, err := h.DB.Authenticators().Get(t.Context(), h.Tenant.ID, a.id)
		if err != nil {
			t.Fatal(err)
		}
		if want := h.Clock.Now().Unix() / 30; app.LastStep != want {
			t.Errorf("last step %d, want %d", app.LastStep, want)
		}
	})
}

// *It wasn't me* counts as a failed login of the user, a mistake does not.
func TestPUSH14_TwoWaysToDeny(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		a := h.enrolled(t, h.User, true)
		for _, tt := range []struct {
			decision, outcome string
			failures          int64
		}{
			{"deny-mistake", "denied-mistake", 0},
			{"deny-not-me", "denied-not-me", 1},
			{"deny-mistake", "denied-mistake", 1},
		} {
			h.Clock.Advance(5 * time.Minute)
			_, p := h.Pushed(t, h.User, policy.Enter)
			r := a.call(t, "answer", fields{"request": p.ID, "nonce": p.Nonce, "decision": tt.decision})
			if r.body["outcome"] != tt.outcome {
				t.Errorf("%s: %d %v", tt.decision, r.status, r.body)
			}
			if got := h.failures(t, h.User); got != tt.failures {
				t.Errorf("after %s: %d failures, want %d", tt.decision, got, tt.failures)
			}
			if again := a.call(t, "answer", a.approval(t, p)); again.code() != "ended" || again.status != http.StatusConflict || again.body["outcome"] != tt.outcome {
				t.Errorf("approved after %s: %d %v, want ended with %s", tt.decision, again.status, again.body, tt.outcome)
			}
		}
		app, err := h.DB.Authenticators().Get(t.Context(), h.Tenant.ID, a.id)
		if err != nil || app.Invalid != 0 {
			t.Errorf("the authenticator's own counter: %d, %v", app.Invalid, err)
		}
		if got := len(h.Events(t, h.Tenant.ID, audit.PushRefused)); got != 1 {
			t.Errorf("%d events of a refused push, want 1", got)
		}
	})
}

// One failure more than the threshold locks, with an event and one mail.
func TestCRED20_DenialsAndWrongNumbersLock(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		a := h.enrolled(t, h.User, true)
		h.Mails(t)
		for n := int64(1); n <= policy.DefaultLockout().Threshold+1; n++ {
			h.Clock.Advance(5 * time.Minute)
			_, p := h.Pushed(t, h.User, policy.Enter)
			if n%2 == 0 {
				a.must(t, "answer", fields{"request": p.ID, "nonce": p.Nonce, "decision": "deny-not-me"})
			} else {
				body := a.approval(t, p)
				body["number"] = wrong(p.Number)
				a.must(t, "answer", body)
			}
			locked := len(h.Events(t, h.Tenant.ID, audit.UserLocked))
			if want := n > policy.DefaultLockout().Threshold; (locked == 1) != want {
				t.Errorf("after %d failures: %d events of a lock", n, locked)
			}
		}
		mails := h.Mails(t)
		if len(mails) != 1 || mails[0].Kind != "user-locked" || mails[0].Recipient != h.User.Mail {
			t.Errorf("mails: %+v, want one about the lock", mails)
		}
		u, err := h.DB.Users().Get(t.Context(), h.Tenant.ID, h.User.ID)
		if err != nil || !u.LockedUntil.Equal(h.Clock.Now().Add(15*time.Minute)) {
			t.Errorf("locked until %v, %v", u.LockedUntil, err)
		}
	})
}

// In a browser the user has logged in from before, that browser's own count
// goes up, not the user's.
func TestCRED20_DenialsCountWhereTheJourneyDoes(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		a := h.enrolled(t, h.User, true)
		j, p := h.Pushed(t, h.User, policy.Enter)
		h.Step(t, j, func(tx *store.Tx) error {
			j.KnownBrowser = true
			return tx.Users().RecordLogin(t.Context(), j.Tenant, j.UserID, j.Browser, true, identity.ByPush)
		})
		a.must(t, "answer", fields{"request": p.ID, "nonce": p.Nonce, "decision": "deny-not-me"})
		if got := h.failures(t, h.User); got != 0 {
			t.Errorf("%d failures of the user, want 0", got)
		}
		h.Do(t, func(tx *store.Tx) error {
			counter := store.FailureCounter{Tenant: j.Tenant, User: j.UserID, Browser: j.Browser}
			locked, err := tx.Attempts().LockIfExceeded(t.Context(), counter, 1, h.Clock.Now().Add(time.Minute))
			if locked {
				t.Error("more than one failure of the browser")
			}
			if err != nil {
				return err
			}
			if _, err := tx.Attempts().Reserve(t.Context(), counter, 1); err != nil {
				return err
			}
			if locked, err = tx.Attempts().LockIfExceeded(t.Context(), counter, 1, h.Clock.Now().Add(time.Minute)); !locked {
				t.Error("no failure of the browser")
			}
			return err
		})
	})
}

// Many answers at once: one ends the request, and the others are told how.
func TestPUSH26_OneOfManyAnswersEndsIt(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		a := h.enrolled(t, h.User, true)
		_, p := h.Pushed(t, h.User, policy.Enter)
		bodies := []fields{a.approval(t, p),
			{"request": p.ID, "nonce": p.Nonce, "decision": "deny-not-me"},
			{"request": p.ID, "nonce": p.Nonce, "decision": "deny-mistake"}}
		var mu sync.Mutex
		var won []string
		ended := make(map[string]int)
		var wg sync.WaitGroup
		for i := range 60 {
			wg.Go(func() {
				r := a.call(t, "answer", bodies[i%len(bodies)])
				mu.Lock()
				defer mu.Unlock()
				outcome, _ := r.body["outcome"].(string)
				switch {
				case r.status == http.StatusOK:
					won = append(won, outcome)
				case r.code() == "ended":
					ended[outcome]++
				default:
					t.Errorf("answer: %d %v", r.status, r.body)
				}
			})
		}
		wg.Wait()
		if len(won) != 1 || len(ended) != 1 || ended[won[0]] != 59 {
			t.Errorf("won: %v; the others were told %v", won, ended)
		}
		if got := string(h.Outcome(t, p)); got != won[0] {
			t.Errorf("ended with %q, the winner was told %q", got, won[0])
		}
		if got, want := h.failures(t, h.User), map[bool]int64{true: 1}[won[0] == "denied-not-me"]; got != want {
			t.Errorf("%d failures, want %d", got, want)
		}
	})
}

// One signature, sent a hundred times at once, is taken once.
func TestSignature_OneOfAHundredReplaysIsTaken(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		a := h.enrolled(t, h.User, true)
		s := a.signing("settings", fields{"name": "x"})
		signature := a.sign(s)
		codes := make(chan string, 100)
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() { codes <- h.send(t, s.method, s.name, signature, s.body).code() })
		}
		wg.Wait()
		close(codes)
		count := make(map[string]int)
		for code := range codes {
			count[code]++
		}
		if count[""] != 1 || count["replayed"] != 99 {
			t.Errorf("got %v, want one taken and 99 replayed", count)
		}
	})
}

// A clock that is off is told to signatures, which correct it, and kept from
// passcodes, which show it (CRED-10).
func TestPUSH16_AClockThatIsOff(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		_, shown := h.Issued(t, h.User)
		p := &phone.Phone{Dir: t.TempDir(), Now: func() time.Time { return h.Clock.Now().Add(-4 * time.Minute) }}
		if _, err := p.Activate(t.Context(), phone.Activation{Link: shown.Link(h.server.URL), Push: true}); err != nil {
			t.Fatal(err)
		}
		_, request := h.Pushed(t, h.User, policy.NoPresence)
		outcome, err := p.Approve(t.Context(), request.ID, "")
		if err != nil || outcome.Outcome != "resync-required" {
			t.Errorf("got %+v, %v; want resync-required", outcome, err)
		}
	})
}

// PUSH-6 and PUSH-8: what push does not reach is shown nothing, and cannot
// approve.
func TestPUSH6_WhatPushDoesNotReach(t *testing.T) {
	for _, tt := range []struct {
		name string
		stop func(t *testing.T, h *fixture, a *app)
	}{
		{"push switched off in the app", func(t *testing.T, _ *fixture, a *app) { a.must(t, "settings", fields{"push": false}) }},
		{"push switched off for the platform", func(t *testing.T, h *fixture, _ *app) {
			h.SetPolicy(t, policy.Platforms{identity.Android: {Allowed: true}})
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := onSQLite(t)
			a := h.enrolled(t, h.User, true)
			_, p := h.Pushed(t, h.User, policy.Enter)
			body := a.approval(t, p)
			tt.stop(t, h, a)
			if got := a.must(t, "pending", nil)["request"]; got != nil {
				t.Errorf("pending shows %v", got)
			}
			if r := a.call(t, "answer", body); r.status != http.StatusForbidden || r.code() != "push-not-allowed" {
				t.Errorf("approve: got %d %q, want 403 push-not-allowed", r.status, r.code())
			}
			if got := h.Outcome(t, p); got != "" {
				t.Errorf("the request has ended with %q", got)
			}
		})
	}
}

// An app that cannot do the check is told to update; it can still deny.
func TestPUSH22_AnAppThatIsTooOld(t *testing.T) {
	h := onSQLite(t)
	a := h.enrolled(t, h.User, true)
	_, p := h.Pushed(t, h.User, policy.Enter)
	old := func(name string, body any) heard {
		s := a.signing(name, body)
		s.payload["cap"] = []string{"presence:none"}
		return h.send(t, s.method, s.name, a.sign(s), s.body)
	}
	woken, stop := h.DB.Subscribe(store.JourneyTopic(p.Journey))
	defer stop()
	if r := old("pending", nil); r.code() != "capability" {
		t.Errorf("met: %d %v", r.status, r.body)
	}
	select { // without NotifyWaiting in notice it waited until the request expired
	case <-woken:
	case <-time.After(10 * time.Second):
		t.Error("the browser was not told at once")
	}
	for name, body := range map[string]any{"pending": nil, "answer": a.approval(t, p)} {
		if r := old(name, body); r.status != http.StatusConflict || r.code() != "capability" || r.body["capability"] != "presence:enter" {
			t.Errorf("%s: got %d %v, want 409 capability presence:enter", name, r.status, r.body)
		}
	}
	if r := old("answer", fields{"request": p.ID, "nonce": p.Nonce, "decision": "deny-mistake"}); r.status != http.StatusOK {
		t.Errorf("deny: %d %v", r.status, r.body)
	}
}

// What is asked for comes to the phone as it is to be shown, and the answer
// carries what was typed or picked. An app of before is told what it needs.
func TestPUSH18_PUSH23_ChecksOnThePhone(t *testing.T) {
	for _, tt := range []struct {
		presence policy.Presence
		digits   int
		options  int
	}{{policy.Pick, 3, 3}, {policy.SixDigits, 6, 0}} {
		t.Run(string(tt.presence), func(t *testing.T) {
			h := onSQLite(t)
			a := h.enrolled(t, h.User, true)
			_, p := h.Pushed(t, h.User, tt.presence)
			call := func(version string, can []string, name string, body any) heard {
				s := a.signing(name, body)
				s.payload["ver"], s.payload["cap"] = version, can
				return h.send(t, s.method, s.name, a.sign(s), s.body)
			}
			before := []string{"presence:none", "presence:enter"}
			if r := call("latchkey-web/1.0.0", before, "pending", nil); r.code() != "capability" || r.body["least"] != "1.1.0" {
				t.Errorf("PUSH-22: an app of before: %d %v, want capability, least 1.1.0", r.status, r.body)
			}
			if r := call("latchkey-web/1.0.0", before, "answer", a.approval(t, p)); r.code() != "capability" || r.body["least"] != "1.1.0" || h.Outcome(t, p) != "" {
				t.Errorf("PUSH-22: approved by it: %d %v", r.status, r.body)
			}
			can := append(before, policy.Presence(tt.presence).Capability())
			r := call("latchkey-web/1.1.0", can, "pending", nil)
			request, _ := r.body["request"].(map[string]any)
			asked, _ := request["presence"].(map[string]any)
			challenge, _ := asked["challenge"].(map[string]any)
			options, _ := challenge["options"].([]any)
			if challenge["type"] != "SUBMIT_CODE" || challenge["digits"] != float64(tt.digits) || len(options) != tt.options || tt.options > 0 && !slices.Contains(options, any(p.Number)) {
				t.Errorf("asked for %v", request)
			}
			if r = call("latchkey-web/1.1.0", can, "answer", a.approval(t, p)); r.body["outcome"] != "approved" {
				t.Errorf("answered: %d %v", r.status, r.body)
			}
		})
	}
}

// Where the address is not known, as of a login without a browser, the phone is
// shown none, and neither an empty line nor the server's own.
func TestPUSH12_NoAddress(t *testing.T) {
	h := onSQLite(t)
	a := h.enrolled(t, h.User, true)
	j := h.StartJourney(t, h.User)
	j.IP = ""
	h.Do(t, func(tx *store.Tx) error {
		_, err := push.Start(t.Context(), tx, j, push.Display{Application: "VPN"}, policy.Enter, policy.DefaultPush())
		return err
	})
	request := a.must(t, "pending", nil)["request"].(map[string]any)
	for _, name := range []string{"address", "place"} {
		if value, has := request[name]; has {
			t.Errorf("%s: %q", name, value)
		}
	}
}

// Whoever answers *it wasn't me* is led to where the password is changed; a user who
// has none is led nowhere.
//
// Tried without looking whether the user has one: both were led there.
func TestPUSH14_WhereThePasswordIsChanged(t *testing.T) {
	h := onSQLite(t)
	for _, tt := range []struct{ password, want string }{
		{"", ""},
		{"a hash", "https://login.example.org/t/" + h.Tenant.Slug + "/me/password"},
	} {
		user := h.User
		user.Password = tt.password
		h.Do(t, func(tx *store.Tx) error { return tx.Users().Change(t.Context(), user) })
		_, shown := h.Issued(t, h.User)
		p := &phone.Phone{Dir: t.TempDir(), Now: h.Clock.Now}
		if _, err := p.Activate(t.Context(), phone.Activation{Link: shown.Link(h.server.URL), Push: true}); err != nil {
			t.Fatal(err)
		}
		for _, mistake := range []bool{true, false} {
			_, request := h.Pushed(t, h.User, policy.Enter)
			outcome, err := p.Deny(t.Context(), request.ID, mistake)
			want := tt.want
			if mistake {
				want = ""
			}
			if err != nil || outcome.ChangePassword != want {
				t.Errorf("password %q, a mistake %v: led to %q, %v, want %q", tt.password, mistake, outcome.ChangePassword, err, want)
			}
		}
	}
}

// Push that is locked says so, and until when; nothing waits meanwhile.
func TestPUSH9_StatusTellsOfALock(t *testing.T) {
	h := onSQLite(t)
	a := h.enrolled(t, h.User, true)
	h.Pushed(t, h.User, policy.Enter)
	until := h.Clock.Now().Add(time.Hour)
	h.Do(t, func(tx *store.Tx) error { return tx.Push().Lock(t.Context(), h.Tenant.ID, h.User.ID, until) })
	for _, app := range []*app{a, h.enrolled(t, h.User, true)} { // one enrolled during it too
		now := app.must(t, "status", nil)["push"].(map[string]any)
		if now["state"] != "temporarily locked" || now["until"] != float64(until.Unix()) {
			t.Errorf("status: %v, want locked until %d", now, until.Unix())
		}
		if got := app.must(t, "pending", nil)["request"]; got != nil {
			t.Errorf("waiting: %v", got)
		}
	}
}

// A rejection is told where policy says so.
func TestPUSH14_TheUserIsAlerted(t *testing.T) {
	h := onSQLite(t)
	a := h.enrolled(t, h.User, true)
	h.Mails(t)
	rules := policy.DefaultPush()
	rules.Alerts.User = true
	document, err := policy.Encode(rules)
	if err != nil {
		t.Fatal(err)
	}
	h.Do(t, func(tx *store.Tx) error {
		return tx.Policies().Set(t.Context(), h.Tenant.ID, policy.KindPush, 0, document)
	})
	for _, decision := range []string{"deny-mistake", "deny-not-me"} {
		h.Clock.Advance(time.Minute)
		_, p := h.Pushed(t, h.User, policy.Enter)
		a.must(t, "answer", fields{"request": p.ID, "nonce": p.Nonce, "decision": decision})
	}
	if got := h.Mails(t); len(got) != 1 || got[0].Kind != "push-rejected" || got[0].Recipient != h.User.Mail {
		t.Errorf("mails %+v, want one of the rejection", got)
	}
}

// PUSH-19: the number never comes to the phone, nor does anything else that
// would answer for the person.
func TestPUSH19_TheNumberStaysInTheBrowser(t *testing.T) {
	h := onSQLite(t)
	a := h.enrolled(t, h.User, true)
	_, p := h.Pushed(t, h.User, policy.Enter)
	request := a.must(t, "pending", nil)["request"].(map[string]any)
	known := "id nonce application organisation user started address place browser change_password expires presence"
	for name := range request {
		if !strings.Contains(known, name) {
			t.Errorf("pending tells %q: %v", name, request[name])
		}
	}
	delete(request, "id")
	delete(request, "nonce")
	for name, value := range request {
		if text, ok := value.(string); ok && name != "address" && strings.Contains(text, p.Number) {
			t.Errorf("%s %q contains the number", name, text)
		}
	}
	check, _ := json.Marshal(request["presence"])
	if want := `{"challenge":{"digits":2,"type":"SUBMIT_CODE"},"executor":"PHONE","type":"USER_PRESENCE"}`; string(check) != want {
		t.Errorf("PUSH-23: presence %s, want %s", check, want)
	}
}

// The seed that activate brings is the one whose passcodes are accepted.
func TestENR9a_TheSeedIsTheOneKept(t *testing.T) {
	h := onSQLite(t)
	_, shown := h.Issued(t, h.User)
	a := h.newApp(t)
	answer := a.must(t, "activate", fields{"secret": shown.Secret})
	a.id = answer["authenticator"].(string)
	sent, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(answer["seed"].(string))
	if err != nil || len(sent) != 20 {
		t.Fatalf("seed of %d bytes, %v", len(sent), err)
	}
	if got, want := otp.HOTP(sent, otp.Params{}, h.Clock.Now().Unix()/30), a.passcode(t, 0); got != want {
		t.Errorf("passcode by what was sent %s, by what is kept %s", got, want)
	}
}

// A backup has unused what was used after it was made; so in a database that
// was restored, what was signed before that is not taken.
func TestTREL11_CallsSignedBeforeARestore(t *testing.T) {
	h := onSQLite(t)
	a := h.enrolled(t, h.User, true)
	a.must(t, "settings", fields{"push": false})
	db, err := sql.Open("sqlite", h.Source)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), `INSERT INTO epochs VALUES (1, $1, $1)`, h.Clock.Now().Unix()); err != nil {
		t.Fatal(err)
	}
	if r := a.call(t, "settings", fields{"push": true}); r.status != http.StatusUnauthorized || r.code() != "replayed" {
		t.Errorf("signed before the restore: got %d %q, want 401 replayed", r.status, r.code())
	}
	h.Clock.Advance(time.Second)
	a.must(t, "settings", fields{"push": true})
}
