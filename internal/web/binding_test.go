package web_test

import (
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/web"
)

// A jar has the cookies of a browser at a site.
type jar struct {
	*cookiejar.Jar
	site *web.Site
	at   *url.URL
}

func newJar(t *testing.T) *jar {
	t.Helper()
	j, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &jar{j, newSessions(firstKey), &url.URL{Scheme: "https", Host: "id.example.org", Path: "/"}}
}

// request makes a request, and stores the cookies of its response.
func (j *jar) request(t *testing.T, do func(w http.ResponseWriter, r *http.Request) error) {
	t.Helper()
	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, j.at.String(), nil)
	for _, c := range j.Cookies(j.at) {
		r.AddCookie(c)
	}
	if err := do(w, r); err != nil {
		t.Fatal(err)
	}
	j.SetCookies(j.at, w.Result().Cookies())
}

func (j *jar) bind(t *testing.T, tenant identity.Tenant, journey string) (secret string) {
	t.Helper()
	secret = identity.NewSecret()
	j.request(t, func(w http.ResponseWriter, r *http.Request) error {
		return j.site.Sessions.Bind(w, r, tenant, journey, secret)
	})
	return secret
}

func (j *jar) binding(t *testing.T, tenant identity.Tenant, journey string) (secret string) {
	t.Helper()
	j.request(t, func(_ http.ResponseWriter, r *http.Request) error {
		secret = j.site.Sessions.Binding(r, tenant, journey)
		return nil
	})
	return secret
}

func TestBind_EachJourneyHasItsOwn(t *testing.T) {
	j := newJar(t)
	one, two := identity.NewID(identity.JourneyID), identity.NewID(identity.JourneyID)
	first, second := j.bind(t, demo, one), j.bind(t, demo, two)
	if j.binding(t, demo, one) != first || j.binding(t, demo, two) != second || j.binding(t, other, one) != "" {
		t.Error("a journey has not the binding that was set for it")
	}
	j.request(t, func(w http.ResponseWriter, r *http.Request) error { return j.site.Sessions.Unbind(w, r, demo, one) })
	if j.binding(t, demo, one) != "" || j.binding(t, demo, two) != second {
		t.Error("Unbind took another journey's, or not its own")
	}
	w := httptest.NewRecorder()
	if err := j.site.Sessions.Unbind(w, httptest.NewRequest(http.MethodGet, "/", nil), demo, one); err != nil || len(w.Result().Cookies()) != 0 {
		t.Errorf("a browser without it was told to drop %v, %v", w.Result().Cookies(), err)
	}
}

// A browser has at most ten bindings, of all tenants together. The oldest is
// removed first, and before it a cookie with such a name that is invalid.
func TestBind_TenAtMostAndTheOldestGoes(t *testing.T) {
	j := newJar(t)
	planted := "__Host-latchkey_journey_demo_" + identity.NewID(identity.JourneyID)
	var ids []string
	add := func() {
		t.Helper()
		id, tenant := identity.NewID(identity.JourneyID), demo
		if len(ids)%2 == 1 {
			tenant = other
		}
		j.bind(t, tenant, id)
		ids = append(ids, tenant.Slug+"_"+id)
	}
	held := func() (names []string) {
		for _, c := range j.Cookies(j.at) {
			if name, ok := strings.CutPrefix(c.Name, "__Host-latchkey_journey_"); ok {
				names = append(names, name)
			}
		}
		return names
	}
	for range 9 {
		add()
	}
	j.SetCookies(j.at, []*http.Cookie{{Name: planted, Value: "x"}})
	for range 4 {
		add()
		if n := len(held()); n != 10 {
			t.Fatalf("%d bindings are held after %d journeys", n, len(ids))
		}
	}
	got := fmt.Sprint(held())
	for i, id := range ids {
		if kept := strings.Contains(got, id); kept != (i >= len(ids)-10) {
			t.Errorf("of %d journeys that of place %d is kept: %v", len(ids), i, kept)
		}
	}
	if strings.Contains(got, strings.TrimPrefix(planted, "__Host-latchkey_journey_")) {
		t.Error("what was planted outlived what is ours")
	}
}
