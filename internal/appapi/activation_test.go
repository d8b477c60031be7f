package appapi

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/enroll"
	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
)

// A phone with the link makes the journey go on; so does one with the short
// code.
func TestENR9_FromTheLinkToAnActiveAuthenticator(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		for _, by := range []string{"link", "short code"} {
			user := h.AddUser(t, by)
			j, shown := h.Issued(t, user)
			if shown.State != enroll.Waiting || j.Enroll != identity.EnrollScan {
				t.Fatalf("activation %q, stage %q", shown.State, j.Enroll)
			}
			if !regexp.MustCompile(`^http://127\.0\.0\.1:\d+/authenticator/#v1\.[A-Z2-7]{26}$`).MatchString(shown.Link(h.server.URL)) {
				t.Errorf("link %q", shown.Link(h.server.URL))
			}
			if !regexp.MustCompile(`^[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}$`).MatchString(shown.ShortCode) {
				t.Errorf("short code %q", shown.ShortCode)
			}
			woken, stop := h.DB.Subscribe(store.JourneyTopic(j.ID))
			defer stop()
			with := phone.Activation{Link: shown.Link(h.server.URL), Name: "Anna's phone", Push: true}
			if by == "short code" {
				with = phone.Activation{Base: h.server.URL, Code: strings.ToLower(shown.ShortCode), Name: "Anna's phone"}
			}
			p := &phone.Phone{Dir: t.TempDir(), Now: h.Clock.Now}
			account, err := p.Activate(t.Context(), with)
			if err != nil {
				t.Fatal(err)
			}
			if account.State != "active" || account.User != user.Name || account.Organisation != h.Tenant.Name || account.Name != "Anna's phone" {
				t.Errorf("account %+v", account)
			}
			select {
			case <-woken:
			case <-time.After(5 * time.Second):
				t.Error("the journey was not woken")
			}
			if shown, err := enroll.Shown(t.Context(), h.DB.Reader, j); err != nil || shown.State != enroll.Done {
				t.Errorf("shown afterwards: %v, %v", shown.State, err)
			}
			if shown := h.Shown(t, j); shown.State != enroll.Done || shown.Secret != "" || shown.ShortCode != "" {
				t.Errorf("shown afterwards: %+v", shown)
			}
			got, err := store.Collect(h.DB.Authenticators().OfUser(t.Context(), h.Tenant.ID, user.ID))
			if err != nil || len(got) != 1 {
				t.Fatalf("%d authenticators, %v", len(got), err)
			}
			if got[0].State() != identity.Active || got[0].Platform != identity.Android || got[0].AppVersion != phone.Version {
				t.Errorf("authenticator %+v", got[0])
			}
			if user, err := h.DB.Users().Get(t.Context(), h.Tenant.ID, user.ID); err != nil || user.EverEnrolledAt.IsZero() {
				t.Errorf("user %+v, %v", user, err)
			}
			mails := h.Mails(t)
			if len(mails) != 1 || mails[0].Kind != "authenticator-added" || mails[0].Recipient != user.Mail ||
				!strings.Contains(string(mails[0].Arguments), "Anna's phone") {
				t.Errorf("mails %+v, want one that tells of the authenticator", mails)
			}
			if got, want := account.Push.State, map[bool]string{true: "enabled", false: "never enabled"}[with.Push]; got != want {
				t.Errorf("push %q, want %q", got, want)
			}
		}
		for _, kind := range []audit.Kind{audit.EnrollPlatform, audit.EnrollActivation, audit.EnrollKey, audit.EnrollFinished} {
			if got := len(h.Events(t, h.Tenant.ID, kind)); got != 2 {
				t.Errorf("%d events %q, want 2", got, kind)
			}
		}
	})
}

// The page survives a reload, going back and a second tab.
func TestENR10_TheActivationIsShownAgain(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		j, first := h.Issued(t, h.User)
		if again := h.Shown(t, j); again != first {
			t.Errorf("shown again: %+v, want %+v", again, first)
		}
		a := h.newApp(t)
		a.must(t, "activate", fields{"secret": first.Secret})
		if got := h.Shown(t, j); got.State != enroll.KeyRegistered || got.Secret != "" || got.ShortCode != "" {
			t.Errorf("once used: %+v", got)
		}
	})
}

