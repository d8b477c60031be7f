package enroll_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/enroll"
	"github.com/latchkey-id/latchkey/enroll/enrolltest"
	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
	"github.com/latchkey-id/latchkey/templates"
)

// waiting are the requests of codes that nobody has taken.
func (h *fixture) waiting(t *testing.T) []store.CodeRequest {
	t.Helper()
	all, err := store.Collect(h.DB.MailCodes().Requests(t.Context(), 100))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// unproved begins a journey of a user who has proved nothing.
func (h *fixture) unproved(t *testing.T, user identity.User) *identity.Journey {
	t.Helper()
	j := h.StartJourney(t, user)
	h.Step(t, j, func(*store.Tx) error { j.Passed, j.Decoy = nil, user.ID == ""; return nil })
	return j
}

// A request of a code is one sealed row of one size, whoever it is about, and writes
// nothing else: no mail, no event, and nothing that tells a reader of the database
// before it is taken up.
//
// Tried without the padding: the sizes differed. Tried with the mail queued in the
// request: there was one.
func TestTLOG02_ARequestIsTheSameRowForEveryName(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		h.Who.IP = "2001:db8::1"
		someone := h.AddUser(t, "somebody with a long name")
		for _, ask := range []struct {
			user identity.User
			to   *identity.User
		}{{someone, &someone}, {identity.User{Name: "nobody"}, nil}} {
			j := h.unproved(t, ask.user)
			j.Fingerprint = ask.user.Name
			if err := h.sendCode(t, j, ask.to); err != nil {
				t.Fatal(err)
			}
		}
		long := h.unproved(t, someone)
		long.Fingerprint = strings.Repeat("<", 1000)
		if err := h.sendCode(t, long, &someone); err != nil {
			t.Fatal(err)
		}
		all := h.waiting(t)
		if len(all) != 3 {
			t.Fatalf("%d requests, want 3", len(all))
		}
		for _, r := range all {
			if len(r.Sealed) != len(all[0].Sealed) || strings.Contains(string(r.Sealed), someone.ID) {
				t.Errorf("a request of %d bytes, another of %d: %q", len(r.Sealed), len(all[0].Sealed), r.Sealed)
			}
		}
		h.Do(t, func(tx *store.Tx) error {
			mails, err := tx.Outbox().Lease(t.Context(), "test", h.Clock.Now().Add(time.Minute), 10)
			if len(mails) > 0 {
				t.Errorf("%d mails before anybody took the requests up", len(mails))
			}
			return err
		})
		for _, kind := range []audit.Kind{audit.EnrollCodeSent, audit.EnrollNoMail} {
			if n := len(h.Events(t, h.Tenant.ID, kind)); n != 0 {
				t.Errorf("%d events %s before anybody took the requests up", n, kind)
			}
		}
		if mails := h.Mails(t); len(mails) != 2 {
			t.Errorf("%d mails, want 2", len(mails))
		}
		if left := h.waiting(t); len(left) != 0 {
			t.Errorf("%d requests are left", len(left))
		}
	})
}

// Who has no address on file is known once the request is taken up: an event tells
// the operators, and the code matches nothing.
func TestENR5_NoAddressIsNoticedAfterwards(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		user := identity.User{Tenant: h.Tenant.ID, ID: identity.NewID(identity.UserID), Name: "without"}
		h.Do(t, func(tx *store.Tx) error { return tx.Users().Add(t.Context(), user) })
		j := h.unproved(t, user)
		if err := h.sendCode(t, j, &user); err != nil {
			t.Fatal(err)
		}
		if mails := h.Mails(t); len(mails) != 0 {
			t.Errorf("%d mails", len(mails))
		}
		if events := h.Events(t, h.Tenant.ID, audit.EnrollNoMail); len(events) != 1 || events[0].User != user.ID || events[0].Journey != j.ID {
			t.Errorf("events %+v", events)
		}
		if got := h.checkCode(t, j, "000000"); got != "error.code.wrong" {
			t.Errorf("told %q", got)
		}
	})
}

// What is typed before the code was made is wrong, counted, and told as any wrong code
// is, for a user and for nobody; the code is right afterwards.
//
// Tried with the journey's number not compared: the code before the newest was right.
func TestENR6_ACodeThatIsNotMadeYetMatchesNothing(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		mine, nobodys := h.unproved(t, h.User), h.unproved(t, identity.User{Name: "nobody"})
		for _, ask := range []struct {
			j    *identity.Journey
			user *identity.User
		}{{mine, &h.User}, {nobodys, nil}} {
			if err := h.sendCode(t, ask.j, ask.user); err != nil {
				t.Fatal(err)
			}
			if got := h.checkCode(t, ask.j, "000000"); got != "error.code.wrong" || ask.j.Code.Tries != 1 {
				t.Errorf("told %q, %d tries", got, ask.j.Code.Tries)
			}
		}
		first := h.typed(t)
		h.Clock.Advance(30 * time.Second)
		if err := h.sendCode(t, mine, &h.User); err != nil {
			t.Fatal(err)
		}
		if got := h.checkCode(t, mine, first); got != "error.code.wrong" {
			t.Errorf("the first code, while the second is not made yet: %q", got)
		}
		if got := h.checkCode(t, mine, h.typed(t)); got != "" {
			t.Errorf("the second code: %q", got)
		}
	})
}

