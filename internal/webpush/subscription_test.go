package webpush

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func services(t testing.TB, more ...string) Services {
	t.Helper()
	all, err := NewServices(more)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Which endpoints are allowed, and the audience of their tokens.
func TestQLT5_PUSH24_Services(t *testing.T) {
	ours := services(t, "push.example.org", "*.push.example.net", "10.0.0.1:8443", "ntfy.example.com:443")
	for endpoint, want := range map[string]string{
		"https://fcm.googleapis.com/fcm/send/x":                   "https://fcm.googleapis.com",
		"https://fcm.googleapis.com:443/fcm/send/x":               "https://fcm.googleapis.com",
		"https://FCM.GoogleAPIs.com/fcm/send/x":                   "https://fcm.googleapis.com",
		"HTTPS://updates.push.services.mozilla.com/wpush/v2/x":    "https://updates.push.services.mozilla.com",
		"https://jmt17.google.com/fcm/send/x":                     "https://jmt17.google.com",
		"https://web.push.apple.com/x":                            "https://web.push.apple.com",
		"https://api.eu.push.apple.com/x":                         "https://api.eu.push.apple.com",
		"https://wns2-par02p.notify.windows.com/w/?token=x%2fy":   "https://wns2-par02p.notify.windows.com",
		"https://push.example.org/x":                              "https://push.example.org",
		"https://a.push.example.net/x":                            "https://a.push.example.net",
		"https://10.0.0.1:8443/x":                                 "https://10.0.0.1:8443",
		"https://ntfy.example.com/x":                              "https://ntfy.example.com",
		"http://fcm.googleapis.com/x":                             "",
		"https://fcm.googleapis.com:80/x":                         "",
		"https://fcm.googleapis.com.:443/x":                       "",
		"https://push.apple.com/x":                                "",
		"https://.push.apple.com/x":                               "",
		"https://push.example.net/x":                              "",
		"https://x.push.example.org/x":                            "",
		"https://10.0.0.1/x":                                      "",
		"https://fcm.googleapis.com@10.0.0.2/x":                   "",
		"https://web.push.apple.com.example.org/x":                "",
		"https://example.org/?x=.push.apple.com":                  "",
		"https://example.org#.push.apple.com":                     "",
		"https://example.org\\.push.apple.com/":                   "",
		"https://example.org%2f.push.apple.com/":                  "",
		"https://fcm.googleapis.com/" + strings.Repeat("x", 2048): "",
	} {
		got, err := ours.Origin(endpoint)
		if got != want || (want == "") != errors.Is(err, ErrEndpoint) {
			t.Errorf("%.60q: %q, %v, want %q", endpoint, got, err, want)
		}
	}
	for _, host := range []string{"", "*", "*.", "*.org", "*.10.0.0.1", "https://push.example.org", "push.example.org/", "Push.example.org", "a b", "user@push.example.org",
		"push.example.org.", "push.*.org", "a*.example.org", "*.*.example.org", "push.example.org:x", "push.example.org?x"} {
		if _, err := NewServices([]string{host}); err == nil {
			t.Errorf("%q is taken for the host of a push service", host)
		}
	}
	if !AllowsSilent("fcm.googleapis.com") || AllowsSilent("web.push.apple.com") || AllowsSilent("web.push.apple.com:443") {
		t.Error("Apple alone counts what shows nothing new")
	}
}

// However it is printed, a subscription shows only its host, and a key nothing.
func TestPUSH25_NothingIsPrinted(t *testing.T) {
	key, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	secret, err := key.Secret()
	if err != nil {
		t.Fatal(err)
	}
	s := Subscription{Endpoint: "https://fcm.googleapis.com/fcm/send/capability", P256DH: []byte("point"), Auth: []byte("0123456789abcdef")}
	var b strings.Builder
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "s", s, "p", &s, "k", key)
	fmt.Fprintf(&b, "%v %+v %#v %s %v %+v %#v %x", s, s, s, s, key, key, key, key)
	for _, hidden := range []string{"capability", "0123456789abcdef", fmt.Sprintf("%x", secret), fmt.Sprint(secret), "D:"} {
		if strings.Contains(b.String(), hidden) {
			t.Errorf("%q is in %s", hidden, b.String())
		}
	}
}

// A key survives being stored and read.
func TestKey(t *testing.T) {
	key, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	secret, err := key.Secret()
	if err != nil || len(secret) != 32 {
		t.Fatalf("%d bytes, %v", len(secret), err)
	}
	again, err := ParseKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	a, err := key.Public()
	if err != nil {
		t.Fatal(err)
	}
	b, err := again.Public()
	if err != nil || string(a) != string(b) || len(a) != 65 {
		t.Errorf("%x, %x, %v", a, b, err)
	}
	header, err := key.Authorization("https://fcm.googleapis.com", "mailto:a@example.org", time.Unix(1794990000, 0))
	if err != nil || !strings.HasSuffix(header, ", k="+encodeBase64(a)) {
		t.Errorf("%s, %v", header, err)
	}
	for _, wrong := range [][]byte{nil, make([]byte, 32), secret[:31], []byte(strings.Repeat("\xff", 32))} {
		if _, err := ParseKey(wrong); err == nil {
			t.Errorf("%x is taken for a key", wrong)
		}
	}
}

func FuzzParse(f *testing.F) {
	var auth [16]byte
	rand.Read(auth[:])
	const point = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
	f.Add("https://fcm.googleapis.com/fcm/send/x", point, encodeBase64(auth[:]))
	f.Add("https://web.push.apple.com@example.org/", point, "AAAA")
	f.Add("", "", "")
	all := services(f, "push.example.org")
	f.Fuzz(func(t *testing.T, endpoint, p256dh, auth string) {
		s, err := Parse(endpoint, p256dh, auth, all)
		if err != nil {
			return
		}
		if s.Host() == "" || !strings.HasPrefix(strings.ToLower(endpoint), "https:") {
			t.Errorf("%q was taken, host %q", endpoint, s.Host())
		}
		if _, err := s.Encrypt([]byte("x")); err != nil {
			t.Errorf("%q %q: %v", p256dh, auth, err)
		}
	})
}
