package appapi

import (
	"strings"
	"testing"
)

// The page's own cookie is renewed, on the page and on what its service worker
// fetches, and none is made for who has none.
func TestWebAppRenewsThePresenceCookie(t *testing.T) {
	app := newWebApp(t)
	for _, tt := range []struct {
		path, cookie, want string
	}{
		{"/authenticator/", "latchkey_authenticator=1", "latchkey_authenticator=1; Path=/authenticator; Max-Age=34560000; Secure; SameSite=Strict"},
		{"/authenticator/sw.js", "latchkey_authenticator=1", "latchkey_authenticator=1; Path=/authenticator; Max-Age=34560000; Secure; SameSite=Strict"},
		{"/authenticator/", "", ""},
		{"/authenticator/", "latchkey_authenticator=<b>", ""},
	} {
		if got := strings.Join(get(app, tt.path, "Cookie", tt.cookie).Header.Values("Set-Cookie"), "\n"); got != tt.want {
			t.Errorf("%s with %q: Set-Cookie %q, want %q", tt.path, tt.cookie, got, tt.want)
		}
	}
}