// typed is the code in the one mail that waits.
func (h *fixture) typed(t *testing.T) string {
	t.Helper()
	mails := h.Mails(t)
	if len(mails) != 1 {
		t.Fatalf("%d mails, want 1", len(mails))
	}
	var says templates.VerificationCode
	if err := json.Unmarshal(mails[0].Arguments, &says); err != nil {
		t.Fatal(err)
	}
	return says.Code
}

// Nothing is lost or halved wherever taking up a request breaks off, as by kill -9:
// after each of its statements once, the request is there as before, there is neither
// code nor mail nor event, and the next attempt does it all.
//
// Tried with the request deleted in a transaction before: it was lost.
func TestQLT2_ARequestSurvivesWhoTakesItUp(t *testing.T) {
	storetest.Each(t, func(t *testing.T, in *storetest.Fixture) {
		for breaks := 1; ; breaks++ {
			h := anew(t, in)
			j := h.unproved(t, h.User)
			if err := h.sendCode(t, j, &h.User); err != nil {
				t.Fatal(err)
			}
			broken := h.flushBroken(t, breaks)
			if !broken {
				if breaks < 6 {
					t.Fatalf("only %d statements", breaks)
				}
				return // it was done before it could break
			}
			if n := len(h.waiting(t)); n != 1 {
				t.Fatalf("broken off after statement %d: %d requests, want 1", breaks, n)
			}
			code, err := h.DB.MailCodes().Get(t.Context(), j.Tenant, j.ID)
			if err != nil || code.Number != 0 {
				t.Errorf("broken off after statement %d: code %+v, %v", breaks, code, err)
			}
			before := len(h.Events(t, h.Tenant.ID, audit.EnrollCodeSent))
			if got := h.checkCode(t, j, h.typed(t)); got != "" {
				t.Errorf("broken off after statement %d, then done: %q", breaks, got)
			}
			if n := len(h.Events(t, h.Tenant.ID, audit.EnrollCodeSent)); n != before+1 {
				t.Errorf("broken off after statement %d: %d events more, want 1", breaks, n-before)
			}
		}
	})
}

// anew is a fixture on the same database with a user of its own.
func anew(t *testing.T, in *storetest.Fixture) *fixture {
	t.Helper()
	own := *in
	h := &fixture{enrolltest.New(t, &own)}
	h.User = h.AddUser(t, identity.NewID(identity.UserID))
	return h
}