func TestENR9_ANewActivationVoidsTheOld(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		lost, first := h.Issued(t, h.User)
		a := h.newApp(t)
		a.id = a.must(t, "activate", fields{"secret": first.Secret})["authenticator"].(string)

		j, second := h.Issued(t, h.User) // from another browser
		if r := a.call(t, "finish", fields{"push": true}); r.status != http.StatusGone || r.code() != "voided" {
			t.Errorf("finish of the old: got %d %q, want 410 voided", r.status, r.code())
		}
		if got := a.must(t, "status", nil)["state"]; got != "revoked" {
			t.Errorf("status of the old: %v, want revoked", got)
		}
		if got := h.Shown(t, lost).State; got != enroll.Expired {
			t.Errorf("page of the old: %q, want %q", got, enroll.Expired)
		}
		for _, body := range []fields{{"secret": first.Secret}, {"short_code": first.ShortCode}} {
			if r := a.call(t, "activate", body); r.status != http.StatusNotFound || r.code() != "activation" {
				t.Errorf("activate with the old %v: got %d %q, want 404 activation", body, r.status, r.code())
			}
		}

		h.Step(t, j, func(tx *store.Tx) error { return enroll.Issue(t.Context(), tx, j, h.User, h.Rules, "en") })
		third := h.Shown(t, j)
		if third.Secret == second.Secret || third.State != enroll.Waiting {
			t.Errorf("after the button: %+v", third)
		}
		b := h.newApp(t)
		b.must(t, "activate", fields{"secret": third.Secret})
		if got := len(h.Events(t, h.Tenant.ID, audit.EnrollVoided)); got != 2 {
			t.Errorf("%d events of voiding, want 2", got)
		}
	})
}

// Thirty starts at once leave one activation open.
func TestENR9a_OneActivationIsOpenForAUser(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		journeys := make([]*identity.Journey, 30)
		for i := range journeys {
			journeys[i] = h.StartJourney(t, h.User)
			journeys[i].Enroll, journeys[i].Platform, journeys[i].Code.PassedAt = identity.EnrollScan, identity.Android, h.Clock.Now()
		}
		var wg sync.WaitGroup
		for _, j := range journeys {
			wg.Go(func() {
				err := h.DB.InTx(t.Context(), h.Who, func(tx *store.Tx) error {
					if err := enroll.Issue(t.Context(), tx, j, h.User, h.Rules, "en"); err != nil {
						return err
					}
					return tx.Journeys().Step(t.Context(), j)
				})
				if e := refuse(err); err != nil && e.Code != "unavailable" {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		open := 0
		for _, j := range journeys {
			if a, err := enroll.Shown(t.Context(), h.DB.Reader, j); err == nil && a.State == enroll.Waiting {
				open++
			}
		}
		if open != 1 {
			t.Errorf("%d activations are open, want 1", open)
		}
	})
}

// Two phones at once: one wins, and gets the same answer however often it asks.
func TestENR9a_OneOfTwoPhonesWins(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		_, shown := h.Issued(t, h.User)
		phones := []*app{h.newApp(t), h.newApp(t)}
		var mu sync.Mutex
		answers := make(map[*app][]string)
		var refused atomic.Int32
		var wg sync.WaitGroup
		for i := range 100 {
			a := phones[i%2]
			body := fields{"secret": shown.Secret}
			if i%4 > 1 {
				body = fields{"short_code": shown.ShortCode}
			}
			wg.Go(func() {
				switch r := a.call(t, "activate", body); {
				case r.status == http.StatusOK:
					mu.Lock()
					answers[a] = append(answers[a], fmt.Sprint(r.body))
					mu.Unlock()
				case r.code() == "activation", r.code() == "throttled": // guesses of the loser
					refused.Add(1)
				default:
					t.Errorf("activate: %d %v", r.status, r.body)
				}
			})
		}
		wg.Wait()
		if len(answers) != 1 {
			t.Fatalf("%d phones won, want 1", len(answers))
		}
		for _, all := range answers {
			for _, a := range all[1:] {
				if a != all[0] {
					t.Errorf("the same key got %s and %s", all[0], a)
				}
			}
			if len(all) < 25 {
				t.Errorf("the winner got %d answers, want at least 25", len(all))
			}
		}
		pending, err := store.Collect(h.DB.Authenticators().OfUser(t.Context(), h.Tenant.ID, h.User.ID))
		if err != nil || len(pending) != 1 || pending[0].State() != identity.Pending {
			t.Errorf("authenticators %+v, %v: want one that is pending", pending, err)
		}
	})
}

