package journey_test

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// How often a push may be asked for before a password, and from where, is the
// same for a name that is nobody's: else asking twice would tell (ENR-4).
func TestENR4_PushLimitsAreThoseOfEveryName(t *testing.T) {
	storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
		h := newFixture(t, empty)
		h.withoutPassword(nil)
		client := h.withSession(identity.Session{})
		told := func(name string) (seen []string) {
			note := func(v *journey.View, err error) *journey.View {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
				seen = append(seen, fmt.Sprint(v.Step, " ", v.Journey.Notice, " ", v.Journey.Pushes))
				return v
			}
			push := func(v *journey.View) *journey.View {
				return note(h.take(client, v, journey.ChooseMethod{Method: identity.ByPush}))
			}
			first := push(h.named("b", name, journey.Choose))
			push(h.named("b", name, journey.Choose)) // another tab, at once
			push(h.named("c", name, journey.Choose)) // another browser, at once
			h.Clock.Advance(16 * time.Second)
			push(h.named("c", name, journey.Choose)) // and while the first waits
			h.Clock.Advance(16 * time.Second)
			first = push(first)
			first = note(h.take(client, first, journey.GoBack{}))
			first = note(h.take(client, first, journey.GoBack{}))
			first = note(h.take(client, first, journey.EnterName{Name: name}))
			push(first)
			h.Clock.Advance(5 * time.Minute)
			return seen
		}
		known, unknown := told("berit.lie"), told("nobody")
		if fmt.Sprint(known) != fmt.Sprint(unknown) {
			t.Errorf("a user's name is told %q,\nnobody's %q", known, unknown)
		}
	})
}

// What a group may use shows once something was proved. Before that, the
// choices would tell who is in it (ENR-4).
func TestENR4_ChoicesDoNotTellTheGroup(t *testing.T) {
	for name, settings := range map[string]policy.PushSettings{
		"push off":      {Presence: policy.NoPresence},
		"codes refused": {Enabled: true, Presence: policy.Enter},
	} {
		t.Run(name, func(t *testing.T) {
			h := newFixture(t, storetest.SQLite(t))
			group := identity.Group{Tenant: h.Tenant.ID, ID: identity.NewID(identity.GroupID), Name: "Nurses"}
			h.do(h.Who, func(tx *store.Tx) error {
				if err := tx.Groups().Add(t.Context(), group); err != nil {
					return err
				}
				return tx.Groups().AddMember(t.Context(), h.Tenant.ID, group.ID, h.User.ID)
			})
			h.withoutPassword(map[string]policy.PushSettings{group.ID: settings})
			known, unknown := h.named("b", "berit.lie", journey.Choose).Facts, h.named("b", "nobody", journey.Choose).Facts
			if known.Push != unknown.Push || known.Codes != unknown.Codes {
				t.Errorf("offered push %v and codes %v; to nobody %v and %v", known.Push, known.Codes, unknown.Push, unknown.Codes)
			}
			client := h.withSession(identity.Session{})
			if !settings.Enabled {
				v, err := h.take(client, h.named("b", "berit.lie", journey.Choose), journey.ChooseMethod{Method: identity.ByPush})
				if v = h.want(v, err, journey.WaitForPush); v.Journey.PushID != "" {
					t.Error("a push was sent to who may get none")
				}
				return
			}
			v, err := h.take(client, h.toPasscode("b", "berit.lie"), journey.EnterPasscode{Passcode: h.passcode(0)})
			h.want(v, err, journey.AskPasscode) // the right one, refused by policy (PUSH-1)
		})
	}
}

// Who has proved the password and can be reached by no push goes straight to
// the passcode, from there back to the name, and is told so when sending one
// all the same: nothing pretends to wait.
func TestPUSH7_NoPushWhereNoneCanArrive(t *testing.T) {
	h := newFixture(t, storetest.SQLite(t))
	h.do(h.Who, func(tx *store.Tx) error {
		_, err := tx.Authenticators().SetPush(t.Context(), h.Tenant.ID, h.token.ID, false)
		return err
	})
	v := h.proved(h.named("b", "berit.lie", journey.AskPassword), journey.AskPasscode)
	v, err := h.take(h.withSession(identity.Session{}), v, journey.ChooseMethod{Method: identity.ByPush})
	if v = h.want(v, err, journey.AskPasscode); v.Journey.Notice != "error.choice.missing" || v.Journey.Pushes != 0 {
		t.Errorf("told %q, %d pushes", v.Journey.Notice, v.Journey.Pushes)
	}
	v, err = h.take(h.withSession(identity.Session{}), v, journey.GoBack{})
	h.want(v, err, journey.Identify)
}

// Looking at the journey of a name that is nobody's reads what looking at
// anybody's reads, or the time it takes would tell. What the reads allocate is
// counted, not timed: a clock on a busy machine tells less.
//
// Tried with no rows read in place of a user's: a tenth less was allocated.
func TestTLOG02_ANameOfNobodyCostsTheSameReads(t *testing.T) {
	h := newFixture(t, storetest.SQLite(t))
	h.withoutPassword(nil)
	allocations := func(name string) float64 {
		id := h.named("b", name, journey.Choose).Journey.ID
		return testing.AllocsPerRun(20, func() {
			if _, err := h.lookAt(id); err != nil {
				t.Fatal(err)
			}
		})
	}
	known, unknown := allocations("berit.lie"), allocations("nobody")
	if unknown < 0.98*known || unknown > 1.02*known {
		t.Errorf("%v allocations for a user's name, %v for nobody's", known, unknown)
	}
}

// Whoever types the mail address that is one user's alone signs in as that user, and
// the pages until then show what was typed, as for an address that is nobody's.
func TestJRN10_AMailAddressSignsIn(t *testing.T) {
	storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
		h := newFixture(t, empty)
		shown := func(name string) *journey.Prompt {
			v := h.named("b", name, journey.AskPassword)
			c := h.withSession(identity.Session{})
			c.Binding, c.Browser = "b", "b"
			p, err := h.engine.Look(t.Context(), c.Client, v.Journey.ID)
			if err != nil || p.Name != name {
				t.Fatalf("the page says %q (%v), want %q", p.Name, err, name)
			}
			p.Journey, p.State, p.Name, p.Request = "", "", "", journey.Request{}
			return p
		}
		if known, unknown := shown("Berit@Example.ORG"), shown("nobody@example.org"); !reflect.DeepEqual(known, unknown) {
			t.Errorf("the page of a known address differs:\n%+v\n%+v", known, unknown)
		}
		v, err := h.take(h.withSession(identity.Session{}), h.named("c", "Berit@Example.ORG", journey.AskPassword), journey.EnterPassword{Password: password})
		if v = h.want(v, err, journey.Choose); v.Journey.UserID != h.User.ID {
			t.Errorf("signed in as %q", v.Journey.UserID)
		}
		h.Tenant.NoMailNames = true
		v, err = h.take(h.withSession(identity.Session{}), h.named("d", "berit@example.org", journey.AskPassword), journey.EnterPassword{Password: password})
		if v = h.want(v, err, journey.AskPassword); v.Journey.UserID != "" {
			t.Error("signed in by an address where that is switched off")
		}
	})
}