// flushBroken takes requests up on a connection whose work ends after so many
// statements inside transactions, and reports whether it did.
func (h *fixture) flushBroken(t *testing.T, after int) (broken bool) {
	t.Helper()
	ctx, end := context.WithCancel(t.Context())
	defer end()
	seen := 0
	db, err := store.Open(t.Context(), store.Options{Source: h.Source, Keys: h.Keys, Now: h.Clock.Now, Observe: func(_ context.Context, s store.Statement) {
		if s.InTx && s.Query != "BEGIN" && s.Query != "COMMIT" && s.Query != "ROLLBACK" {
			if seen++; seen == after {
				end()
			}
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	_, err = (&enroll.CodeMailer{DB: db}).Flush(ctx)
	return err != nil
}

// Of several nodes one answers each request: one mail, one code, one event.
//
// Tried with Take reporting true always: there were two events of some.
func TestQLT2_EachRequestIsTakenOnce(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		const requests = 20
		for range requests {
			user := h.AddUser(t, identity.NewID(identity.UserID))
			if err := h.sendCode(t, h.unproved(t, user), &user); err != nil {
				t.Fatal(err)
			}
		}
		var nodes sync.WaitGroup
		for _, db := range []*store.DB{h.DB, h.Node(t), h.Node(t)} {
			nodes.Go(func() {
				if _, err := (&enroll.CodeMailer{DB: db}).Flush(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		nodes.Wait()
		if n := len(h.Mails(t)); n != requests {
			t.Errorf("%d mails, want %d", n, requests)
		}
		if n := len(h.Events(t, h.Tenant.ID, audit.EnrollCodeSent)); n != requests {
			t.Errorf("%d events, want %d", n, requests)
		}
	})
}

// A request that the journey has replaced is not answered: the code before the newest
// is mailed to nobody.
func TestENR6_OnlyTheNewestRequestIsAnswered(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		j := h.unproved(t, h.User)
		for range 2 {
			if err := h.sendCode(t, j, &h.User); err != nil {
				t.Fatal(err)
			}
			h.Clock.Advance(30 * time.Second)
		}
		if got := h.checkCode(t, j, h.typed(t)); got != "" {
			t.Errorf("the code: %q", got)
		}
	})
}

// Nor is one that was read before the journey replaced it; the newest is taken once.
//
// Tried without what it says in the condition of Take: the old one was taken.
func TestENR6_AReplacedRequestIsNotTaken(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		j := h.unproved(t, h.User)
		var all []store.CodeRequest
		for range 2 {
			if err := h.sendCode(t, j, &h.User); err != nil {
				t.Fatal(err)
			}
			all = append(all, h.waiting(t)...)
			h.Clock.Advance(30 * time.Second)
		}
		for i, want := range []bool{false, true, false} {
			h.Do(t, func(tx *store.Tx) error {
				taken, err := tx.MailCodes().Take(t.Context(), all[min(i, 1)])
				if taken != want {
					t.Errorf("attempt %d: taken %v, want %v", i+1, taken, want)
				}
				return err
			})
		}
	})
}

// Whoever is disabled between asking and the answer gets no mail, and no code is right.
//
// Tried without Enabled in recipient: a mail went out.
func TestENR4_WhoIsDisabledMeanwhileGetsNoCode(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		j := h.unproved(t, h.User)
		if err := h.sendCode(t, j, &h.User); err != nil {
			t.Fatal(err)
		}
		h.Do(t, func(tx *store.Tx) error {
			if _, err := tx.Users().Disable(t.Context(), h.Tenant.ID, h.User.ID); err != nil {
				return err
			}
			_, err := tx.Users().RevokeAllAccess(t.Context(), h.Tenant.ID, h.User.ID)
			return err
		})
		if mails := h.Mails(t); len(mails) != 0 {
			t.Errorf("%d mails", len(mails))
		}
		if code, err := h.DB.MailCodes().Get(t.Context(), j.Tenant, j.ID); err != nil || code.Number != 1 {
			t.Errorf("code %+v, %v; want one that matches nothing, as nobody's name has", code, err)
		}
	})
}

// Whoever takes requests up is woken by the request, and does not wait for its slow
// poll. A request that cannot be read is logged, and keeps no other from being answered.
func TestENR6_TheMailerIsWoken(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		woken, stop := h.DB.Subscribe(store.CodeRequestTopic)
		defer stop()
		queued, stopQueued := h.DB.Subscribe(store.OutboxTopic)
		defer stopQueued()
		broken := h.unproved(t, h.AddUser(t, "broken"))
		h.Do(t, func(tx *store.Tx) error {
			return tx.MailCodes().Request(t.Context(), broken.Tenant, broken.ID, []byte("no request"), h.Clock.Now().Add(time.Minute))
		})
		running, end := context.WithCancel(t.Context())
		var ran sync.WaitGroup
		ran.Go(func() {
			(&enroll.CodeMailer{DB: h.DB, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}).Run(running)
		})
		defer ran.Wait()
		defer end()
		if err := h.sendCode(t, h.unproved(t, h.User), &h.User); err != nil {
			t.Fatal(err)
		}
		late := time.After(30 * time.Second)
		select {
		case <-woken:
		case <-late:
			t.Error("the request woke nobody")
		}
		for len(h.waiting(t)) > 1 { // a database that was just connected to wakes everybody
			select {
			case <-queued:
			case <-late:
				t.Fatal("the mail woke nobody")
			}
		}
		if left := h.waiting(t); len(left) != 1 || left[0].Journey != broken.ID {
			t.Errorf("%d requests are left, want the one that cannot be read", len(left))
		}
	})
}

// A request whose code could not be typed any more is dropped.
func TestENR6_ALateRequestIsDropped(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		j := h.unproved(t, h.User)
		if err := h.sendCode(t, j, &h.User); err != nil {
			t.Fatal(err)
		}
		h.Clock.Advance(10 * time.Minute)
		if mails := h.Mails(t); len(mails) != 0 || len(h.waiting(t)) != 0 {
			t.Errorf("%d mails, and %d requests are left", len(mails), len(h.waiting(t)))
		}
		h.Clock.Advance(time.Minute)
		if problem := h.checkCode(t, j, "000000"); problem != "error.code.expired" {
			t.Errorf("told %q", problem)
		}
	})
}
