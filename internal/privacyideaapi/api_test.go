package privacyideaapi

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"database/sql"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/enroll"
	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

func TestPUSH24_StoreAppFromScanToApproval(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		j, link := h.scanned(t)
		if !strings.Contains(link, "&ttl=10&") || h.link(t, j) != link {
			t.Errorf("the QR code holds %s, and after a reload %s", link, h.link(t, j))
		}
		woken, stop := h.DB.Subscribe(store.JourneyTopic(j.ID))
		defer stop()
		p := h.scan(t, link)
		p.register(t)
		select {
		case <-woken:
		case <-time.After(5 * time.Second):
			t.Error("the page was not woken")
		}
		if shown, err := enroll.Shown(t.Context(), h.DB.Reader, j); err != nil || shown.State != enroll.Done {
			t.Errorf("shown afterwards: %v, %v", shown.State, err)
		}
		a := h.Authenticators(t)[0]
		if a.Kind != identity.AppToken || a.Protocol != identity.PrivacyIDEAPush || a.State() != identity.Active || a.Serial != p.serial ||
			a.Push(h.Clock.Now()) != identity.PushEnabled || a.Thumbprint != "" || a.Name != "privacyIDEA Authenticator" {
			t.Errorf("authenticator: %+v", a)
		}
		if got := p.poll(t); len(got) != 0 {
			t.Errorf("nothing waits, yet the app is shown %v", got)
		}
		w := h.pushed(t, policy.NoPresence)
		got := p.poll(t)
		if len(got) != 1 || got[0]["title"] != "Payroll" || got[0]["require_presence"] != "" ||
			!strings.Contains(got[0]["question"], "anna.berg") || !strings.Contains(got[0]["question"], "Bergen, Norway") || !strings.Contains(got[0]["question"], "Firefox, Linux") {
			t.Fatalf("challenges: %v", got)
		}
		if a := p.post(t, p.saying(got[0]["nonce"], "")); string(a.Result.Value) != "true" {
			t.Errorf("approval: %d %s", a.status, a.text)
		}
		if got := h.Outcome(t, w); got != store.PushApproved {
			t.Errorf("the request is %q, want approved", got)
		}
		if a := p.post(t, p.saying(got[0]["nonce"], "|decline", "decline", "1")); string(a.Result.Value) != "false" {
			t.Errorf("an answer after the first: %d %s", a.status, a.text)
		}
		if got := p.poll(t); len(got) != 0 {
			t.Errorf("after the answer: %v", got)
		}
	})
}

// refusedAs is what every refusal looks like; a test of one compares with it.
const refusedAs = `{"jsonrpc":"2.0","id":1,"result":{"status":false,"error":{"code":1,"message":"could not verify signature"}}}`

func wantRefused(t *testing.T, what string, got said) {
	t.Helper()
	if got.status != http.StatusBadRequest || got.text != refusedAs {
		t.Errorf("%s: %d %s, want the one refusal", what, got.status, got.text)
	}
}