// Many phones, each with a key of its own, all sending before any was answered.
func TestENR9a_OneOfManyPhonesWins(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		for round := range 5 {
			_, shown := h.Issued(t, h.AddUser(t, fmt.Sprint("user ", round)))
			phones := make([]*signing, 30)
			signatures := make([]string, len(phones))
			for i := range phones {
				a := h.newApp(t)
				phones[i] = a.signing("activate", fields{"secret": shown.Secret})
				signatures[i] = a.sign(phones[i])
			}
			var won atomic.Int32
			var wg sync.WaitGroup
			for i, s := range phones {
				wg.Go(func() {
					switch r := h.send(t, s.method, s.name, signatures[i], s.body); {
					case r.status == http.StatusOK:
						won.Add(1)
					case r.code() != "activation":
						t.Errorf("activate: %d %v", r.status, r.body)
					}
				})
			}
			wg.Wait()
			if won.Load() != 1 {
				t.Errorf("%d of %d phones won, want 1", won.Load(), len(phones))
			}
		}
	})
}

func TestENR9a_TheSameKeyRepeatsUntilItFinishes(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		_, shown := h.Issued(t, h.User)
		a := h.newApp(t)
		first := a.must(t, "activate", fields{"secret": shown.Secret, "name": "x"})
		h.Clock.Advance(14 * time.Minute) // past the link's own life, within the pending one's
		if again := a.must(t, "activate", fields{"secret": shown.Secret, "name": "y"}); fmt.Sprint(again) != fmt.Sprint(first) {
			t.Errorf("again: %v, want %v", again, first)
		}
		a.id = first["authenticator"].(string)
		done := a.must(t, "finish", fields{"push": true, "name": "Anna's phone"})
		if again := a.must(t, "finish", fields{"push": false, "name": "z"}); fmt.Sprint(again) != fmt.Sprint(done) {
			t.Errorf("finish again: %v, want %v", again, done)
		}
		if r := a.call(t, "activate", fields{"secret": shown.Secret}); r.code() != "activation" {
			t.Errorf("activate after finish: got %d %q, want activation", r.status, r.code())
		}
		if got := len(h.Events(t, h.Tenant.ID, audit.EnrollFinished)); got != 1 {
			t.Errorf("%d events of finishing, want 1", got)
		}
	})
}

func TestENR9_TooLate(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		t.Run("to activate", func(t *testing.T) {
			user := h.AddUser(t, "late")
			j, shown := h.Issued(t, user)
			h.Clock.Advance(10 * time.Minute)
			for _, body := range []fields{{"secret": shown.Secret}, {"short_code": shown.ShortCode}} {
				if r := h.newApp(t).call(t, "activate", body); r.code() != "activation" {
					t.Errorf("%v: got %d %q, want activation", body, r.status, r.code())
				}
			}
			if got := h.Shown(t, j); got.State != enroll.Expired || got.Secret != "" {
				t.Errorf("shown %+v", got)
			}
		})
		t.Run("to finish", func(t *testing.T) {
			user := h.AddUser(t, "later")
			j, shown := h.Issued(t, user)
			a := h.newApp(t)
			a.id = a.must(t, "activate", fields{"secret": shown.Secret})["authenticator"].(string)
			h.Clock.Advance(15 * time.Minute)
			if got := h.Shown(t, j).State; got != enroll.Expired {
				t.Errorf("shown as %q, want %q", got, enroll.Expired)
			}
			if r := a.call(t, "activate", fields{"secret": shown.Secret}); r.code() != "activation" {
				t.Errorf("activate again: got %d %q, want activation", r.status, r.code())
			}
			if r := a.call(t, "finish", fields{"push": true}); r.status != http.StatusGone || r.code() != "voided" {
				t.Errorf("got %d %q, want 410 voided", r.status, r.code())
			}
			h.Do(t, func(tx *store.Tx) error {
				n, err := enroll.Sweep(t.Context(), tx)
				if n != 2 {
					t.Errorf("%d swept, want 2", n)
				}
				return err
			})
			if left, err := store.Collect(h.DB.Authenticators().OfUser(t.Context(), h.Tenant.ID, user.ID)); err != nil || len(left) != 0 {
				t.Errorf("left after the sweep: %+v, %v", left, err)
			}
			if _, err := h.DB.Authenticators().Seed(t.Context(), h.Tenant.ID, a.id); err == nil {
				t.Error("the seed was kept")
			}
			if got := a.must(t, "status", nil)["state"]; got != "revoked" {
				t.Errorf("state %v, want revoked", got)
			}
		})
	})
}

