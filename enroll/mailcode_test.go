package enroll_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/enroll"
	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/templates"
)

// sendCode asks for a code on a page of j, as user or as nobody.
func (h *fixture) sendCode(t *testing.T, j *identity.Journey, user *identity.User) error {
	t.Helper()
	before := *j
	err := h.DB.InTx(t.Context(), h.Who, func(tx *store.Tx) error {
		if err := enroll.SendCode(t.Context(), tx, j, user, h.Rules, "en"); err != nil {
			return err
		}
		return tx.Journeys().Step(t.Context(), j)
	})
	if err != nil {
		*j = before // as a page that reads the journey anew
	}
	return err
}

// checkCode types a code on the page of j.
func (h *fixture) checkCode(t *testing.T, j *identity.Journey, typed string) (problem string) {
	t.Helper()
	h.Step(t, j, func(tx *store.Tx) (err error) {
		problem, err = enroll.CheckCode(t.Context(), tx, j, typed, h.Rules)
		return err
	})
	return problem
}

func TestENR6_TheMail(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		j := h.StartJourney(t, h.User)
		j.Fingerprint = "Firefox on Linux"
		for n := range 2 {
			h.Clock.Advance(30 * time.Second)
			h.Step(t, j, func(tx *store.Tx) error { return enroll.SendCode(t.Context(), tx, j, &h.User, h.Rules, "de") })
			mails := h.Mails(t)
			if len(mails) != 1 {
				t.Fatalf("%d mails, want 1", len(mails))
			}
			m := mails[0]
			if m.Kind != "verification-code" || m.Recipient != h.User.Mail || m.Language != "de" || !m.ExpiresAt.Equal(j.Code.ExpiresAt) {
				t.Errorf("mail %+v", m)
			}
			var says templates.VerificationCode
			if err := json.Unmarshal(m.Arguments, &says); err != nil {
				t.Fatal(err)
			}
			from := templates.Origin{IP: h.Who.IP, Browser: "Firefox on Linux", At: h.Clock.Now()}
			if says.Name != h.User.Name || says.Application != h.Application.Name || says.Minutes != 10 || says.Origin != from {
				t.Errorf("it says %+v", says)
			}
			if !regexp.MustCompile(`^[0-9]{6}$`).MatchString(says.Code) {
				t.Errorf("code %q", says.Code)
			}
			if n == 1 {
				if problem := h.checkCode(t, j, says.Code); problem != "" {
					t.Errorf("the code in the mail: problem %q", problem)
				}
			}
		}
	})
}

// knownCode puts a code of the test's choice in the place of the one mailed.
func (h *fixture) knownCode(t *testing.T, j *identity.Journey, code string) {
	t.Helper()
	h.MailCodes(t)
	h.Do(t, func(tx *store.Tx) (err error) {
		made := store.MailedCode{Number: j.Code.Sends, ExpiresAt: j.Code.ExpiresAt}
		if made.MAC, made.Root, err = tx.MAC(code, enroll.CodeUse, j.Tenant, j.ID); err != nil {
			return err
		}
		return tx.MailCodes().Set(t.Context(), j.Tenant, j.ID, made)
	})
}

// throttled returns the key and the wait of a Throttled error.
func throttled(t *testing.T, err error) (string, time.Duration) {
	t.Helper()
	e, ok := errors.AsType[*identity.Error](err)
	if !ok || e.Kind != identity.Throttled {
		t.Fatalf("got %v, want a Throttled error", err)
	}
	return e.Key, e.RetryAfter
}

