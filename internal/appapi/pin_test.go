package appapi

import (
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/enroll"
	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
)

// wantsPIN has authenticators that are enrolled from now on ask for a PIN.
func (h *fixture) wantsPIN(t *testing.T, attempts int64) {
	t.Helper()
	template := policy.DefaultTemplate()
	template.PIN, template.PINAttempts, template.Biometric = policy.UserPIN, attempts, true
	h.Rules.Template = template
}

// A secretPIN is what an app makes of a PIN.
type secretPIN struct{ salt, proof, half []byte }

// ofPIN makes it. Few iterations do for a test; what the server is told is what
// an app would say.
func ofPIN(t *testing.T, pin string) secretPIN {
	t.Helper()
	s := secretPIN{salt: make([]byte, 16), half: make([]byte, 32)}
	rand.Read(s.salt)
	rand.Read(s.half)
	var err error
	if s.proof, err = proofOf(pin, s.salt, 1); err != nil {
		t.Fatal(err)
	}
	return s
}

// change is the body of pin.
func (s secretPIN) change(to secretPIN) fields {
	return fields{"proof": b64(s.proof), "new": fields{"salt": b64(to.salt), "iterations": 600_000, "proof": b64(to.proof), "half": b64(to.half)}}
}

// begun is an app that has used an activation whose authenticator wants a PIN,
// and what it makes of the initial one, as the page of the enrolment shows it.
func (h *fixture) begun(t *testing.T) (*app, *identity.Journey, secretPIN) {
	t.Helper()
	j, shown := h.Issued(t, h.User)
	a := h.newApp(t)
	s := a.signing("activate", fields{"secret": shown.Secret})
	s.payload["cap"] = []string{"presence:none", "presence:enter", "pin:app"}
	r := a.h.send(t, s.method, s.name, a.sign(s), s.body)
	if r.status != http.StatusOK {
		t.Fatalf("activate: %d %v", r.status, r.body)
	}
	a.id = r.body["authenticator"].(string)
	pin := r.body["pin"].(fields)
	if pin["initial"] != true || pin["attempts_left"] != float64(h.Rules.Template.PINAttempts) {
		t.Errorf("activate says of the PIN %v", pin)
	}
	salt, err := strict64.DecodeString(pin["salt"].(string))
	if err != nil {
		t.Fatal(err)
	}
	initial := h.Shown(t, j).PIN
	if len(initial) != initialDigits || strings.Trim(initial, "0123456789") != "" {
		t.Fatalf("the page shows the PIN %q", initial)
	}
	proof, err := proofOf(initial, salt, int(pin["iterations"].(float64)))
	if err != nil {
		t.Fatal(err)
	}
	return a, j, secretPIN{salt: salt, proof: proof}
}

// chosen is an app that was enrolled with a PIN of its person's own.
func (h *fixture) chosen(t *testing.T) (*app, secretPIN) {
	t.Helper()
	a, _, first := h.begun(t)
	own := ofPIN(t, "493817")
	a.must(t, "pin", first.change(own))
	a.must(t, "finish", fields{"push": true})
	return a, own
}

