package self_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

var nonceField = regexp.MustCompile(`name="nonce" value="([^"]+)"`)

// A passkey is added only with the nonce of a page that was shown recently, and
// if the tenant allows passkeys; both are checked before the credential.
//
// (Without the check of the time, and without that of the policy, its row fails
// with an error about the credential.)
func TestTLOG32_APasskeyIsAddedByThePageThatAsked(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		v, a := newBrowser(t, h), h.Authenticator(t, "Pixel 9")
		v.signIn(identity.CompletedFactor{Validation: identity.SecondFactor, Method: identity.ByPush, Authenticator: a.ID, At: h.Clock.Now()})
		_, _, body := v.request("/passkeys", nil)
		shown := nonceField.FindStringSubmatch(body)
		if shown == nil {
			t.Fatalf("no nonce on\n%s", body)
		}
		if user := h.User; strings.Contains(body, "attestation&#34;:&#34;direct") || !strings.Contains(body, "localhost") || !strings.Contains(body, user.Name) {
			t.Errorf("the page asks for\n%s", body)
		}
		send := func(name, nonce, want string) {
			t.Helper()
			code, _, body := v.request("/passkeys", url.Values{"do": {"add"}, "name": {"Key"}, "nonce": {nonce}, "made": {`{}`}})
			if code != http.StatusUnprocessableEntity || !strings.Contains(body, want) {
				t.Errorf("%s: %d, want %q in\n%s", name, code, want, body)
			}
		}
		send("no nonce", "", "took too long")
		send("one of long ago", fmt.Sprint(h.Clock.Now().Add(-time.Second).Unix())+".x", "took too long")
		send("nothing made", shown[1], "no passkey that can be used here")
		off, err := policy.Encode(policy.Credentials{Passkeys: policy.NoPasskeys, MaxAuthenticators: 5})
		if err != nil {
			t.Fatal(err)
		}
		h.Do(t, func(tx *store.Tx) error {
			return tx.Policies().Set(t.Context(), h.Tenant.ID, policy.KindCredentials, 0, off)
		})
		send("switched off", shown[1], "does not use passkeys")
	})
}
