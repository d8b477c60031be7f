package web

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// maxBindings is how many journeys of all tenants a browser can be bound to at
// once: the cookies of more would not fit into the header of a request.
const maxBindings = 10

// bindingLifetime is longer than that of a journey, so that people who come
// back late are still told how it ended.
const bindingLifetime = 24 * time.Hour

// Bind binds a journey to the browser by a cookie of the journey's own, so that
// two journeys begun at the same time do not replace each other's. The row of
// the journey has the hash of secret. If the browser has maxBindings already,
// the oldest is removed.
func (s Sessions) Bind(w http.ResponseWriter, r *http.Request, t identity.Tenant, journey, secret string) error {
	held := s.bindings(r)
	for len(held) >= maxBindings {
		if err := s.remove(w, r, journeyCookie, held[0].of); err != nil {
			return err
		}
		held = held[1:]
	}
	value := strconv.FormatInt(time.Now().UnixMilli(), 10) + "." + secret
	return s.write(w, r, journeyCookie, bindingSuffix(t, journey), value, int(bindingLifetime/time.Second))
}

// Binding returns the secret of the binding that the browser has for a journey;
// empty without one. [identity.Journey.BoundBy] checks it.
func (s Sessions) Binding(r *http.Request, t identity.Tenant, journey string) string {
	_, secret := parseBinding(s.read(r, journeyCookie, bindingSuffix(t, journey)))
	return secret
}

// Unbind removes a journey's cookie from the browser, if the request has one.
func (s Sessions) Unbind(w http.ResponseWriter, r *http.Request, t identity.Tenant, journey string) error {
	if _, err := r.Cookie(s.name(journeyCookie, bindingSuffix(t, journey))); err != nil {
		return nil // it has none
	}
	return s.remove(w, r, journeyCookie, bindingSuffix(t, journey))
}

// bindingSuffix is the end of the name of a journey's cookie.
func bindingSuffix(t identity.Tenant, journey string) string { return t.Slug + "_" + journey }

// parseBinding reads the value of a journey's cookie: when it was set, in unix
// milliseconds, and the secret. Both are zero if the value is malformed.
func parseBinding(value string) (at int64, secret string) {
	digits, secret, _ := strings.Cut(value, ".")
	at, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || !identity.IsSecret(secret) {
		return 0, ""
	}
	return at, secret
}

// A binding is a journey's cookie in a request.
type binding struct {
	of string // end of its name
	at int64
}

// bindings returns the bindings of a request, the oldest first. A cookie with
// such a name and an invalid value counts as the oldest.
func (s Sessions) bindings(r *http.Request) (all []binding) {
	for _, c := range r.Cookies() {
		of, ok := strings.CutPrefix(c.Name, s.name(journeyCookie, "")+"_")
		if !ok || slices.ContainsFunc(all, func(b binding) bool { return b.of == of }) {
			continue
		}
		at, _ := parseBinding(s.read(r, journeyCookie, of))
		all = append(all, binding{of, at})
	}
	slices.SortStableFunc(all, func(a, b binding) int { return cmp.Compare(a.at, b.at) })
	return all
}
