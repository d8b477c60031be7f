package web

import (
	"net/http"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// Headers sets the security headers of every response (QLT-4): no content from
// other origins, no framing, no referrer, no guessing of types, no caching.
// Pages replace the content policy by their own.
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

// SameOrigin refuses writes that another site caused a browser to make (CSRF,
// also of the login). The endpoints of the protocols are cross-site by design
// and not wrapped in it; they only store a request and redirect.
func (s *Site) SameOrigin(next http.Handler) http.Handler {
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(s.Handle(func(http.ResponseWriter, *http.Request) error {
		return &identity.Error{Kind: identity.Forbidden, Key: "error.forbidden"}
	}))
	return guard.Handler(next)
}