func TestENR6_ACodeIsRightOnceItIsTyped(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		for i, typed := range []string{"042917", " 042 917 ", "042-917", "٠٤٢٩١٧", "０４２９１７"} {
			user := h.AddUser(t, fmt.Sprint("user ", i))
			j := h.StartJourney(t, user)
			if err := h.sendCode(t, j, &user); err != nil {
				t.Fatal(err)
			}
			if j.Enroll != identity.EnrollCode {
				t.Fatalf("stage %q, want %q", j.Enroll, identity.EnrollCode)
			}
			h.knownCode(t, j, "042917")
			if problem := h.checkCode(t, j, typed); problem != "" || j.Enroll != identity.EnrollPlatform || j.Code.PassedAt.IsZero() {
				t.Errorf("%q: problem %q, stage %q", typed, problem, j.Enroll)
			}
			if problem := h.checkCode(t, j, typed); problem == "" {
				t.Errorf("%q is right a second time", typed)
			}
		}
	})
}

func TestENR6_FiveTriesThenANewCodeIsNeeded(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		j := h.StartJourney(t, h.User)
		if err := h.sendCode(t, j, &h.User); err != nil {
			t.Fatal(err)
		}
		h.knownCode(t, j, "042917")
		for try := 1; try <= 5; try++ {
			want := "error.code.wrong"
			if try == 5 {
				want = "error.code.tries"
			}
			if got := h.checkCode(t, j, "111111"); got != want {
				t.Errorf("try %d: got %q, want %q", try, got, want)
			}
		}
		if got, want := h.checkCode(t, j, "042917"), "error.code.tries"; got != want {
			t.Errorf("the right code at the sixth try: got %q, want %q", got, want)
		}
		if got := len(h.Events(t, h.Tenant.ID, audit.EnrollCodeWrong)); got != 5 {
			t.Errorf("%d events of wrong codes, want 5", got)
		}
		h.Clock.Advance(30 * time.Second)
		if err := h.sendCode(t, j, &h.User); err != nil {
			t.Fatal(err)
		}
		if got := h.checkCode(t, j, "042917"); got != "error.code.wrong" {
			t.Errorf("the old code after a new one was sent: got %q, want %q", got, "error.code.wrong")
		}
		h.knownCode(t, j, "550813")
		if got := h.checkCode(t, j, "550813"); got != "" {
			t.Errorf("the new code: problem %q", got)
		}
	})
}

func TestENR6_ACodeLivesTenMinutes(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		for _, tt := range []struct {
			name string
			wait time.Duration
			want string
		}{
			{"in time", 10*time.Minute - time.Second, ""},
			{"too late", 10 * time.Minute, "error.code.expired"},
		} {
			user := h.AddUser(t, tt.name)
			j := h.StartJourney(t, user)
			if err := h.sendCode(t, j, &user); err != nil {
				t.Fatal(err)
			}
			h.knownCode(t, j, "042917")
			h.Clock.Advance(tt.wait)
			if got := h.checkCode(t, j, "042917"); got != tt.want {
				t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
			}
		}
	})
}

func TestENR6_ACodeIsBoundToItsJourney(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		mine, theirs := h.StartJourney(t, h.User), h.StartJourney(t, h.AddUser(t, "somebody else"))
		for _, j := range []*identity.Journey{mine, theirs} {
			if err := h.sendCode(t, j, &identity.User{ID: j.UserID, Mail: "x@example.org"}); err != nil {
				t.Fatal(err)
			}
		}
		h.knownCode(t, mine, "042917")
		h.Do(t, func(tx *store.Tx) error {
			code, err := tx.MailCodes().Get(t.Context(), mine.Tenant, mine.ID)
			if err != nil {
				return err
			}
			return tx.MailCodes().Set(t.Context(), theirs.Tenant, theirs.ID, code)
		})
		if problem := h.checkCode(t, theirs, "042917"); problem == "" {
			t.Error("a code of one journey was right in another")
		}
	})
}