// The initial PIN is shown on the page of the enrolment, to be changed before
// anything else, and is nowhere after that. Without chosenPIN in finish the
// authenticator is ready with a PIN that stood on a screen.
func TestCRED5_TheInitialPINIsShownAndChanged(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		h.wantsPIN(t, 3)
		a, j, first := h.begun(t)
		if r := a.call(t, "finish", fields{"push": true}); r.status != http.StatusConflict || r.code() != "initial-pin" {
			t.Errorf("finish with the initial PIN: %d %q, want 409 initial-pin", r.status, r.code())
		}
		if r := a.call(t, "unlock", fields{"proof": b64(first.proof)}); r.status != http.StatusConflict || r.code() != "initial-pin" {
			t.Errorf("unlock with the initial PIN: %d %q, want 409 initial-pin", r.status, r.code())
		}
		own := ofPIN(t, "493817")
		if got := a.must(t, "pin", first.change(own))["pin"].(fields); got["initial"] != nil || got["salt"] != b64(own.salt) || got["iterations"] != 600_000.0 {
			t.Errorf("after the change: %v", got)
		}
		if shown := h.Shown(t, j); shown.PIN != "" {
			t.Errorf("the page still shows %q", shown.PIN)
		}
		if r := a.call(t, "unlock", fields{"proof": b64(first.proof)}); r.status != http.StatusUnprocessableEntity {
			t.Errorf("the initial PIN still unlocks: %d", r.status)
		}
		if got := a.must(t, "unlock", fields{"proof": b64(own.proof)})["half"]; got != b64(own.half) {
			t.Errorf("half %v, want the app's %s", got, b64(own.half))
		}
		a.must(t, "finish", fields{"push": true})
	})
}

// An app that cannot ask for a PIN gets none of it. Without needs it is an
// authenticator whose PIN nobody chose.
func TestCRED5_AnAppWithoutPINsIsRefused(t *testing.T) {
	h := onSQLite(t)
	h.wantsPIN(t, 3)
	_, shown := h.Issued(t, h.User)
	a := h.newApp(t)
	for _, tt := range []struct{ version, least string }{{"latchkey-web/1.0.0", "1.1.0"}, {"other/7.0.0", ""}} {
		s := a.signing("activate", fields{"secret": shown.Secret})
		s.payload["ver"] = tt.version
		r := h.send(t, s.method, s.name, a.sign(s), s.body)
		least, _ := r.body["least"].(string)
		if r.status != http.StatusConflict || r.code() != "capability" || r.body["capability"] != "pin:app" || least != tt.least {
			t.Errorf("%s: %d %v, want 409 capability pin:app, least %q", tt.version, r.status, r.body, tt.least)
		}
	}
	s := a.signing("activate", fields{"secret": shown.Secret})
	s.payload["cap"] = []string{"pin:app"}
	if r := h.send(t, s.method, s.name, a.sign(s), s.body); r.status != http.StatusOK {
		t.Errorf("updated, the same code: %d %v, want 200", r.status, r.body)
	}
}

// Who took a picture of the QR code has not seen the page after it.
func TestCRED5_WrongInitialPINsVoidTheActivation(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		h.wantsPIN(t, 2)
		a, j, _ := h.begun(t)
		wrong, own := ofPIN(t, "00000000"), ofPIN(t, "493817")
		for left := 1.0; left >= 0; left-- {
			r := a.call(t, "pin", wrong.change(own))
			if r.status != http.StatusUnprocessableEntity || r.code() != "pin" || r.body["attempts_left"] != left {
				t.Errorf("%d %v, want 422 pin with %v left", r.status, r.body, left)
			}
		}
		if r := a.call(t, "finish", fields{"push": false}); r.status != http.StatusGone {
			t.Errorf("finish: %d %q, want 410 voided", r.status, r.code())
		}
		if got := h.Shown(t, j).State; got != enroll.Expired {
			t.Errorf("the page shows %s, want it to offer another", got)
		}
	})
}

