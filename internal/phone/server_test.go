package phone_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/enroll"
	"github.com/latchkey-id/latchkey/internal/appapi"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/notify"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/push"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
	"github.com/latchkey-id/latchkey/internal/web"
	"github.com/latchkey-id/latchkey/locales/localestest"
)

// A fixture is the server's side: a tenant, a user, a journey, and the apps' API over HTTP.
type fixture struct {
	db   *store.DB
	base string
	user identity.User
	who  identity.Principal
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{Source: storetest.MigratedSQLite(t), Keys: store.NewKeyring()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	tenant := identity.Tenant{ID: identity.NewID(identity.TenantID), Slug: "demo", Name: "Example Hospital"}
	h := &fixture{db: db, who: identity.Principal{Tenant: tenant.ID, Kind: identity.Browser, IP: "192.0.2.17"},
		user: identity.User{Tenant: tenant.ID, ID: identity.NewID(identity.UserID), Name: "anna.berg"}}
	h.tx(t, func(tx *store.Tx) error {
		return errors.Join(tx.Tenants().Add(t.Context(), tenant), tx.Users().Add(t.Context(), h.user),
			tx.Applications().Add(t.Context(), identity.Application{Tenant: tenant.ID, ID: payroll, Name: "Payroll",
				Protocol: identity.SAML, Identifier: "https://payroll.example.org", Config: []byte(`{}`)}))
	})
	catalog := localestest.Catalog(t)
	var api *appapi.API
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { api.Handler().ServeHTTP(w, r) }))
	h.base = server.URL
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	streams := web.NewStreams(log)
	api = appapi.New(appapi.Options{DB: db, Catalog: catalog, Base: h.base, Notifier: &notify.Notifier{DB: db},
		Address: func(*http.Request) string { return "192.0.2.80" }, Streams: streams, Log: log})
	t.Cleanup(server.Close)
	t.Cleanup(func() { streams.Close(); streams.Wait() })
	return h
}

const payroll = identity.ApplicationID + "_aaaaaaaaaaaaaaaaaaaaaaaaaa"

func (h *fixture) tx(t *testing.T, f func(tx *store.Tx) error) {
	t.Helper()
	if err := h.db.InTx(t.Context(), h.who, f); err != nil {
		t.Fatal(err)
	}
}

// journey returns a journey of the user with the password proved.
func (h *fixture) journey(t *testing.T) *identity.Journey {
	t.Helper()
	now := h.db.Now()
	j := &identity.Journey{Tenant: h.user.Tenant, ID: identity.NewID(identity.JourneyID), Application: payroll,
		Protocol: identity.SAML, Request: []byte(`{}`), Browser: "b", IP: "192.0.2.17", UserID: h.user.ID, Name: "Anna.Berg",
		Required:  []identity.Validation{identity.Password, identity.SecondFactor},
		Passed:    []identity.CompletedFactor{{Validation: identity.Password, Method: identity.ByPassword, At: now}},
		StartedAt: now, ExpiresAt: now.Add(15 * time.Minute)}
	h.tx(t, func(tx *store.Tx) error { return tx.Journeys().Add(t.Context(), j) })
	return j
}

// activation returns what the page with the QR code shows.
func (h *fixture) activation(t *testing.T) enroll.Activation {
	t.Helper()
	j := h.journey(t)
	j.Enroll, j.Code.PassedAt = identity.EnrollPlatform, h.db.Now()
	h.tx(t, func(tx *store.Tx) error {
		rules, err := enroll.ReadRules(t.Context(), tx.Reader, h.user.Tenant)
		if err != nil {
			return err
		}
		_, err = enroll.ChoosePlatform(t.Context(), tx, j, h.user, identity.Linux, rules, "en")
		return errors.Join(err, tx.Journeys().Step(t.Context(), j))
	})
	shown, err := enroll.Shown(t.Context(), h.db.Reader, j)
	if err != nil {
		t.Fatal(err)
	}
	return shown
}

// sendPush sends a push, and returns its id and the number its page shows.
func (h *fixture) sendPush(t *testing.T, presence policy.Presence) (id, number string) {
	t.Helper()
	j := h.journey(t)
	h.tx(t, func(tx *store.Tx) error {
		p, err := push.Start(t.Context(), tx, j, push.Display{Application: "Payroll"}, presence, policy.DefaultPush())
		id, number = p.ID, p.Number
		return err
	})
	return id, number
}

func (h *fixture) outcome(t *testing.T, id string) store.PushOutcome {
	t.Helper()
	s, err := push.LoadState(t.Context(), h.db.Reader, h.user.Tenant, id)
	if err != nil {
		t.Fatal(err)
	}
	return s.Outcome
}

// newPhone returns a phone without accounts.
func newPhone(t *testing.T) *phone.Phone {
	t.Helper()
	return &phone.Phone{Dir: filepath.Join(t.TempDir(), "phone")}
}

