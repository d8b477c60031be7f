package idp_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// A page that wants to be sure who is there gets the second factor anew, and that
// alone; who has just given one comes straight back. The link names a page of a
// list and no address (T-LOG-21). (With staleFactor false, with the list not
// looked at, and with FactorMaxAge as MaxAge, it failed.)
func TestTLOG21_AFreshFactorLeadsBackToThePage(t *testing.T) {
	s := newSite(t, storetest.SQLite(t))
	v := s.userAgent().toChoice().send("method", "passcode").send("passcode", s.passcode()).sees("signed in as")
	const wants = "/t/demo/login?for=recovery-codes&fresh=1"
	v.open(wants).sees("at recovery-codes")
	s.Clock.Advance(11 * time.Minute)
	v.open("/t/demo/login?for=recovery-codes").sees("at recovery-codes")
	v.open(wants).sees(`name="method"`).send("do", "cancel").sees("signed in as " + s.User.ID)
	v.open(wants).sees(`name="method"`).send("method", "passcode").send("passcode", s.passcode()).sees("at recovery-codes")
	v.open(wants).sees("at recovery-codes")
	// The page of one authenticator is come back to by its id, and by nothing else.
	id := identity.NewID(identity.AuthenticatorID)
	if v.open("/t/demo/login?for=recovery-codes&fresh=1&item=" + id); !strings.HasSuffix(v.at, "/t/demo/me/recovery-codes/"+id) {
		t.Errorf("with an id: at %s", v.at)
	}
	for _, item := range []string{"..", "x/../../logout", "%2f%2fevil.example", identity.NewID(identity.UserID)} {
		if v.open(wants + "&item=" + item); !strings.HasSuffix(v.at, "/t/demo/me/recovery-codes") {
			t.Errorf("item=%s leads to %s", item, v.at)
		}
	}
	for _, to := range []string{"https://evil.example", "//evil.example", "../logout", "recovery-codes/../..", "Recovery-Codes"} {
		if v.open("/t/demo/login?for=" + to); v.code != http.StatusOK || !strings.HasSuffix(v.at, "/t/demo/me") {
			t.Errorf("for=%s leads to %s (%d)", to, v.at, v.code)
		}
	}
}