// The last wrong PIN locks, and no operator unlocks what it locked. Without the
// NOT EXISTS in UnlockAuthenticator one does.
func TestCRED7_WrongPINsLockForGood(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		h.wantsPIN(t, 3)
		a, own := h.chosen(t)
		wrong := ofPIN(t, "000000")
		for range 2 {
			a.call(t, "unlock", fields{"proof": b64(wrong.proof)})
		}
		a.must(t, "unlock", fields{"proof": b64(own.proof)}) // and all is forgiven
		if left := a.must(t, "status", nil)["pin"].(fields)["attempts_left"]; left != 3.0 {
			t.Errorf("%v tries left after a right one, want 3", left)
		}
		woken, stop := h.DB.Subscribe(store.AuthenticatorTopic(a.id))
		defer stop()
		for left := 2.0; left >= 0; left-- {
			r := a.call(t, "unlock", fields{"proof": b64(wrong.proof)})
			if r.status != http.StatusUnprocessableEntity || r.code() != "pin" || r.body["attempts_left"] != left {
				t.Errorf("%d %v, want 422 pin with %v left", r.status, r.body, left)
			}
		}
		select {
		case <-woken:
		case <-time.After(10 * time.Second):
			t.Error("nothing rang")
		}
		if r := a.call(t, "unlock", fields{"proof": b64(own.proof)}); r.status != http.StatusForbidden || r.body["state"] != "locked" {
			t.Errorf("the right PIN after the lock: %d %v, want 403 state locked", r.status, r.body)
		}
		if got := a.must(t, "status", nil); got["state"] != "locked" || got["pin"].(fields)["attempts_left"] != 0.0 {
			t.Errorf("status %v, want locked with none left", got)
		}
		events := h.Events(t, h.Tenant.ID, audit.AuthenticatorLocked)
		if len(events) != 1 || events[0].Reason != "wrong PINs" || events[0].User != h.User.ID {
			t.Errorf("events %+v, want one that says wrong PINs", events)
		}
		err := h.DB.InTx(t.Context(), h.Who, func(tx *store.Tx) error {
			locked, err := tx.Authenticators().Get(t.Context(), h.Tenant.ID, a.id)
			return errors.Join(err, authenticator.Unlock(t.Context(), tx, locked))
		})
		if e, ok := errors.AsType[*identity.Error](err); !ok || e.Key != "error.authenticator.pin" {
			t.Errorf("an operator's unlock: %v, want a refusal", err)
		}
		if got := a.must(t, "status", nil)["state"]; got != "locked" {
			t.Errorf("after an operator's unlock: %v, want locked", got)
		}
	})
}

// However many try at once, no more proofs are looked at than are allowed, and
// all that were wrong are counted. Without failures < $3 in TryPIN all of them
// are looked at.
func TestCRED7_FiftyAtOnceAreCounted(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		h.wantsPIN(t, 10)
		a, own := h.chosen(t)
		app, err := h.DB.Authenticators().Get(t.Context(), h.Tenant.ID, a.id)
		if err != nil {
			t.Fatal(err)
		}
		wrong := ofPIN(t, "000000").proof
		var mu sync.Mutex
		seen := map[int64]int{}
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				err := h.DB.InTx(t.Context(), h.Who, func(tx *store.Tx) error {
					verdict, left, err := tx.PINs().Try(t.Context(), app.Tenant, app.ID, 10, wrong)
					if verdict == store.PINWrong {
						mu.Lock()
						defer mu.Unlock()
						seen[left]++
					}
					return err
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for left := range int64(10) {
			if seen[left] != 1 {
				t.Errorf("looked at %v, want ten, each counted once", seen)
				break
			}
		}
		if len(seen) != 10 {
			t.Errorf("looked at %v, want ten", seen)
		}
		if r := a.call(t, "unlock", fields{"proof": b64(own.proof)}); r.status == http.StatusOK {
			t.Error("the right PIN after ten wrong ones unlocks")
		}
	})
}

