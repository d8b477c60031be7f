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

// A browser holds the bindings of at most this many journeys, of all tenants
// together: the cookies of more would not fit into a request's header.
const maxBindings = 10

// bindingLife is longer than any journey lives, so that who comes back late is
// still told how it ended.
const bindingLife = 24 * time.Hour

// Bind binds a journey to the browser by a cookie of the journey's own, so that
// of two begun at once neither takes the other's. secret is the one whose hash
// the journey's row keeps. Where the browser has the bindings of ten journeys
// already, the oldest goes.
func (s Sessions) Bind(w http.ResponseWriter, r *http.Request, t identity.Tenant, journey, secret string) error {
	held := s.bindings(r)
	for len(held) >= maxBindings {
		if err := s.drop(w, r, journeyCookie, held[0].of); err != nil {
			return err
		}
		held = held[1:]
	}
	value := strconv.FormatInt(time.Now().UnixMilli(), 10) + "." + secret
	return s.write(w, r, journeyCookie, bindingOf(t, journey), value, int(bindingLife/time.Second))
}

// Binding returns the secret by which the browser is bound to a journey; empty
// without one. [identity.Journey.BoundBy] says whether it is the right one.
func (s Sessions) Binding(r *http.Request, t identity.Tenant, journey string) string {
	_, secret := parseBinding(s.read(r, journeyCookie, bindingOf(t, journey)))
	return secret
}

// Unbind takes a journey's cookie from the browser, if it brought one.
func (s Sessions) Unbind(w http.ResponseWriter, r *http.Request, t identity.Tenant, journey string) error {
	if _, err := r.Cookie(s.name(journeyCookie, bindingOf(t, journey))); err != nil {
		return nil // it has none
	}
	return s.drop(w, r, journeyCookie, bindingOf(t, journey))
}

// bindingOf is what the name of a journey's cookie ends with.
func bindingOf(t identity.Tenant, journey string) string { return t.Slug + "_" + journey }

// parseBinding reads the value of a journey's cookie: when it was set, in unix
// milliseconds, and the secret. Of what is neither, both are zero.
func parseBinding(value string) (at int64, secret string) {
	digits, secret, _ := strings.Cut(value, ".")
	at, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || !identity.IsSecret(secret) {
		return 0, ""
	}
	return at, secret
}

// A binding is a journey's cookie that a request brought.
type binding struct {
	of string // what its name ends with
	at int64
}

// bindings returns those a request brought, the oldest first. What has such a
// name and is none counts as the oldest of all.
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
