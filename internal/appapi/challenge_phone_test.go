package appapi

import (
	"net/http"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
)

// set has authenticators enrolled by a template from now on.
func (h *fixture) set(t *testing.T, change func(*policy.Template)) {
	t.Helper()
	template := policy.DefaultTemplate()
	change(&template)
	h.Rules.Template = template.Normalize()
}

// check has the user type something, and says whether it was right.
func (h *fixture) check(t *testing.T, typed, challenge string) (result authenticator.Result) {
	t.Helper()
	h.Do(t, func(tx *store.Tx) (err error) {
		try := authenticator.Attempt{Tenant: h.Tenant.ID, User: h.User.ID, Typed: typed, Rules: policy.DefaultLockout()}
		if challenge != "" {
			result, err = authenticator.Respond(t.Context(), tx, try, challenge)
		} else {
			result, err = authenticator.Check(t.Context(), tx, try)
		}
		return err
	})
	return result
}

// An app that answers challenges, which shares no code of it with us: its
// responses are right for what they answer alone, and it approves a push by a
// response to the request's nonce. That one is made by a suite of its own: what
// answers the one is no answer to the other.
//
// Tried with approveByResponse true to any response: the wrong one approved.
func TestCRED3_ThePhoneAnswersChallenges(t *testing.T) {
	for _, digits := range []int64{6, 8} {
		each(t, func(t *testing.T, h *fixture) {
			h.set(t, func(p *policy.Template) { p.Mode, p.Length = policy.ChallengeResponse, digits })
			_, shown := h.Issued(t, h.User)
			p := &phone.Phone{Dir: t.TempDir(), Now: h.Clock.Now}
			account, err := p.Activate(t.Context(), phone.Activation{Link: shown.Link(h.server.URL), Push: true})
			if err != nil {
				t.Fatal(err)
			}
			if code, err := p.Passcode(t.Context(), ""); err == nil {
				t.Errorf("made passcode %s", code.Code)
			}
			for _, challenge := range []string{"00000000", "40729816", "99999999"} {
				answer, err := p.Respond(t.Context(), account.Serial, challenge[:4]+" "+challenge[4:])
				if err != nil || len(answer.Code) != int(digits) {
					t.Fatalf("response %q, %v, want %d digits", answer.Code, err, digits)
				}
				if !h.check(t, answer.Code, challenge).OK {
					t.Errorf("response %s to %s refused", answer.Code, challenge)
				}
				if h.check(t, answer.Code, "31415926").OK || h.check(t, answer.Code, "").OK {
					t.Errorf("response %s to %s accepted for another challenge, or as a passcode", answer.Code, challenge)
				}
			}
			_, request := h.Pushed(t, h.User, policy.Enter)
			if o, err := p.Approve(t.Context(), request.ID, request.Number); err != nil || o.Outcome != string(store.PushApproved) {
				t.Errorf("approved: %v, %v", o, err)
			}
		})
	}
	h := onSQLite(t)
	h.set(t, func(p *policy.Template) { p.Mode = policy.ChallengeResponse })
	a := h.enrolled(t, h.User, true)
	_, request := h.Pushed(t, h.User, policy.Enter)
	if r := a.call(t, "answer", a.approval(t, request)); r.status != http.StatusUnprocessableEntity || r.code() != "passcode" {
		t.Errorf("approved by a passcode: %d %s, want 422 passcode", r.status, r.code())
	}
}

// An app whose passcodes are counted: each is another, and is used once; push
// approvals go on in the same count, and what was shown and not typed is skipped.
//
// Tried with the phone's counter raised after the passcode was made, and the file
// not written: a second process showed the same one.
func TestCRED4_AnAppThatCounts(t *testing.T) {
	for _, digits := range []int64{6, 8} {
		each(t, func(t *testing.T, h *fixture) {
			h.set(t, func(p *policy.Template) { p.Step, p.Length = 0, digits })
			_, shown := h.Issued(t, h.User)
			p := &phone.Phone{Dir: t.TempDir(), Now: h.Clock.Now}
			if _, err := p.Activate(t.Context(), phone.Activation{Link: shown.Link(h.server.URL), Push: true}); err != nil {
				t.Fatal(err)
			}
			next := func() string {
				code, err := (&phone.Phone{Dir: p.Dir, Now: h.Clock.Now}).Passcode(t.Context(), "")
				if err != nil || code.Left != 0 || len(code.Code) != int(digits) {
					t.Fatalf("%+v, %v", code, err)
				}
				return code.Code
			}
			first, second := next(), next()
			if first == second || !h.check(t, first, "").OK || !h.check(t, second, "").OK {
				t.Errorf("the first two, %s and %s, refused", first, second)
			}
			if h.check(t, second, "").OK {
				t.Error("CRED-9: accepted again")
			}
			_, request := h.Pushed(t, h.User, policy.Enter)
			if o, err := p.Approve(t.Context(), request.ID, request.Number); err != nil || o.Outcome != string(store.PushApproved) {
				t.Errorf("approved: %v, %v", o, err)
			}
			next()
			next() // pressed by a pocket
			h.Clock.Advance(24 * time.Hour)
			if !h.check(t, next(), "").OK {
				t.Error("CRED-10: the next but two refused")
			}
		})
	}
}

// An app that cannot do what its template asks gets none of it: it would be an
// authenticator that lets nobody in.
//
// Tried without needs: both were activated.
func TestCRED3_AnAppThatCannotIsRefused(t *testing.T) {
	for capability, change := range map[string]func(*policy.Template){
		"challenge": func(p *policy.Template) { p.Mode = policy.ChallengeResponse },
		"counter":   func(p *policy.Template) { p.Step = 0 },
	} {
		h := onSQLite(t)
		h.set(t, change)
		_, shown := h.Issued(t, h.User)
		a := h.newApp(t)
		for version, want := range map[string]any{"latchkey-web/1.1.0": "1.2.0", "other/7.0.0": nil} {
			s := a.signing("activate", fields{"secret": shown.Secret})
			s.payload["ver"], s.payload["cap"] = version, []string{"presence:enter", "pin:app"}
			r := h.send(t, s.method, s.name, a.sign(s), s.body)
			if r.status != http.StatusConflict || r.code() != "capability" || r.body["capability"] != capability || r.body["least"] != want {
				t.Errorf("%s: %d %v, want 409 capability %s, least %v", version, r.status, r.body, capability, want)
			}
		}
		if all := h.Events(t, h.Tenant.ID, audit.EnrollKey); len(all) != 0 {
			t.Errorf("%s: %d keys registered", capability, len(all))
		}
	}
}
