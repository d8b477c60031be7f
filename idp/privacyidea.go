package idp

import (
	"errors"
	"html/template"
	"net/http"
	"slices"

	"github.com/latchkey-id/latchkey/enroll"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/push"
	"github.com/latchkey-id/latchkey/templates"
)

// silent reports whether a push goes to an app that does not ring. Without a
// proved password nothing tells what a user has (ENR-4).
func (s *sitting) silent() bool {
	return s.view.Journey.Proved() && slices.ContainsFunc(s.view.Authenticators, func(a identity.Authenticator) bool {
		return a.Protocol == identity.PiPush && push.Reaches(a, s.view.Rules.Platforms, s.view.Request.Request.Presence, s.now())
	})
}

// privacyIDEA is the page that brings an enrolment into the privacyIDEA
// Authenticator (PUSH-24): a QR code, and on what may be the phone that holds the
// app, a link that opens it. It waits as the page of an activation does, and goes
// on by itself.
func (s *sitting) privacyIDEA(r *http.Request, page *templates.Page) (templates.Body, error) {
	j := s.view.Journey
	shown, err := enroll.Shown(r.Context(), s.idp.DB.Reader, j)
	if err != nil && !errors.Is(err, identity.NotFound) {
		return nil, err
	}
	page.Stream = s.stream(page.Step)
	b := templates.EnrollPrivacyIDEA{Application: s.app.Name, Name: j.Name, Install: s.view.Rules.Platforms.Install(identity.PrivacyIDEA),
		Left: left(shown.ExpiresAt, s.now()), Over: shown.State != enroll.Waiting}
	if b.Over {
		return b, nil
	}
	link := shown.PrivacyIDEALink(s.idp.Site.Base.String(), s.tenant, s.view.User.Name, s.now())
	if slices.ContainsFunc(policy.Browsers(r.UserAgent(), r.Header.Get("Sec-CH-UA-Platform")), identity.Platform.Mobile) {
		b.Link = template.URL(link) //nolint:gosec // ours: otpauth is a scheme html/template does not know
	}
	b.QR, err = qr(link)
	return b, err
}