// enrolled returns a phone with the user's account, with push enabled.
func (h *fixture) enrolled(t *testing.T) (*phone.Phone, phone.Account) {
	t.Helper()
	p := newPhone(t)
	account, err := p.Activate(t.Context(), phone.Activation{Link: h.activation(t).Link(h.base), Name: "Terminal", Push: true})
	if err != nil {
		t.Fatal(err)
	}
	return p, account
}

func TestENR9a_PhoneActivates(t *testing.T) {
	h := newFixture(t)
	shown := h.activation(t)
	for _, tt := range []struct {
		name   string
		in     func() phone.Activation
		push   string
		called string
	}{
		{"by link, with push", func() phone.Activation {
			return phone.Activation{Link: shown.Link(h.base), Name: "Terminal", Push: true}
		}, "enabled", "Terminal"},
		{"by short code, without", func() phone.Activation {
			return phone.Activation{Base: h.base, Code: h.activation(t).ShortCode, Name: "Terminal"}
		}, "disabled", "Terminal (2)"}, // the same person's
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPhone(t)
			got, err := p.Activate(t.Context(), tt.in())
			if err != nil {
				t.Fatal(err)
			}
			if got.State != "active" || got.User != "anna.berg" || got.Name != tt.called || got.Organisation != "Example Hospital" {
				t.Errorf("account %+v", got)
			}
			if tt.push == "enabled" && got.Push.State != "enabled" || tt.push != "enabled" && got.Push.State == "enabled" {
				t.Errorf("push is %q, want %q", got.Push.State, tt.push)
			}
			list, err := p.List(t.Context())
			if err != nil || len(list) != 1 || list[0] != got {
				t.Errorf("List() = %+v, %v, want %+v", list, err, got)
			}
		})
	}

	_, err := newPhone(t).Activate(t.Context(), phone.Activation{Link: shown.Link(h.base)})
	refusal, _ := errors.AsType[*phone.Refusal](err)
	if refusal == nil || refusal.Code != "activation" || !errors.Is(err, identity.NotFound) || refusal.Message == "" {
		t.Errorf("a second phone with the same link: %v, want activation", err)
	}
}

// A lossyProxy drops the first answer to a request after the server has given it.
type lossyProxy struct {
	call string
	cut  atomic.Bool
}

func (c *lossyProxy) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := http.DefaultTransport.RoundTrip(r)
	if err == nil && filepath.Base(r.URL.Path) == c.call && c.cut.CompareAndSwap(false, true) {
		res.Body.Close()
		return nil, errors.New("cut off")
	}
	return res, err
}

func TestENR9a_LostAnswerCostsNothing(t *testing.T) {
	for _, call := range []string{"activate", "finish"} {
		t.Run(call, func(t *testing.T) {
			h := newFixture(t)
			p := newPhone(t)
			p.HTTP = &http.Client{Transport: &lossyProxy{call: call}}
			a := phone.Activation{Link: h.activation(t).Link(h.base), Push: true}
			if _, err := p.Activate(t.Context(), a); !errors.Is(err, identity.Unavailable) {
				t.Fatalf("Activate with the line cut: %v, want %v", err, identity.Unavailable)
			}
			got, err := p.Activate(t.Context(), a)
			if err != nil || got.State != "active" {
				t.Errorf("Activate anew: %+v, %v", got, err)
			}
		})
	}
}

// An app corrects the time of its signatures by the server's clock, but never the time of its passcodes:
// otherwise the server would not see its drift.
func TestPhoneClockIsOff(t *testing.T) {
	h := newFixture(t)
	p := newPhone(t)
	p.Now = func() time.Time { return time.Now().Add(10 * time.Minute) }
	account, err := p.Activate(t.Context(), phone.Activation{Link: h.activation(t).Link(h.base), Push: true})
	if err != nil {
		t.Fatal(err)
	}
	again := &phone.Phone{Dir: p.Dir, Now: p.Now}
	if list, err := again.List(t.Context()); err != nil || list[0].Problem != "" {
		t.Errorf("List() = %+v, %v", list, err)
	}
	seed, err := h.db.Authenticators().Seed(t.Context(), h.user.Tenant, account.ID)
	if err != nil {
		t.Fatal(err)
	}
	code, err := again.Passcode(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	now := p.Now() // perhaps a step later than the passcode
	if code.Code != otp.TOTP(seed, otp.Params{}, now) && code.Code != otp.TOTP(seed, otp.Params{}, now.Add(-time.Second)) {
		t.Errorf("the passcode is not that of the phone's own clock")
	}
}

func TestPUSH13_PhoneAnswers(t *testing.T) {
	for _, tt := range []struct {
		name     string
		presence policy.Presence
		answer   func(ctx context.Context, p *phone.Phone, id, number string) (phone.Outcome, error)
		want     string
	}{
		{"approve", policy.NoPresence, func(ctx context.Context, p *phone.Phone, id, number string) (phone.Outcome, error) {
			return p.Approve(ctx, id, number)
		}, "approved"},
		{"approve with the number", policy.Enter, func(ctx context.Context, p *phone.Phone, id, number string) (phone.Outcome, error) {
			return p.Approve(ctx, id, number)
		}, "approved"},
		{"approve with another number", policy.Enter, func(ctx context.Context, p *phone.Phone, id, number string) (phone.Outcome, error) {
			other := "10"
			if number == other {
				other = "11"
			}
			return p.Approve(ctx, id, other)
		}, "wrong-number"},
		{"it was not me", policy.Enter, func(ctx context.Context, p *phone.Phone, id, _ string) (phone.Outcome, error) {
			return p.Deny(ctx, id, false)
		}, "denied-not-me"},
		{"a mistake", policy.Enter, func(ctx context.Context, p *phone.Phone, id, _ string) (phone.Outcome, error) {
			return p.Deny(ctx, id, true)
		}, "denied-mistake"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newFixture(t)
			p, account := h.enrolled(t)
			id, number := h.sendPush(t, tt.presence)
			waiting, err := p.Pending(t.Context())
			if err != nil || len(waiting) != 1 {
				t.Fatalf("Pending() = %+v, %v, want one", waiting, err)
			}
			r := waiting[0]
			if r.ID != id || r.Account != account.ID || r.Application != "Payroll" || r.Organisation != "Example Hospital" ||
				r.User != "Anna.Berg" || r.Address != "192.0.2.17" || r.Digits != len(number) || r.Expires-r.Started > 61 {
				t.Errorf("request %+v", r)
			}
			got, err := tt.answer(t.Context(), p, id, number)
			if err != nil || got.Outcome != tt.want {
				t.Fatalf("outcome %+v, %v, want %s", got, err, tt.want)
			}
			if tt.want == "approved" && h.outcome(t, id) != store.PushApproved {
				t.Errorf("the server has it as %q", h.outcome(t, id))
			}
			if _, err := p.Approve(t.Context(), id, number); !errors.Is(err, identity.NotFound) {
				t.Errorf("a second answer: %v, want %v", err, identity.NotFound)
			}
		})
	}
}

