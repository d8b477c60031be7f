package e2e

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/phone"
)

// Where the web authenticator has an address of its own, a link to the base
// still ends there: a browser takes the activation along, and so does the phone
// of the terminal, whose calls are signed for the address they go to.
func TestAppAtItsOwnAddress(t *testing.T) {
	t.Parallel()
	h := startApp(t)
	base := http.NewServeMux()
	base.Handle("GET /authenticator/{$}", http.RedirectHandler(h.base+"/authenticator/", http.StatusPermanentRedirect))
	server := httptest.NewServer(base)
	t.Cleanup(server.Close)
	old := func() string {
		return strings.Replace(h.link(t), h.base, strings.Replace(server.URL, "127.0.0.1", "localhost", 1), 1)
	}

	account, err := (&phone.Phone{Dir: t.TempDir()}).Activate(t.Context(), phone.Activation{Link: old(), Name: "Terminal", Push: true})
	if err != nil {
		t.Fatal(err)
	}
	if account.Base != h.base {
		t.Errorf("the phone's account is at %s, want %s", account.Base, h.base)
	}

	b := Browse(t, chromium(t), Profile{Phone: true})
	b.Open(old())
	b.Click(`#sheet .pair button[autofocus]`)
	b.See(`#sheet input[name="push"]`)
	if got := b.URL().Host; !strings.HasSuffix(h.base, got) {
		t.Errorf("the browser is at %s, want %s", got, h.base)
	}
}
