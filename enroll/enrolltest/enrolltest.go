// Package enrolltest has users on their way through self-provisioning, for tests of it
// and of what apps call in it.
package enrolltest

import (
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/enroll"
	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/push"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// A Fixture is a database with a tenant, and the tenant's rules of self-provisioning.
type Fixture struct {
	*storetest.Fixture
	Rules enroll.Rules // in force for Issued; tests change them
}

// New returns a fixture on a database.
func New(t *testing.T, in *storetest.Fixture) *Fixture {
	t.Helper()
	rules, err := enroll.ReadRules(t.Context(), in.DB.Reader, in.Tenant.ID)
	if err != nil {
		t.Fatal(err)
	}
	return &Fixture{in, rules}
}

func (h *Fixture) AddUser(t *testing.T, name string) identity.User {
	t.Helper()
	user := identity.User{Tenant: h.Tenant.ID, ID: identity.NewID(identity.UserID), Name: name, Mail: "anna@example.org"}
	h.Do(t, func(tx *store.Tx) error { return tx.Users().Add(t.Context(), user) })
	return user
}

// SetPolicy sets a document.
func (h *Fixture) SetPolicy(t *testing.T, d policy.Document) {
	t.Helper()
	document, err := policy.Encode(d)
	if err != nil {
		t.Fatal(err)
	}
	h.Do(t, func(tx *store.Tx) error {
		row, err := tx.Policies().Get(t.Context(), h.Tenant.ID, d.Kind())
		if err != nil {
			return err
		}
		return tx.Policies().Set(t.Context(), h.Tenant.ID, d.Kind(), row.Version, document)
	})
}

// StartJourney begins a journey of a user who has proved the password.
func (h *Fixture) StartJourney(t *testing.T, user identity.User) *identity.Journey {
	t.Helper()
	now := h.Clock.Now()
	j := &identity.Journey{Tenant: h.Tenant.ID, ID: identity.NewID(identity.JourneyID), Application: h.Application.ID,
		Protocol: identity.SAML, Request: []byte(`{}`), Browser: "b", Fingerprint: "Firefox, Linux", IP: "192.0.2.1", UserID: user.ID, Name: user.Name,
		Required:  []identity.Validation{identity.Password, identity.SecondFactor},
		Passed:    []identity.CompletedFactor{{Validation: identity.Password, Method: identity.ByPassword, At: now}},
		StartedAt: now, ExpiresAt: now.Add(15 * time.Minute), Enroll: identity.EnrollOffered}
	h.Do(t, func(tx *store.Tx) error { return tx.Journeys().Add(t.Context(), j) })
	return j
}

// Step runs f on a journey and writes it, as a page does.
func (h *Fixture) Step(t *testing.T, j *identity.Journey, f func(tx *store.Tx) error) {
	t.Helper()
	h.Do(t, func(tx *store.Tx) error {
		if err := f(tx); err != nil {
			return err
		}
		return tx.Journeys().Step(t.Context(), j)
	})
}

// Issued goes through the wizard as far as the page with the QR code, on
// Android.
func (h *Fixture) Issued(t *testing.T, user identity.User) (*identity.Journey, enroll.Activation) {
	t.Helper()
	j := h.StartJourney(t, user)
	j.Enroll, j.Code.PassedAt = identity.EnrollPlatform, h.Clock.Now()
	h.Step(t, j, func(tx *store.Tx) error {
		problem, err := enroll.ChoosePlatform(t.Context(), tx, j, user, identity.Android, h.Rules, "en")
		if problem != "" {
			t.Errorf("ChoosePlatform: problem %q", problem)
		}
		return err
	})
	return j, h.Shown(t, j)
}

func (h *Fixture) Shown(t *testing.T, j *identity.Journey) enroll.Activation {
	t.Helper()
	a, err := enroll.Shown(t.Context(), h.DB.Reader, j)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Pushed starts a push request of a journey of user's.
func (h *Fixture) Pushed(t *testing.T, user identity.User, check policy.Presence) (*identity.Journey, store.PushRequest) {
	t.Helper()
	h.Clock.Advance(15 * time.Second) // the least between two
	j := h.StartJourney(t, user)
	rules := policy.DefaultPush()
	rules.Limit = 1000 // tests ask more often than anybody may
	var p store.PushRequest
	h.Do(t, func(tx *store.Tx) (err error) {
		p, err = push.Start(t.Context(), tx, j, push.Display{Application: "Payroll", Place: "Bergen, Norway"}, check, rules)
		return err
	})
	return j, p
}

// Outcome is how a request stands.
func (h *Fixture) Outcome(t *testing.T, p store.PushRequest) store.PushOutcome {
	t.Helper()
	s, err := push.LoadState(t.Context(), h.DB.Reader, h.Tenant.ID, p.ID)
	if err != nil {
		t.Fatal(err)
	}
	return s.Outcome
}

func (h *Fixture) Authenticators(t *testing.T) []identity.Authenticator {
	t.Helper()
	all, err := store.Collect(h.DB.Authenticators().OfUser(t.Context(), h.Tenant.ID, h.User.ID))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Events returns how many events of a kind there are.
func (h *Fixture) Events(t *testing.T, tenant string, kind audit.Kind) []audit.Event {
	t.Helper()
	events, err := store.Collect(h.DB.Events().List(t.Context(), tenant, store.EventFilter{Kind: kind, Limit: 1000}))
	if err != nil {
		t.Fatal(err)
	}
	return events
}

// MailCodes makes the codes that were asked for and queues their mails, as a server
// does in the background, and returns how many were asked for.
func (h *Fixture) MailCodes(t *testing.T) int {
	t.Helper()
	n, err := (&enroll.CodeMailer{DB: h.DB}).Flush(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Mails returns what waits in the outbox, and takes it out; the codes that were asked
// for among it.
func (h *Fixture) Mails(t *testing.T) []store.Message {
	t.Helper()
	h.MailCodes(t)
	var out []store.Message
	h.Do(t, func(tx *store.Tx) (err error) {
		out, err = tx.Outbox().Lease(t.Context(), "test", h.Clock.Now().Add(24*time.Hour), 100)
		return err
	})
	return out
}