// A code that was not asked for, or asked for at another stage, opens nothing.
func TestENR6_NothingIsRightWithoutACode(t *testing.T) {
	h := onSQLite(t)
	for _, stage := range []identity.Stage{identity.NotEnrolling, identity.EnrollOffered, identity.EnrollCode, identity.EnrollNoMail} {
		j := h.StartJourney(t, h.User)
		j.Enroll = stage
		for _, typed := range []string{"", "000000", strings.Repeat("0", 10_000)} {
			if problem := h.checkCode(t, j, typed); problem == "" || j.Enroll != stage {
				t.Errorf("stage %q, %.10q: problem %q, stage then %q", stage, typed, problem, j.Enroll)
			}
		}
		err := h.DB.InTx(t.Context(), h.Who, func(tx *store.Tx) error {
			_, err := enroll.ChoosePlatform(t.Context(), tx, j, h.User, identity.Android, h.Rules, "en")
			return err
		})
		if !errors.Is(err, identity.Conflict) {
			t.Errorf("platform chosen at stage %q: got %v, want a Conflict", stage, err)
		}
	}
}

func TestENR6_HowOftenCodesAreSent(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		t.Run("half a minute apart", func(t *testing.T) {
			user := h.AddUser(t, "apart")
			j := h.StartJourney(t, user)
			if err := h.sendCode(t, j, &user); err != nil {
				t.Fatal(err)
			}
			h.Clock.Advance(29 * time.Second)
			if key, wait := throttled(t, h.sendCode(t, j, &user)); key != "error.code.wait" || wait != time.Second {
				t.Errorf("got %q after %v", key, wait)
			}
			h.Clock.Advance(time.Second)
			if err := h.sendCode(t, j, &user); err != nil {
				t.Error(err)
			}
		})
		t.Run("five an hour for a user, in all journeys", func(t *testing.T) {
			user := h.AddUser(t, "five")
			for range 5 {
				if err := h.sendCode(t, h.StartJourney(t, user), &user); err != nil {
					t.Fatal(err)
				}
			}
			if key, _ := throttled(t, h.sendCode(t, h.StartJourney(t, user), &user)); key != "error.code.limit" {
				t.Errorf("got %q, want error.code.limit", key)
			}
			h.Clock.Advance(time.Hour + time.Second)
			if err := h.sendCode(t, h.StartJourney(t, user), &user); err != nil {
				t.Error(err)
			}
		})
		t.Run("twenty an hour from an address without a password", func(t *testing.T) {
			h.Who.IP = "2001:db8::1"
			for n := range 21 {
				user := h.AddUser(t, "twenty "+string(rune('a'+n)))
				j := h.StartJourney(t, user)
				h.Step(t, j, func(*store.Tx) error { j.Passed = nil; return nil })
				err := h.sendCode(t, j, &user)
				if n < 20 && err != nil {
					t.Fatalf("code %d: %v", n+1, err)
				}
				if n == 20 {
					throttled(t, err)
				}
				h.Who.IP = "2001:db8::ffff" // another address of the same host
			}
			user := h.AddUser(t, "proved")
			if err := h.sendCode(t, h.StartJourney(t, user), &user); err != nil {
				t.Errorf("after a proved password: %v", err)
			}
		})
	})
}

