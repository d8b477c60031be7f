package e2e

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// The longest state that is taken comes back through each of the load balancers whose
// samples are in docs/deploy, though its address is three times as long.
//
// Tried without proxy_buffer_size: nginx answers 502. Without large_client_header_buffers:
// 414.
func TestLongHeadersBehindALoadBalancer(t *testing.T) {
	needServer(t)
	state := strings.Repeat("+", 4096)
	for _, b := range []struct {
		name  string
		start func(t *testing.T, listen string, nodes []string)
	}{{"nginx", startNginx}, {"haproxy", startHAProxy}} {
		t.Run(b.name, func(t *testing.T) {
			balanced := freeAddr(t)
			s := newServer(t, "http://"+balanced, "", "LATCHKEY_MAIL_FOLDER=mails", "LATCHKEY_TRUSTED_PROXIES=127.0.0.1,::1")
			s.run(nil, "", "init")
			s.run(nil, "", "app", "add", "oidc", "--name", "Wiki", "--client-id", "wiki", "--redirect-uri", "https://wiki.example.org/callback")
			n := startNode(t, s, freeAddr(t))
			b.start(t, balanced, []string{n.address, n.address})
			awaitPage(t, "http://"+balanced+"/healthz")
			query := url.Values{"client_id": {"wiki"}, "redirect_uri": {"https://wiki.example.org/callback"}, "response_type": {"none"}, "scope": {"openid"}, "state": {state}}
			client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
			res, err := client.Get("http://" + balanced + "/t/default/oauth/authorize?" + query.Encode())
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			if err != nil {
				t.Fatal(err)
			}
			to, err := url.Parse(res.Header.Get("Location"))
			if err != nil || res.StatusCode != http.StatusSeeOther || to.Query().Get("state") != state {
				t.Errorf("%d to %.80q, %v:\n%s", res.StatusCode, res.Header.Get("Location"), err, body)
			}
		})
	}
}