// An answer whose reply was lost is repeated, and its outcome is returned.
func TestPUSH26_LostReplyIsReadAsItEnded(t *testing.T) {
	h := newFixture(t)
	p, _ := h.enrolled(t)
	id, number := h.sendPush(t, policy.Enter)
	p.HTTP = &http.Client{Transport: &lossyProxy{call: "answer"}}
	got, err := p.Approve(t.Context(), id, number)
	if err != nil || got.Outcome != "approved" {
		t.Errorf("Approve with the line cut: %+v, %v, want approved", got, err)
	}
	if got := h.outcome(t, id); got != store.PushApproved {
		t.Errorf("outcome %q, want %q", got, store.PushApproved)
	}
}

func TestPUSH24_PhoneIsNotified(t *testing.T) {
	h := newFixture(t)
	p, _ := h.enrolled(t)
	heard := make(chan []phone.Request, 1)
	go func() {
		waiting, err := p.Wait(t.Context())
		if err != nil {
			t.Errorf("Wait: %v", err)
		}
		heard <- waiting
	}()
	time.Sleep(300 * time.Millisecond) // the stream is open, and rang for nothing
	id, _ := h.sendPush(t, policy.NoPresence)
	select {
	case waiting := <-heard:
		if len(waiting) != 1 || waiting[0].ID != id {
			t.Errorf("heard of %+v, want %s", waiting, id)
		}
	case <-time.After(5 * time.Second):
		t.Error("nothing rang within five seconds")
	}
}

func TestPhoneSettingsAndRemoval(t *testing.T) {
	h := newFixture(t)
	p, account := h.enrolled(t)
	off, err := p.SetPush(t.Context(), "", false)
	if err != nil || off.Push.State != "disabled" {
		t.Errorf("SetPush(false) = %+v, %v", off, err)
	}
	on, err := p.SetPush(t.Context(), "anna.berg", true)
	if err != nil || on.Push.State != "enabled" {
		t.Errorf("SetPush(true) = %+v, %v", on, err)
	}
	gone, err := p.Remove(t.Context(), account.Serial)
	if err != nil || gone.State != "revoked" {
		t.Errorf("Remove() = %+v, %v", gone, err)
	}
	if list, err := p.List(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("List() = %+v, %v, want none", list, err)
	}
	stored, err := h.db.Authenticators().Get(t.Context(), h.user.Tenant, account.ID)
	if err != nil || stored.State() != identity.Revoked {
		t.Errorf("the server has it as %q, %v", stored.State(), err)
	}
}

// There is one attempt, so a number that cannot be right is not sent.
func TestPUSH17_PhoneKeepsTheTry(t *testing.T) {
	h := newFixture(t)
	p, _ := h.enrolled(t)
	id, number := h.sendPush(t, policy.Enter)
	for _, wrong := range []string{"", "4", "123", "4 7", "x7", "٤٧", number + "\n"} {
		if _, err := p.Approve(t.Context(), id, wrong); !errors.Is(err, identity.Invalid) {
			t.Errorf("Approve with %q: %v, want %v", wrong, err, identity.Invalid)
		}
	}
	if got, err := p.Approve(t.Context(), id, number); err != nil || got.Outcome != "approved" {
		t.Errorf("Approve with the number: %+v, %v", got, err)
	}
}
