package journey_test

import (
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/internal/location"
	"github.com/latchkey-id/latchkey/internal/location/locationtest"
	"github.com/latchkey-id/latchkey/internal/push"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
	"github.com/latchkey-id/latchkey/templates"
)

// locate gives the engine a database in which the clients' address is in Munich.
func (h *fixture) locate() {
	h.Helper()
	path := filepath.Join(h.TempDir(), "city.mmdb")
	locationtest.Write(h, path, locationtest.Record{Network: "192.0.2.0/24",
		City: locationtest.Names{"en": "Munich", "de": "München"}, Country: locationtest.Names{"en": "Germany", "de": "Deutschland"}})
	h.engine.Locations = location.New(h.Context(), path, slog.New(slog.DiscardHandler))
}

// askedPush is what the page that waits for the phone shows.
func (h *fixture) askedPush(v *journey.View) journey.AskedPush {
	h.Helper()
	c := h.withSession(nowhere).Client
	c.Binding = v.Journey.Browser
	p, err := h.engine.Look(h.Context(), c, v.Journey.ID)
	if err != nil {
		h.Fatal(err)
	}
	ask, ok := p.Ask.(journey.AskedPush)
	if !ok {
		h.Fatalf("at %s", p.Step)
	}
	return ask
}

// The place of the address is what the phone is told, and the page and the mails
// beside it, in the language of the person.
func TestPUSH12_PlaceOfTheAddress(t *testing.T) {
	h := newFixture(t, storetest.SQLite(t))
	h.locate()
	v := h.toChoice("b")
	v, err := h.take(h.withSession(nowhere), v, journey.PickLanguage{Language: "de"})
	v = h.want(v, err, journey.Choose)
	v = h.want(h.send(v), nil, journey.WaitForPush)
	var request store.PushRequest
	h.do(h.Who, func(tx *store.Tx) (err error) {
		request, err = push.Pending(t.Context(), tx.Reader, h.Tenant.ID, h.User.ID)
		return err
	})
	const want = "München, Deutschland"
	if request.Place != want || request.IP != "192.0.2.17" {
		t.Errorf("the phone is told %q of %s, want %q", request.Place, request.IP, want)
	}
	if got := h.askedPush(v).Place; got != want {
		t.Errorf("the page says %q, want %q", got, want)
	}
}

// Before anything is proved, the page that waits says the same place for a name that
// nobody has (ENR-4).
//
// Tried with the place of the request in askPush: of nobody's there was none.
func TestENR4_TheSamePlaceForEveryName(t *testing.T) {
	h := newFixture(t, storetest.SQLite(t))
	h.locate()
	h.withoutPassword(nil)
	for _, name := range []string{"berit.lie", "nobody"} {
		v := h.want(h.send(h.named("browser of "+name, name, journey.Choose)), nil, journey.WaitForPush)
		if got, want := h.askedPush(v).Place, "Munich, Germany"; got != want {
			t.Errorf("%s: the page says %q, want %q", name, got, want)
		}
	}
}

// A mail that a sign-in sends says where it came from.
func TestPUSH12_PlaceInMails(t *testing.T) {
	h := newFixture(t, storetest.SQLite(t))
	h.locate()
	h.flood(5)
	got := letters[templates.LockedPush](h, templates.LockedPush{}.Kind())
	if len(got) != 1 || got[0].Origin.Place != "Munich, Germany" || got[0].Origin.IP != "192.0.2.17" {
		t.Errorf("the mails say %+v", got)
	}
}
