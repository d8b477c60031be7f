package appapi

import (
	"database/sql"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/enroll"
	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
)

// withServerPIN is an app whose PIN the server checks, and that PIN.
func (h *fixture) withServerPIN(t *testing.T) (a *app, pin string) {
	t.Helper()
	h.set(t, func(p *policy.Template) { p.PIN = policy.ServerSidePIN })
	j, shown := h.Issued(t, h.User)
	a = h.newApp(t)
	s := a.signing("activate", fields{"secret": shown.Secret})
	s.payload["cap"] = []string{"presence:enter", "presence:none", "pin:server"}
	r := h.send(t, s.method, s.name, a.sign(s), s.body)
	if r.status != http.StatusOK {
		t.Fatalf("%d %v", r.status, r.body)
	}
	a.id = r.body["authenticator"].(string)
	if pin, err := enroll.FirstPIN(t.Context(), h.DB.Reader, j); pin != "" || err != nil {
		t.Errorf("shown %q before the app is ready, %v", pin, err)
	}
	s = a.signing("finish", fields{"push": true})
	s.payload["cap"] = []string{"presence:enter", "presence:none", "pin:server"}
	if r := h.send(t, s.method, s.name, a.sign(s), s.body); r.status != http.StatusOK {
		t.Fatalf("%d %v", r.status, r.body)
	}
	pin, err := enroll.FirstPIN(t.Context(), h.DB.Reader, j)
	if err != nil || len(pin) != 4 {
		t.Fatalf("first PIN %q, %v", pin, err)
	}
	return a, pin
}

// The first PIN is for the page of the enrolment alone: it is in no mail, no event,
// no answer to the app, and not in clear in the database; and no more once it was
// changed. An app that could not ask for it gets none.
func TestCRED5_TheFirstServerPIN(t *testing.T) {
	h := onSQLite(t)
	h.set(t, func(p *policy.Template) { p.PIN = policy.ServerSidePIN })
	_, shown := h.Issued(t, h.User)
	old := h.newApp(t)
	if r := old.call(t, "activate", fields{"secret": shown.Secret}); r.status != http.StatusConflict || r.code() != "capability" || r.body["capability"] != "pin:server" {
		t.Errorf("an app that cannot ask: %d %v", r.status, r.body)
	}
	a, pin := h.withServerPIN(t)
	status := a.must(t, "status", nil)
	if template := status["template"].(map[string]any); template["pin"] != "server" || status["pin"] != nil {
		t.Errorf("the app is told %v, %v", template, status["pin"])
	}
	for _, m := range h.Mails(t) {
		if strings.Contains(string(m.Arguments), `"`+pin+`"`) {
			t.Errorf("mailed: %s", m.Arguments)
		}
	}
	db, err := sql.Open("sqlite", h.Source)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var row string
	if err := db.QueryRowContext(t.Context(), `SELECT p.mac || p.initial || h.mac FROM server_pins p, server_pin_history h`).Scan(&row); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(row, pin) {
		t.Error("the PIN is in the database in clear")
	}
}

