package appapi

import (
	"errors"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
)

// The whole way with a PIN, with an app that shares no code of it with us. What
// the protocol's page says of proofs, halves and keys is held by the two meeting
// here.
func TestCRED7_ThePhoneHasAPIN(t *testing.T) {
	h := onSQLite(t)
	h.wantsPIN(t, 5)
	j, shown := h.Issued(t, h.User)
	answers := map[phone.PINQuestion]string{phone.PresentPIN: "493817"}
	p := &phone.Phone{Dir: t.TempDir(), Now: h.Clock.Now}
	link := phone.Activation{Link: shown.Link(h.server.URL), Push: true}
	if _, err := p.Activate(t.Context(), link); err == nil || !strings.Contains(err.Error(), "PIN") {
		t.Fatalf("nobody there to be asked: %v", err)
	}
	p.PIN = func(q phone.PINQuestion, _ phone.Account) (string, error) { return answers[q], nil }
	answers[phone.InitialPIN] = h.Shown(t, j).InitialPIN()
	for _, answers[phone.NewPIN] = range []string{"123456", "4938", "49 38 17"} {
		_, err := p.Activate(t.Context(), link)
		if refused := err != nil && strings.Contains(err.Error(), "refused"); refused == (answers[phone.NewPIN] == "49 38 17") {
			t.Errorf("PIN %q: %v", answers[phone.NewPIN], err)
		}
	}
	if _, err := (&phone.Phone{Dir: p.Dir, HTTP: p.HTTP, Now: p.Now}).Passcode(t.Context(), ""); err == nil {
		t.Error("a passcode without the PIN")
	}
	code, err := p.Passcode(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	list, err := p.List(t.Context())
	if err != nil || len(list) != 1 {
		t.Fatalf("%v, %v", list, err)
	}
	a := &app{h: h, id: list[0].ID}
	if want := a.passcode(t, 0); code.Code != want {
		t.Errorf("passcode %s, want %s", code.Code, want)
	}

	answers[phone.NewPIN] = "720916"
	if _, err := p.ChangePIN(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	_, request := h.Pushed(t, h.User, policy.Enter)
	refusal := new(phone.Refusal)
	if _, err := p.Approve(t.Context(), request.ID, request.Number); !errors.As(err, &refusal) || refusal.Code != "pin" {
		t.Errorf("approved with the old PIN: %v, want pin", err)
	}
	answers[phone.PresentPIN] = "720916"
	if o, err := p.Approve(t.Context(), request.ID, request.Number); err != nil || o.Outcome != string(store.PushApproved) {
		t.Errorf("approved with the new PIN: %v, %v", o, err)
	}
}