// Each of these was tried with its check taken out of register or enrolment.
func TestPUSH24_RegistrationsThatAreRefused(t *testing.T) {
	text := func(key any) string {
		der, err := x509.MarshalPKIXPublicKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return base64.StdEncoding.EncodeToString(der)
	}
	short, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other := identity.Tenant{ID: identity.NewID(identity.TenantID), Slug: "other", Name: "Other"}
	for name, change := range map[string]func(p *phone, form url.Values){
		"another credential": func(_ *phone, f url.Values) { f.Set("enrollment_credential", strings.Repeat("0", 40)) },
		"no credential":      func(_ *phone, f url.Values) { f.Set("enrollment_credential", "") },
		"another serial":     func(_ *phone, f url.Values) { f.Set("serial", "LK-0000-0000") },
		"a short key":        func(_ *phone, f url.Values) { f.Set("pubkey", text(&short.PublicKey)) },
		"a key of a curve":   func(_ *phone, f url.Values) { f.Set("pubkey", text(&curve.PublicKey)) },
		"no key":             func(_ *phone, f url.Values) { f.Del("pubkey") },
		"another tenant": func(p *phone, _ url.Values) {
			p.h.Do(t, func(tx *store.Tx) error { return tx.Tenants().Add(t.Context(), other) })
			p.url = strings.Replace(p.url, "/t/demo/", "/t/other/", 1)
		},
		"expired":  func(p *phone, _ url.Values) { p.h.Clock.Advance(10 * time.Minute) },
		"replaced": func(p *phone, _ url.Values) { p.h.scanned(t) },
		"user disabled": func(p *phone, _ url.Values) {
			p.h.Do(t, func(tx *store.Tx) error {
				_, err := tx.Users().Disable(t.Context(), p.h.Tenant.ID, p.h.User.ID)
				return err
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := onSQLite(t)
			_, link := h.scanned(t)
			p := h.scan(t, link)
			form := p.registration()
			change(p, form)
			wantRefused(t, name, p.post(t, form))
			if got := h.Authenticators(t); len(got) != 0 {
				t.Errorf("there is %+v", got)
			}
		})
	}
}

// What our own apps activate with is no enrolment of this one, even if it looked
// like one: it brings nothing of what this one's would have asked for. Left out: the
// look at the platform.
func TestPUSH24_EnrollmentsDoNotMix(t *testing.T) {
	h := onSQLite(t)
	_, link := h.scanned(t)
	p := h.scan(t, link)
	h.Do(t, func(tx *store.Tx) error {
		if err := authenticator.VoidActivation(t.Context(), tx, h.Tenant.ID, h.User.ID, "replaced"); err != nil {
			return err
		}
		_, err := tx.Activations().Add(t.Context(), store.Activation{Tenant: h.Tenant.ID, ID: identity.NewID(identity.ActivationID), User: h.User.ID,
			Platform: identity.Android, Template: []byte(`{}`), CreatedAt: tx.Now(), ExpiresAt: tx.Now().Add(time.Minute)},
			store.ActivationCodes{Secret: strings.Repeat("a", 40), Short: "7KQ2M9XF", Serial: p.serial})
		return err
	})
	p.secret = strings.Repeat("a", 40)
	wantRefused(t, "with an activation of our own", p.post(t, p.registration()))
}

// One key wins, however many register at once; the same key gets the same answer
// again, as long as the enrolment would have been good. Left out: the thumbprint.
func TestPUSH24_RegisteredOnce(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		_, link := h.scanned(t)
		first, second := h.scan(t, link), h.scan(t, link)
		second.key, _ = otherKey()
		phones := []*phone{first, second}
		answers := make([]said, 12)
		storetest.Race(t, len(answers), func(i int) error {
			answers[i] = phones[i%2].post(t, phones[i%2].registration())
			return nil
		})
		all := h.Authenticators(t)
		if len(all) != 1 {
			t.Fatalf("%d authenticators, want 1", len(all))
		}
		for i, got := range answers {
			if won := string(all[0].Key) == phones[i%2].registration().Get("pubkey"); won && got.status != http.StatusOK {
				t.Errorf("the key that won is told %d %s", got.status, got.text)
			} else if !won {
				wantRefused(t, "the key that lost", got)
			}
		}
		if n := len(h.Events(t, h.Tenant.ID, audit.EnrollFinished)); n != 1 {
			t.Errorf("%d events, want 1", n)
		}
		if mails := h.Mails(t); len(mails) != 1 || mails[0].Kind != "authenticator-added" {
			t.Errorf("mails: %+v", mails)
		}
		h.Clock.Advance(10 * time.Minute)
		wantRefused(t, "again, too late", phones[0].post(t, phones[0].registration()))
	})
}