// With an approval the PIN is asked for on the phone, and sent with it (PUSH-13):
// a wrong one leaves the request open, counts against the authenticator and not
// against passcodes, and locks it at the limit until an operator unlocks it.
//
// Tried without TryServerPIN in answer: all were approved.
func TestPUSH13_AnApprovalBringsTheServerPIN(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		a, pin := h.withServerPIN(t)
		_, p := h.Pushed(t, h.User, policy.Enter)
		with := func(pin string) fields {
			f := a.approval(t, p)
			f["pin"] = pin
			return f
		}
		app := func() identity.Authenticator {
			app, err := h.DB.Authenticators().Get(t.Context(), h.Tenant.ID, a.id)
			if err != nil {
				t.Fatal(err)
			}
			return app
		}
		wrong := "0000"
		if pin == wrong {
			wrong = "0001"
		}
		for i, tried := range []string{"", wrong, pin + "1"} {
			r := a.call(t, "answer", with(tried))
			if r.status != http.StatusUnprocessableEntity || r.code() != "pin" || r.body["attempts_left"] != float64(9-i) {
				t.Errorf("with %q: %d %v, want 422 pin and %d tries left", tried, r.status, r.body, 9-i)
			}
		}
		if got := h.Outcome(t, p); got != "" || app().Invalid != 0 {
			t.Errorf("the request is %q, %d wrong passcodes; want it open, and none", got, app().Invalid)
		}
		if r := a.call(t, "answer", with(pin)); r.status != http.StatusOK || r.body["outcome"] != "approved" {
			t.Fatalf("with the PIN: %d %v", r.status, r.body)
		}
		_, p = h.Pushed(t, h.User, policy.Enter)
		for range 9 {
			a.call(t, "answer", with(wrong))
		}
		if app().State() != identity.Active {
			t.Fatal("locked before the limit")
		}
		if r := a.call(t, "answer", with(wrong)); r.code() != "pin" || r.body["attempts_left"] != 0.0 || app().State() != identity.Locked {
			t.Errorf("the tenth: %d %v, %s", r.status, r.body, app().State())
		}
		if r := a.call(t, "answer", with(pin)); r.status == http.StatusOK {
			t.Error("the right PIN approves with a locked one")
		}
		if got := h.Events(t, h.Tenant.ID, audit.AuthenticatorLocked); len(got) != 1 || got[0].Reason != "wrong PINs" {
			t.Errorf("events %+v", got)
		}
		h.Do(t, func(tx *store.Tx) error {
			_, err := tx.Authenticators().Unlock(t.Context(), h.Tenant.ID, a.id)
			return err
		})
		if r := a.call(t, "answer", with(wrong)); r.body["attempts_left"] != 9.0 {
			t.Errorf("after the unlock: %v, want nine left", r.body)
		}
		if r := a.call(t, "answer", fields{"request": p.ID, "nonce": p.Nonce, "decision": "deny-mistake"}); r.status != http.StatusOK {
			t.Errorf("denied without a PIN: %d %v", r.status, r.body)
		}
	})
}

// A phone that shares no code of it with us has such an account, asks for the PIN
// when it approves, and for none to make a passcode.
func TestPUSH13_ThePhoneSendsTheServerPIN(t *testing.T) {
	h := onSQLite(t)
	h.set(t, func(p *policy.Template) { p.PIN = policy.ServerSidePIN })
	j, shown := h.Issued(t, h.User)
	p := &phone.Phone{Dir: t.TempDir(), Now: h.Clock.Now}
	if _, err := p.Activate(t.Context(), phone.Activation{Link: shown.Link(h.server.URL), Push: true}); err != nil {
		t.Fatal(err)
	}
	pin, err := enroll.FirstPIN(t.Context(), h.DB.Reader, j)
	if err != nil {
		t.Fatal(err)
	}
	code, err := p.Passcode(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if h.check(t, code.Code, "").OK {
		t.Error("the passcode alone is right")
	}
	_, request := h.Pushed(t, h.User, policy.Enter)
	if _, err := p.Approve(t.Context(), request.ID, request.Number); err == nil {
		t.Error("approved though nobody was asked for the PIN")
	}
	answer := "9" + pin
	p.PIN = func(phone.PINQuestion, phone.Account) (string, error) { return answer, nil }
	refusal := new(phone.Refusal)
	if _, err := p.Approve(t.Context(), request.ID, request.Number); !errors.As(err, &refusal) || refusal.Code != "pin" {
		t.Errorf("with a wrong PIN: %v", err)
	}
	answer = pin
	if o, err := p.Approve(t.Context(), request.ID, request.Number); err != nil || o.Outcome != string(store.PushApproved) {
		t.Errorf("with the PIN: %v, %v", o, err)
	}
}
