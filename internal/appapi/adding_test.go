package appapi

import (
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/enroll"
	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
)

// adding is a journey for a further authenticator of a user, begun with one
// there is.
func (h *fixture) adding(t *testing.T, user identity.User, with string) *identity.Journey {
	t.Helper()
	now := h.Clock.Now()
	j := &identity.Journey{Tenant: user.Tenant, ID: identity.NewID(identity.JourneyID), Application: h.Application.ID, Protocol: identity.SAML,
		Request: []byte(`{}`), Adding: true, Browser: "b", UserID: user.ID, Name: user.Name, Enroll: identity.EnrollPlatform,
		Passed:    []identity.CompletedFactor{{Validation: identity.SecondFactor, Method: identity.ByPasscode, Authenticator: with, At: now}},
		StartedAt: now, Code: identity.Code{PassedAt: now}, ExpiresAt: now.Add(15 * time.Minute)}
	h.Do(t, func(tx *store.Tx) error { return tx.Journeys().Add(t.Context(), j) })
	return j
}

// A phone that has the activation already gets nothing once the authenticator it
// was begun with was reported lost, or the person left: whoever took the one
// would keep the other. (With stands always true, it failed.)
func TestCRED16_AFurtherAuthenticatorIsNotFinishedWithoutTheFirst(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		for _, tt := range []struct {
			name string
			does func(tx *store.Tx, j *identity.Journey, first identity.Authenticator) error
			want int
		}{
			{"all stands", func(*store.Tx, *identity.Journey, identity.Authenticator) error { return nil }, 2},
			{"lost", func(tx *store.Tx, _ *identity.Journey, first identity.Authenticator) error {
				return authenticator.Revoke(t.Context(), tx, first, "lost")
			}, 0},
			{"left", func(tx *store.Tx, j *identity.Journey, _ identity.Authenticator) error {
				j.Outcome, j.EndedAt = identity.Cancelled, h.Clock.Now()
				return tx.Journeys().Step(t.Context(), j)
			}, 1},
		} {
			user := h.AddUser(t, tt.name)
			first, err := h.DB.Authenticators().Get(t.Context(), user.Tenant, h.enrolled(t, user, false).id)
			if err != nil {
				t.Fatal(err)
			}
			j := h.adding(t, user, first.ID)
			h.Step(t, j, func(tx *store.Tx) error {
				problem, err := enroll.ChoosePlatform(t.Context(), tx, j, user, identity.Android, h.Rules, "en")
				if problem != "" {
					t.Errorf("ChoosePlatform: problem %q", problem)
				}
				return err
			})
			a := h.newApp(t)
			a.id = a.must(t, "activate", fields{"secret": h.Shown(t, j).Secret})["authenticator"].(string)
			h.Do(t, func(tx *store.Tx) error { return tt.does(tx, j, first) })
			a.call(t, "finish", fields{"push": false})
			active := 0
			for other, err := range h.DB.Authenticators().OfUser(t.Context(), user.Tenant, user.ID) {
				if err != nil {
					t.Fatal(err)
				}
				if other.State() == identity.Active {
					active++
				}
			}
			if active != tt.want {
				t.Errorf("%s: %d active authenticators, want %d", tt.name, active, tt.want)
			}
		}
	})
}

// Two apps of one kind have the same default name. The second gets a number, when it is
// activated and when it finishes; one that takes the place of another takes its name too.
// (Without FreeName in either place, it failed.)
func TestCRED16_DefaultNamesOfAppsDoNotCollide(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		const name = "Chrome, Android"
		user := h.AddUser(t, "anna")
		named := func(finish fields) (before, after string) {
			t.Helper()
			_, shown := h.Issued(t, user)
			a := h.newApp(t)
			a.id = a.must(t, "activate", fields{"secret": shown.Secret, "name": name})["authenticator"].(string)
			pending, err := h.DB.Authenticators().Get(t.Context(), user.Tenant, a.id)
			if err != nil {
				t.Fatal(err)
			}
			return pending.Name, a.must(t, "finish", finish)["name"].(string)
		}
		for i, want := range []string{name, name + " (2)", name + " (3)"} {
			finish := fields{"push": false}
			if i != 1 { // one app sends the name again, another does not
				finish["name"] = name
			}
			if before, after := named(finish); before != want || after != want {
				t.Errorf("the %d. is called %q, then %q, want %q", i+1, before, after, want)
			}
		}
	})
}