// A poll works for a minute either way, and once. Each was tried with its check
// taken out: the time, the use, the signature, the state, the protocol.
func TestPUSH24_PollsThatAreRefused(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		p := h.enrolled(t)
		h.pushed(t, policy.NoPresence)
		seen := p.asking()
		if got := p.get(t, seen); got.status != http.StatusOK {
			t.Fatalf("%d %s", got.status, got.text)
		}
		wantRefused(t, "replayed", p.get(t, seen))
		bare := url.Values{}
		for name, values := range seen {
			bare[name] = values
		}
		bare.Set("signature", strings.TrimRight(seen.Get("signature"), "="))
		wantRefused(t, "replayed, its signature written otherwise", p.get(t, bare))

		for _, skew := range []time.Duration{-61 * time.Second, 61 * time.Second} {
			query := p.asking()
			timestamp := h.Clock.Now().Add(skew).UTC().Format(time.RFC3339)
			query.Set("timestamp", timestamp)
			query.Set("signature", p.sign(p.serial+"|"+timestamp))
			wantRefused(t, skew.String(), p.get(t, query))
		}
		for name, change := range map[string]func(q url.Values){
			"no signature":       func(q url.Values) { q.Del("signature") },
			"an unknown serial":  func(q url.Values) { q.Set("serial", "LK-0000-0000") },
			"another moment":     func(q url.Values) { q.Set("timestamp", h.Clock.Now().Add(time.Second).Format(time.RFC3339)) },
			"a timestamp of NUL": func(q url.Values) { q.Set("timestamp", "\x00") },
		} {
			query := p.asking()
			change(query)
			wantRefused(t, name, p.get(t, query))
		}
		mallory := *p
		mallory.key, _ = otherKey()
		wantRefused(t, "another key", mallory.get(t, mallory.asking()))

		own := h.Authenticator(t, "our own app")
		mallory = *p
		mallory.serial = own.Serial
		wantRefused(t, "for our own app", mallory.get(t, mallory.asking()))

		h.Do(t, func(tx *store.Tx) error {
			a, err := tx.Authenticators().BySerial(t.Context(), h.Tenant.ID, p.serial)
			if err == nil {
				_, err = tx.Authenticators().Suspend(t.Context(), a.Tenant, a.ID)
			}
			return err
		})
		wantRefused(t, "suspended", p.get(t, p.asking()))
	})
}

// What an answer does. A denial without a reason counts as one by somebody else's
// doing.
func TestPUSH24_Answers(t *testing.T) {
	for _, tt := range []struct {
		name    string
		signed  string
		more    []string
		outcome store.PushOutcome
		failed  bool
	}{
		{"approved", "", nil, store.PushApproved, false},
		{"declined", "|decline", []string{"decline", "1"}, store.PushNotMe, true},
		{"PUSH-14 not me", "|decline|unknown_trigger", []string{"decline", "1", "decline_reason", "unknown_trigger"}, store.PushNotMe, true},
		{"PUSH-14 mistake", "|decline|cancelled", []string{"decline", "1", "decline_reason", "cancelled"}, store.PushMistake, false},
		{"declined for a reason of tomorrow", "|decline|stolen", []string{"decline", "1", "decline_reason", "stolen"}, store.PushNotMe, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			each(t, func(t *testing.T, h *fixture) {
				p := h.enrolled(t)
				w := h.pushed(t, policy.NoPresence)
				c := p.poll(t)[0]
				if !strings.Contains(c["capabilities"], "decline_reason") {
					t.Errorf("the app is not told that reasons are taken: %v", c)
				}
				if got := p.post(t, p.saying(c["nonce"], tt.signed, tt.more...)); string(got.Result.Value) != "true" {
					t.Errorf("%d %s", got.status, got.text)
				}
				if got := h.Outcome(t, w); got != tt.outcome {
					t.Errorf("outcome %q, want %q", got, tt.outcome)
				}
				if got := h.Events(t, h.Tenant.ID, audit.PushRefused); (len(got) == 1) != tt.failed {
					t.Errorf("events of failure: %v", got)
				}
			})
		})
	}
}

// An app that does not say that it knows reasons is not told of them.
func TestPUSH24_ReasonsOnlyForWhoKnowsThem(t *testing.T) {
	h := onSQLite(t)
	p := h.enrolled(t)
	h.pushed(t, policy.NoPresence)
	query := p.asking()
	query.Del("capabilities")
	if got := p.get(t, query); strings.Contains(got.text, "capabilities") || !strings.Contains(got.text, "Payroll") {
		t.Errorf("%s", got.text)
	}
}

