package e2e

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/location/locationtest"
)

// What the phone shows of a sign-in is what the page says that it shows: the browser, and
// the place of the address by the operator's file. Whoever then says that it wasn't them
// is led to where the password is changed, and the page goes back to the application and
// nowhere else.
//
// Tried without Locations in mount, and without SelfService: there was no place, and no
// link.
func TestPUSH12_WhereASignInComesFrom(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "city.mmdb")
	place := locationtest.Record{City: locationtest.Names{"en": "Bergen"}, Country: locationtest.Names{"en": "Norway"}}
	here, here6 := place, place
	here.Network, here6.Network = "127.0.0.0/8", "::1/128"
	locationtest.Write(t, file, here, here6)
	h := StartServer(t, "", "LATCHKEY_LOCATION_DATABASE="+file)
	w := h.onDesk(Profile{}, true)
	w.SendPush()
	w.Phone.See(number)
	for name, shown := range map[string]string{"page": w.Desk.Text("main"), "phone": w.Phone.Text("#sheet")} {
		for _, want := range []string{"Bergen, Norway", "Chrome, Linux"} {
			if !strings.Contains(shown, want) {
				t.Errorf("the %s does not say %q: %s", name, want, shown)
			}
		}
	}
	w.Phone.Deny("not-me")
	if got, want := w.Phone.Attribute(`#sheet a.button`, "href"), h.Issuer()+"/me/password"; got != want {
		t.Errorf("the phone leads to %q, want %q", got, want)
	}
	w.Desk.See(`[name="do"][value="cancel"]`)
	if w.Desk.Has(press("back")) || w.Desk.Has(`button[name="method"]`) {
		t.Error("the page offers another way")
	}
	w.Desk.checkLayout("rejected")
}