// A name that is nobody's goes the same way, with the same limits; nothing is mailed,
// no code is right for it, and the events of what was typed name no user.
func TestENR4_ADecoyGoesTheSameWay(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		decoy := func() *identity.Journey {
			j := h.StartJourney(t, identity.User{Name: "  NoBody "})
			h.Step(t, j, func(*store.Tx) error { j.Decoy, j.Passed = true, nil; return nil })
			return j
		}
		first := decoy()
		if err := h.sendCode(t, first, nil); err != nil {
			t.Fatal(err)
		}
		if first.Enroll != identity.EnrollCode || first.Code.ExpiresAt.IsZero() || first.Code.Sends != 1 {
			t.Errorf("stage %q, code %+v", first.Enroll, first.Code)
		}
		if n := h.MailCodes(t); n != 1 {
			t.Errorf("%d requests of a code, want 1", n)
		}
		if key, _ := throttled(t, h.sendCode(t, first, nil)); key != "error.code.wait" {
			t.Errorf("got %q, want error.code.wait", key)
		}
		for try := 1; try <= 5; try++ {
			want := "error.code.wrong"
			if try == 5 {
				want = "error.code.tries"
			}
			if got := h.checkCode(t, first, "000000"); got != want {
				t.Errorf("try %d: got %q, want %q", try, got, want)
			}
		}
		for range 4 {
			if err := h.sendCode(t, decoy(), nil); err != nil {
				t.Fatal(err)
			}
		}
		if key, _ := throttled(t, h.sendCode(t, decoy(), nil)); key != "error.code.limit" {
			t.Errorf("got %q, want error.code.limit", key)
		}
		if mails := h.Mails(t); len(mails) != 0 {
			t.Errorf("%d mails to nobody", len(mails))
		}
		for _, kind := range []audit.Kind{audit.EnrollCodeSent, audit.EnrollNoMail} {
			if events := h.Events(t, h.Tenant.ID, kind); len(events) != 0 {
				t.Errorf("%d events %q for nobody", len(events), kind)
			}
		}
		wrong := h.Events(t, h.Tenant.ID, audit.EnrollCodeWrong)
		if len(wrong) != 5 {
			t.Errorf("%d events of wrong codes, want 5 as for a user", len(wrong))
		}
		for _, e := range wrong {
			if e.User != "" || e.Reason != "no such user" {
				t.Errorf("event of user %q with reason %q", e.User, e.Reason)
			}
		}
	})
}

func TestENR5_NoAddressOnFile(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		user := h.AddUser(t, "no mail")
		user.Mail = ""
		j := h.StartJourney(t, user)
		if err := h.sendCode(t, j, &user); err != nil {
			t.Fatal(err)
		}
		if j.Enroll != identity.EnrollNoMail {
			t.Errorf("stage %q, want %q", j.Enroll, identity.EnrollNoMail)
		}
		if got := len(h.Events(t, h.Tenant.ID, audit.EnrollNoMail)); got != 1 {
			t.Errorf("%d events, want 1", got)
		}
		// Without a proved password the page must not tell.
		j = h.StartJourney(t, user)
		h.Step(t, j, func(*store.Tx) error { j.Passed = nil; return nil })
		if err := h.sendCode(t, j, &user); err != nil {
			t.Fatal(err)
		}
		if j.Enroll != identity.EnrollCode {
			t.Errorf("without a password: stage %q, want %q", j.Enroll, identity.EnrollCode)
		}
	})
}

func TestENR5_MaskMail(t *testing.T) {
	for _, tt := range []struct{ address, want string }{
		{"maria@example.org", "m•••@example.org"},
		{"é@example.org", "é•••@example.org"},
		{"@example.org", "•••"},
		{"garbage", "•••"},
		{"", "•••"},
	} {
		if got := enroll.MaskMail(tt.address); got != tt.want {
			t.Errorf("MaskMail(%q) = %q, want %q", tt.address, got, tt.want)
		}
	}
}

// Each finished step covers the next code's life, ninety minutes at most.
func TestJRN4_TheWizardExtendsItsJourney(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		j := h.StartJourney(t, h.User)
		began := h.Clock.Now()
		h.Clock.Advance(14 * time.Minute)
		if err := h.sendCode(t, j, &h.User); err != nil {
			t.Fatal(err)
		}
		if got, want := j.ExpiresAt.Sub(began), 24*time.Minute; got != want {
			t.Errorf("after the code was sent: %v, want %v", got, want)
		}
		h.knownCode(t, j, "042917")
		h.Clock.Advance(9 * time.Minute)
		h.checkCode(t, j, "042917")
		if got, want := j.ExpiresAt.Sub(began), 33*time.Minute; got != want {
			t.Errorf("after the code was typed: %v, want %v", got, want)
		}
		h.Clock.Advance(60 * time.Minute)
		h.Step(t, j, func(tx *store.Tx) error {
			_, err := enroll.ChoosePlatform(t.Context(), tx, j, h.User, identity.IOS, h.Rules, "en")
			return err
		})
		if got, want := j.ExpiresAt.Sub(began), 90*time.Minute; got != want {
			t.Errorf("late: %v, want %v", got, want)
		}
	})
}
