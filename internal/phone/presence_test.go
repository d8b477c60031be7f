package phone_test

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
)

// Every presence check, as the phone shows and answers it. A number that cannot be right is not sent, and
// the request stays open.
func TestPUSH18_PhoneAnswers(t *testing.T) {
	for _, tt := range []struct {
		presence policy.Presence
		digits   int
		options  int
		wrong    []string
	}{
		{policy.NoPresence, 0, 0, []string{"47"}},
		{policy.Enter, 2, 0, []string{"", "4", "471", "4a", "４７"}},
		{policy.SixDigits, 6, 0, []string{"", "47", "12345"}},
		{policy.Pick, 3, 3, []string{"", "47", "000"}},
	} {
		t.Run(string(tt.presence), func(t *testing.T) {
			h := newFixture(t)
			p, _ := h.enrolled(t)
			id, number := h.sendPush(t, tt.presence)
			waiting, err := p.Pending(t.Context())
			if err != nil || len(waiting) != 1 {
				t.Fatalf("waiting: %+v, %v", waiting, err)
			}
			r := waiting[0]
			if r.Digits != tt.digits || len(r.Options) != tt.options || r.Unknown || tt.options > 0 && !slices.Contains(r.Options, number) {
				t.Errorf("shown: %+v, want %d digits, %d to pick from", r, tt.digits, tt.options)
			}
			for _, wrong := range tt.wrong {
				if _, err := p.Approve(t.Context(), id, wrong); !errors.Is(err, identity.Invalid) {
					t.Errorf("%q: %v, want Invalid", wrong, err)
				}
			}
			if outcome := h.outcome(t, id); outcome != "" {
				t.Fatalf("ended as %q by what was not sent", outcome)
			}
			asked := 0
			p.Number = func(phone.Request) (string, error) { asked++; return number, nil }
			if o, err := p.Approve(t.Context(), id, ""); err != nil || o.Outcome != "approved" || asked != min(tt.digits, 1) {
				t.Errorf("%+v, %v, asked %d times", o, err, asked)
			}
		})
	}
}

// A decoy ends the request: there is one attempt (PUSH-17).
func TestPUSH17_PhonePicksWrong(t *testing.T) {
	h := newFixture(t)
	p, _ := h.enrolled(t)
	id, number := h.sendPush(t, policy.Pick)
	waiting, err := p.Pending(t.Context())
	if err != nil || len(waiting) != 1 {
		t.Fatalf("waiting: %+v, %v", waiting, err)
	}
	decoy := waiting[0].Options[0]
	if decoy == number {
		decoy = waiting[0].Options[1]
	}
	if o, err := p.Approve(t.Context(), id, decoy); err != nil || o.Outcome != string(store.PushWrongNumber) {
		t.Errorf("%+v, %v, want wrong-number", o, err)
	}
}

// An app that cannot do a check is told which capability it needs, and the request stays open for another
// app.
func TestPUSH22_PhoneActsAsAnOlderApp(t *testing.T) {
	h := newFixture(t)
	p, _ := h.enrolled(t)
	id, number := h.sendPush(t, policy.Pick)
	p.Version, p.Capabilities = "latchkey-phone/1.0.0", []string{"presence:none", "presence:enter"}
	for what, err := range map[string]error{"pending": second(p.Pending(t.Context())), "approve": second(p.Approve(t.Context(), id, number))} {
		refusal, ok := errors.AsType[*phone.Refusal](err)
		if !ok || refusal.Code != "capability" || refusal.Capability != "presence:pick" || refusal.MinVersion != "1.1.0" {
			t.Errorf("%s: %v, want to be told that presence:pick needs 1.1.0", what, err)
		}
	}
	p.Version, p.Capabilities = "", nil
	if o, err := p.Approve(t.Context(), id, number); err != nil || o.Outcome != "approved" {
		t.Errorf("as what it is: %+v, %v", o, err)
	}
}

// A newer server asks for something unknown.
type newer struct{ old, now string }

func (n newer) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	res.Body = io.NopCloser(strings.NewReader(strings.ReplaceAll(string(body), n.old, n.now)))
	return res, err
}

// The phone does not approve an unknown check, nor treat it as a known one. The request can still be
// denied.
func TestPUSH23_PhoneRefusesTheUnknown(t *testing.T) {
	for _, n := range []newer{{`"SUBMIT_CODE"`, `"DRAW"`}, {`"USER_PRESENCE"`, `"USER_MOOD"`}, {`"PHONE"`, `"WATCH"`},
		{`"digits":3`, `"digits":0`}, {`"digits":3`, `"digits":4`}} {
		h := newFixture(t)
		p, _ := h.enrolled(t)
		id, number := h.sendPush(t, policy.Pick)
		p.HTTP = &http.Client{Transport: n}
		if waiting, err := p.Pending(t.Context()); err != nil || len(waiting) != 1 || !waiting[0].Unknown {
			t.Errorf("%s: waiting %+v, %v, want one that is unknown", n.now, waiting, err)
		}
		if _, err := p.Approve(t.Context(), id, number); !errors.Is(err, identity.Conflict) || h.outcome(t, id) != "" {
			t.Errorf("%s: approved: %v, %q, want Conflict and nothing done", n.now, err, h.outcome(t, id))
		}
		if o, err := p.Deny(t.Context(), id, true); err != nil || o.Outcome != "denied-mistake" {
			t.Errorf("%s: denied: %+v, %v", n.now, o, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }
