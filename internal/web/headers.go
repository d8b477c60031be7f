package web

import (
	"net/http"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// Headers sets on every response what keeps a browser from being turned
// against its user (QLT-4): nothing from elsewhere, no framing, no referrer,
// no guessing of types, nothing kept. Pages replace the policy by their own.
func (s *Site) Headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		setPolicy(h, "")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=()")
		h.Set("Cache-Control", "no-store")
		if s.Secure() {
			h.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
		}
		next.ServeHTTP(w, r)
	})
}

func setPolicy(h http.Header, formAction string) {
	if formAction != "" {
		formAction = " " + formAction
	}
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "+
		"connect-src 'self'; manifest-src 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'; "+
		"require-trusted-types-for 'script'; form-action 'self'"+formAction)
}

// SameOrigin refuses writes that another site had a browser make (login CSRF
// among them). The protocols' own endpoints are cross-site by design and stand
// outside it; they only store a request and redirect.
func (s *Site) SameOrigin(next http.Handler) http.Handler {
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(s.Handle(func(http.ResponseWriter, *http.Request) error {
		return &identity.Error{Kind: identity.Forbidden, Key: "error.forbidden"}
	}))
	return guard.Handler(next)
}