// A signed approval proves the device and not its person. Without askedWho in
// answer all of these approve.
func TestCRED7_AnApprovalComesAfterAnUnlockForIt(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		h.wantsPIN(t, 3)
		a, own := h.chosen(t)
		refused := func(why string, p store.PushRequest) {
			t.Helper()
			if r := a.call(t, "answer", a.approval(t, p)); r.status != http.StatusUnprocessableEntity || r.code() != "pin" {
				t.Errorf("%s: %d %v, want 422 pin", why, r.status, r.body)
			}
			if got := h.Outcome(t, p); got != "" {
				t.Errorf("%s: the request ended %q", why, got)
			}
		}
		_, p := h.Pushed(t, h.User, policy.Enter)
		refused("no unlock", p)
		a.must(t, "unlock", fields{"proof": b64(own.proof)})
		refused("an unlock for nothing", p)
		a.must(t, "unlock", fields{"proof": b64(own.proof), "request": "psh_aaaaaaaaaaaaaaaaaaaaaaaaaa"})
		refused("an unlock for another", p)
		if got := a.must(t, "unlock", fields{"proof": b64(own.proof), "request": p.ID})["until"]; got != float64(h.Clock.Now().Add(unlockLife).Unix()) {
			t.Errorf("until %v, want a minute from now", got)
		}
		a.call(t, "unlock", fields{"proof": b64(ofPIN(t, "000000").proof), "request": p.ID}) // changes nothing
		if r := a.call(t, "answer", a.approval(t, p)); r.body["outcome"] != "approved" {
			t.Errorf("after an unlock for it: %d %v", r.status, r.body)
		}
		_, p = h.Pushed(t, h.User, policy.NoPresence)
		refused("the unlock for the one before", p)
		a.must(t, "unlock", fields{"proof": b64(own.proof), "request": p.ID})
		h.Clock.Advance(unlockLife)
		if r := a.call(t, "answer", a.approval(t, p)); r.status == http.StatusOK {
			t.Errorf("a minute later: %v, want a refusal", r.body)
		}
		_, p = h.Pushed(t, h.User, policy.NoPresence)
		if r := a.call(t, "answer", fields{"request": p.ID, "nonce": p.Nonce, "decision": "deny-mistake"}); r.body["outcome"] != "denied-mistake" {
			t.Errorf("denied without a PIN: %d %v", r.status, r.body)
		}
	})
}

// A PIN is changed by who knows it, together with the half, and its old one
// opens nothing.
func TestCRED7_ChangingThePIN(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		h.wantsPIN(t, 3)
		a, own := h.chosen(t)
		next := ofPIN(t, "Seven7")
		if r := a.call(t, "pin", ofPIN(t, "000000").change(next)); r.status != http.StatusUnprocessableEntity || r.body["attempts_left"] != 2.0 {
			t.Errorf("a wrong old one: %d %v", r.status, r.body)
		}
		a.must(t, "pin", own.change(next))
		if r := a.call(t, "unlock", fields{"proof": b64(own.proof)}); r.status != http.StatusUnprocessableEntity {
			t.Errorf("the old PIN: %d, want 422", r.status)
		}
		if got := a.must(t, "unlock", fields{"proof": b64(next.proof)})["half"]; got != b64(next.half) {
			t.Errorf("half %v, want the new one", got)
		}
		var told []string
		for _, e := range h.Events(t, h.Tenant.ID, audit.AuthenticatorPIN) {
			told = append(told, e.Reason)
		}
		slices.Sort(told)
		if got, want := strings.Join(told, ", "), "changed, changed, wrong, wrong"; got != want {
			t.Errorf("events %q, want %q", got, want)
		}
		a.must(t, "remove", fields{})
		if _, err := h.DB.PINs().Get(t.Context(), h.Tenant.ID, a.id); !errors.Is(err, identity.NotFound) {
			t.Errorf("after the end of the authenticator: %v, want no PIN", err)
		}
	})
}

// What the database holds of a PIN is of no use to who has only that.
func TestCRED7_NothingOfAPINIsInTheDatabase(t *testing.T) {
	h := onSQLite(t)
	h.wantsPIN(t, 3)
	a, _, first := h.begun(t)
	own := ofPIN(t, "493817")
	h.Do(t, func(tx *store.Tx) error {
		return tx.PINs().UnlockFor(t.Context(), h.Tenant.ID, a.id, "psh_x", h.Clock.Now())
	})
	a.must(t, "pin", first.change(own))
	db, err := sql.Open("sqlite", h.Source)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var row string
	if err := db.QueryRowContext(t.Context(), `SELECT salt || proof_mac || half || coalesce(initial, '') || unlocked_for FROM authenticator_pins`).Scan(&row); err != nil {
		t.Fatal(err)
	}
	for name, secret := range map[string][]byte{"proof": own.proof, "first proof": first.proof, "half": own.half, "unlock": []byte("psh_x")} {
		if strings.Contains(row, string(secret)) {
			t.Errorf("the %s can be read", name)
		}
	}
}