// What does not bear the phone's signature for this request changes nothing, and
// does not even tell whether there is one. Tried without the look at the
// signature, and with the nonce that was sent instead of ours.
func TestPUSH24_AnswersThatAreRefused(t *testing.T) {
	h := onSQLite(t)
	p := h.enrolled(t)
	w := h.pushed(t, policy.NoPresence)
	nonce := p.poll(t)[0]["nonce"]
	mallory := *p
	mallory.key, _ = otherKey()
	decline := p.saying(nonce, "|decline", "decline", "1")
	for name, form := range map[string]url.Values{
		"another key":                    mallory.saying(nonce, ""),
		"the signature of a poll":        {"serial": {p.serial}, "nonce": {nonce}, "signature": p.asking()["signature"]},
		"no signature":                   {"serial": {p.serial}, "nonce": {nonce}},
		"a denial's, without its denial": {"serial": decline["serial"], "nonce": decline["nonce"], "signature": decline["signature"]},
		"a denial's, as if picked":       {"serial": decline["serial"], "nonce": decline["nonce"], "signature": decline["signature"], "presence_answer": {"decline"}},
		"for an unknown serial":          {"serial": {"LK-0000-0000"}, "nonce": {nonce}, "signature": decline["signature"]},
		"a new name at a push service":   {"serial": {p.serial}, "new_fb_token": {"x"}, "timestamp": {"2026-11-22T20:45:00Z"}, "signature": decline["signature"]},
	} {
		wantRefused(t, name, p.post(t, form))
	}
	if got := p.post(t, p.saying("ANOTHERNONCE", "")); string(got.Result.Value) != "false" {
		t.Errorf("for a request that is no more: %d %s", got.status, got.text)
	}
	if got := h.Outcome(t, w); got != "" {
		t.Errorf("the request ended %q", got)
	}
	form := p.saying(nonce, "")
	form.Set("nonce", "WHATEVER") // a hint, no more
	if got := p.post(t, form); string(got.Result.Value) != "true" {
		t.Errorf("with another hint: %d %s", got.status, got.text)
	}
}

// Two phones approve and deny at once: one answer ends the request.
func TestPUSH26_StoreAppAnswersOnce(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		p := h.enrolled(t)
		w := h.pushed(t, policy.NoPresence)
		nonce := p.poll(t)[0]["nonce"]
		said := make([]said, 20)
		storetest.Race(t, len(said), func(i int) error {
			if i%2 == 0 {
				said[i] = p.post(t, p.saying(nonce, ""))
			} else {
				said[i] = p.post(t, p.saying(nonce, "|decline|cancelled", "decline", "1", "decline_reason", "cancelled"))
			}
			return nil
		})
		counted := 0
		for i, s := range said {
			if string(s.Result.Value) == "true" {
				counted++
				if want := [...]store.PushOutcome{store.PushApproved, store.PushMistake}[i%2]; h.Outcome(t, w) != want {
					t.Errorf("the request is %q, an answer that wanted %q counted", h.Outcome(t, w), want)
				}
			}
		}
		if counted != 1 {
			t.Errorf("%d answers counted, want 1", counted)
		}
	})
}