// What the policy said when the activation was issued holds for it; push needs
// the platform's leave.
func TestENR11_PushOnlyWhereThePlatformAllowsIt(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		h.Rules.Platforms[identity.Android] = policy.PlatformRule{Allowed: true}
		_, shown := h.Issued(t, h.User)
		a := h.newApp(t)
		answer := a.must(t, "activate", fields{"secret": shown.Secret})
		if push := answer["push"].(map[string]any)["allowed"]; push != false {
			t.Errorf("push allowed: %v, want false", push)
		}
		a.id = answer["authenticator"].(string)
		if r := a.call(t, "finish", fields{"push": true}); r.status != http.StatusForbidden || r.code() != "push-not-allowed" {
			t.Errorf("got %d %q, want 403 push-not-allowed", r.status, r.code())
		}
		a.must(t, "finish", fields{"push": false})
	})
}

func TestENR7_OnlyPlatformsTheTenantAllows(t *testing.T) {
	h := onSQLite(t)
	j := h.StartJourney(t, h.User)
	j.Enroll, j.Code.PassedAt = identity.EnrollPlatform, h.Clock.Now()
	for _, platform := range []identity.Platform{identity.WindowsMobile, "amiga", ""} {
		h.Do(t, func(tx *store.Tx) error {
			problem, err := enroll.ChoosePlatform(t.Context(), tx, j, h.User, platform, h.Rules, "en")
			if problem == "" {
				t.Errorf("%q was taken", platform)
			}
			return err
		})
	}
}

// Ten wrong short codes from an address, then only the link works there.
func TestENR9a_GuessingShortCodes(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		_, shown := h.Issued(t, h.User)
		guesser := h.newApp(t)
		var wrong, stopped atomic.Int32
		var wg sync.WaitGroup
		for range 40 {
			wg.Go(func() {
				switch r := guesser.call(t, "activate", fields{"short_code": otp.NewSpelled(8)}); r.code() {
				case "activation":
					wrong.Add(1)
				case "throttled":
					stopped.Add(1)
					if r.status != http.StatusTooManyRequests || r.header.Get("Retry-After") == "" {
						t.Errorf("throttled: %d, Retry-After %q", r.status, r.header.Get("Retry-After"))
					}
				default:
					t.Errorf("got %d %v", r.status, r.body)
				}
			})
		}
		wg.Wait()
		if wrong.Load() != 10 || stopped.Load() != 30 {
			t.Errorf("%d guesses were looked at and %d not, want 10 and 30", wrong.Load(), stopped.Load())
		}
		if r := guesser.call(t, "activate", fields{"short_code": shown.ShortCode}); r.code() != "throttled" {
			t.Errorf("the right code then: got %d %q, want throttled", r.status, r.code())
		}
		if got := len(h.Events(t, "", audit.ShortCodeFlood)); got != 1 {
			t.Errorf("%d events of the flood, want 1", got)
		}
		h.ip = "198.51.100.7"
		h.newApp(t).must(t, "activate", fields{"short_code": shown.ShortCode})
	})
}

// Right codes do not count: a whole office behind one address can enrol.
func TestENR9a_RightShortCodesAreNotCounted(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		for n := range 15 {
			user := h.AddUser(t, fmt.Sprint("user ", n))
			_, shown := h.Issued(t, user)
			h.newApp(t).must(t, "activate", fields{"short_code": shown.ShortCode})
		}
	})
}

// A thousand wrong ones from everywhere, then only links work.
func TestENR9a_GuessingShortCodesFromEverywhere(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		all := store.ExactRate{Kind: "wrong short code", Max: policy.WrongShortCodesTotal, Per: time.Hour}
		h.Do(t, func(tx *store.Tx) error {
			for range policy.WrongShortCodesTotal {
				if err := tx.AllowExact(t.Context(), "", all, "all"); err != nil {
					return err
				}
			}
			return nil
		})
		_, shown := h.Issued(t, h.User)
		a := h.newApp(t)
		if r := a.call(t, "activate", fields{"short_code": shown.ShortCode}); r.code() != "throttled" {
			t.Errorf("by short code: got %d %q, want throttled", r.status, r.code())
		}
		a.must(t, "activate", fields{"secret": shown.Secret})
	})
}

func TestENR10_LeavingTheWizardVoidsWhatItIssued(t *testing.T) {
	h := onSQLite(t)
	j, shown := h.Issued(t, h.User)
	h.Step(t, j, func(tx *store.Tx) error { return enroll.Cancel(t.Context(), tx, j) })
	if r := h.newApp(t).call(t, "activate", fields{"secret": shown.Secret}); r.code() != "activation" {
		t.Errorf("after leaving the wizard: got %d %q, want activation", r.status, r.code())
	}
	if j.Enroll != identity.NotEnrolling || !j.Code.PassedAt.IsZero() {
		t.Errorf("stage %q, code %+v", j.Enroll, j.Code)
	}
}