// What cannot be meant.
func TestCRED7_MalformedPINs(t *testing.T) {
	h := onSQLite(t)
	h.wantsPIN(t, 3)
	a, own := h.chosen(t)
	plain := h.enrolledPlain(t)
	good := own.change(ofPIN(t, "Seven7"))
	with := func(name string, v any) fields {
		data, _ := json.Marshal(good)
		var body fields
		_ = json.Unmarshal(data, &body)
		if name == "proof" {
			body["proof"] = v
		} else {
			body["new"].(fields)[name] = v
		}
		return body
	}
	for _, tt := range []struct {
		who  *app
		call string
		body any
	}{
		{a, "pin", with("proof", "")}, {a, "pin", with("proof", "AA")}, {a, "pin", with("salt", "AA")}, {a, "pin", with("half", nil)},
		{a, "pin", with("iterations", 99_999)}, {a, "pin", with("iterations", 100_000_001)}, {a, "pin", with("iterations", -1)},
		{a, "pin", fields{}}, {a, "unlock", fields{}}, {a, "unlock", fields{"proof": b64(own.half[:31])}},
		{a, "unlock", fields{"proof": b64(own.proof), "request": "*"}}, {plain, "unlock", fields{"proof": b64(own.proof)}}, {plain, "pin", good},
	} {
		if r := tt.who.call(t, tt.call, tt.body); r.status != http.StatusBadRequest || r.code() != "malformed" {
			t.Errorf("%s %v: %d %q, want 400 malformed", tt.call, tt.body, r.status, r.code())
		}
	}
	if left := a.must(t, "status", nil)["pin"].(fields)["attempts_left"]; left != 3.0 {
		t.Errorf("%v tries left, want all", left)
	}
}

// enrolledPlain is an app of another user, without a PIN.
func (h *fixture) enrolledPlain(t *testing.T) *app {
	t.Helper()
	h.Rules.Template = policy.DefaultTemplate()
	return h.enrolled(t, h.AddUser(t, "bo.lund"), true)
}

// The bodies of the protocol's page are taken as they stand there, and what is
// answered has its fields, and no others.
func TestProtocolPINExamples(t *testing.T) {
	h := onSQLite(t)
	h.wantsPIN(t, 10)
	h.Rules.Template.Biometric = false
	a, _, first := h.begun(t)
	keys := func(v any) string { return strings.Join(slices.Sorted(maps.Keys(v.(fields))), " ") }
	status := a.must(t, "status", nil)
	for name, got := range map[string]any{"pin-template": status["template"], "pin-standing": status["pin"]} {
		if want := example(t, name); keys(got) != keys(want) {
			t.Errorf("%s: %v, the page has %v", name, got, want)
		}
	}
	if got, want := status["template"], any(example(t, "pin-template")); !reflect.DeepEqual(got, want) {
		t.Errorf("template %v, the page has %v", got, want)
	}
	body := example(t, "pin-body")
	body["proof"] = b64(first.proof) // ours is another PIN's
	a.must(t, "pin", body)
	unlock := example(t, "unlock-body")
	unlock["proof"] = body["new"].(fields)["proof"]
	got, want := a.must(t, "unlock", unlock), example(t, "unlock")
	if keys(got) != keys(want) || got["half"] != want["half"] {
		t.Errorf("unlock: %v, the page has %v", got, want)
	}
}