// PUSH-18 on this app: it shows three numbers, of which the browser shows one.
// The right one approves; a wrong one is final and counts; what is no digits, or
// not signed, is nothing. Tried without the look at what was picked.
func TestPUSH18_StoreAppPicks(t *testing.T) {
	for _, tt := range []struct {
		name    string
		pick    func(w store.PushRequest, options []string) string
		outcome store.PushOutcome
	}{
		{"the right one", func(w store.PushRequest, _ []string) string { return w.Number }, store.PushApproved},
		{"a decoy", func(w store.PushRequest, options []string) string {
			return options[(slices.Index(options, w.Number)+1)%len(options)]
		}, store.PushWrongNumber},
		{"none of them", func(store.PushRequest, []string) string { return "000" }, store.PushWrongNumber},
		{"nothing", func(store.PushRequest, []string) string { return "" }, store.PushWrongNumber},
		{"the right one after a zero", func(w store.PushRequest, _ []string) string { return "0" + w.Number }, store.PushWrongNumber},
	} {
		t.Run(tt.name, func(t *testing.T) {
			each(t, func(t *testing.T, h *fixture) {
				p := h.enrolled(t)
				w := h.pushed(t, policy.Pick)
				c := p.poll(t)[0]
				options := strings.Split(c["require_presence"], ",")
				if len(options) != 3 || !slices.Contains(options, w.Number) || c["version"] != "2" {
					t.Fatalf("challenge %v, and the browser shows %s", c, w.Number)
				}
				if again := p.poll(t)[0]; again["require_presence"] != c["require_presence"] {
					t.Errorf("asked again, the app is shown %v", again)
				}
				picked, signed := tt.pick(w, options), ""
				if picked != "" {
					signed = "|" + picked
				}
				mallory := p.saying(c["nonce"], "", "presence_answer", w.Number) // which was not signed
				wantRefused(t, "a number put in on the way", p.post(t, mallory))
				got := p.post(t, p.saying(c["nonce"], signed, "presence_answer", picked))
				if right := string(got.Result.Value) == "true"; right != (tt.outcome == store.PushApproved) || got.status != http.StatusOK {
					t.Errorf("%d %s", got.status, got.text)
				}
				if got := h.Outcome(t, w); got != tt.outcome {
					t.Errorf("outcome %q, want %q", got, tt.outcome)
				}
				if got := h.Events(t, h.Tenant.ID, audit.PushRefused); (len(got) == 1) != (tt.outcome == store.PushWrongNumber) {
					t.Errorf("events of failure: %v", got)
				}
				again := p.post(t, p.saying(c["nonce"], "|"+w.Number, "presence_answer", w.Number))
				if string(again.Result.Value) != "false" {
					t.Errorf("another try: %d %s", again.status, again.text)
				}
			})
		})
	}
}

// The adapter in a policy that wants a number typed: it is shown nothing, its
// approval counts for nothing, and saying that it can does not help. Tried with
// the capabilities that the app claims written to its row, and without the look
// at them in the answer.
func TestPUSH22_StoreAppAndTypedNumbers(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		_, link := h.scanned(t)
		p := h.scan(t, link)
		form := p.registration()
		form.Set("capabilities", `["presence:enter","presence:six-digits"]`)
		if got := p.post(t, form); got.status != http.StatusOK {
			t.Fatalf("%d %s", got.status, got.text)
		}
		w := h.pushed(t, policy.Enter)
		query := p.asking()
		query.Set("capabilities", `["presence:enter"]`)
		if got := p.get(t, query); string(got.Result.Value) != "[]" {
			t.Errorf("shown %s", got.text)
		}
		nonce := nonceOf(w)
		for name, answer := range map[string]url.Values{
			"plain":           p.saying(nonce, ""),
			"with the number": p.saying(nonce, "|"+w.Number, "presence_answer", w.Number),
		} {
			if got := p.post(t, answer); string(got.Result.Value) != "false" {
				t.Errorf("%s: %d %s", name, got.status, got.text)
			}
		}
		if got := h.Outcome(t, w); got != "" {
			t.Errorf("the request ended %q", got)
		}
		if a := h.Authenticators(t)[0]; slices.Contains(a.Capabilities, policy.Enter.Capability()) {
			t.Errorf("capabilities %v", a.Capabilities)
		}
		// To deny is open to it all the same.
		if got := p.post(t, p.saying(nonce, "|decline", "decline", "1")); string(got.Result.Value) != "true" || h.Outcome(t, w) != store.PushNotMe {
			t.Errorf("denied: %d %s, %q", got.status, got.text, h.Outcome(t, w))
		}
	})
}

// Where its template asks for a PIN a signature alone approves nothing, nor is
// the app asked; and where the tenant's does, none is enrolled. Tried without
// anyHand in package push.
func TestPUSH24_NoApprovalWhereAPINIsAsked(t *testing.T) {
	h := onSQLite(t)
	p := h.enrolled(t)
	w := h.pushed(t, policy.NoPresence)
	nonce := p.poll(t)[0]["nonce"]
	db, err := sql.Open("sqlite", h.Source)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, template := range []string{`{"pin":"user"}`, `{"pin":"telepathy"}`} {
		if _, err := db.ExecContext(t.Context(), `UPDATE authenticators SET template = $1`, template); err != nil {
			t.Fatal(err)
		}
		if got := p.post(t, p.saying(nonce, "")); string(got.Result.Value) != "false" || h.Outcome(t, w) != "" {
			t.Errorf("%s: approved: %d %s, %q", template, got.status, got.text, h.Outcome(t, w))
		}
		if got := p.poll(t); len(got) != 0 {
			t.Errorf("%s: shown %v", template, got)
		}
		if a := h.Authenticators(t)[0]; policy.Reaches(a, h.Rules.Platforms, policy.NoPresence, h.Clock.Now()) {
			t.Errorf("%s: push is offered to it", template)
		}
	}

	h.Rules.Template.PIN = policy.UserPIN
	j := h.StartJourney(t, h.User)
	j.Enroll, j.Code.PassedAt = identity.EnrollPlatform, h.Clock.Now()
	h.Do(t, func(tx *store.Tx) error {
		problem, err := enroll.ChoosePlatform(t.Context(), tx, j, h.User, identity.PrivacyIDEA, h.Rules, "en")
		if problem != "error.platform.missing" {
			t.Errorf("problem %q, want that it is not allowed", problem)
		}
		return err
	})
}

// Who is refused too often is turned away unheard, even with a good signature,
// until a minute is over. Left out: the look at what was spent.
func TestPUSH24_TurnedAway(t *testing.T) {
	h := onSQLite(t)
	p := h.enrolled(t)
	h.Do(t, func(tx *store.Tx) error {
		for range refusedCalls.Max - 1 {
			if err := tx.Allow(t.Context(), h.Tenant.ID, refusedCalls, store.Network("127.0.0.1")); err != nil {
				return err
			}
		}
		return nil
	})
	if got := p.get(t, p.asking()); got.status != http.StatusOK {
		t.Errorf("before the last: %d %s", got.status, got.text)
	}
	wantRefused(t, "the last", p.get(t, url.Values{"serial": {p.serial}}))
	if got := p.get(t, p.asking()); got.status != http.StatusTooManyRequests || got.text != refusedAs {
		t.Errorf("after it: %d %s", got.status, got.text)
	}
	h.Clock.Advance(2 * time.Minute)
	p.poll(t)
}

// Push switched off for the row stops it at once (PUSH-6).
func TestPUSH6_StoreAppSwitchedOff(t *testing.T) {
	h := onSQLite(t)
	p := h.enrolled(t)
	w := h.pushed(t, policy.NoPresence)
	nonce := p.poll(t)[0]["nonce"]
	h.Rules.Platforms[identity.PrivacyIDEA] = policy.PlatformRule{Allowed: true}
	h.SetPolicy(t, h.Rules.Platforms)
	if got := p.poll(t); len(got) != 0 {
		t.Errorf("shown %v", got)
	}
	if got := p.post(t, p.saying(nonce, "")); string(got.Result.Value) != "false" || h.Outcome(t, w) != "" {
		t.Errorf("approved: %d %s", got.status, got.text)
	}
}

// The key that the server signs with survives a restart, and is sealed: the row
// holds nothing that reads as a key.
func TestPUSH24_ServerKeyIsSealed(t *testing.T) {
	h := onSQLite(t)
	p := h.enrolled(t)
	a := h.Authenticators(t)[0]
	pkcs8, err := h.DB.ServerKeys().Get(t.Context(), a.Tenant, a.ID)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.ParsePKCS8PrivateKey(pkcs8)
	if private, ok := key.(*rsa.PrivateKey); err != nil || !ok || !private.PublicKey.Equal(p.server) {
		t.Errorf("the key kept is a %T, %v", key, err)
	}
	err = h.DB.InTx(t.Context(), h.Who, func(tx *store.Tx) error { return tx.ServerKeys().Set(t.Context(), a.Tenant, a.ID, pkcs8) })
	if err == nil {
		t.Error("a second key took the place of the first")
	}
}
