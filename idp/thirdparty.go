package idp

import (
	"context"
	"html/template"
	"net/http"
	"slices"

	"github.com/latchkey-id/latchkey/enroll"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/templates"
)

// thirdParty is the page that brings a secret into another vendor's app
// (ENR-12): a QR code, and on what may be a phone or a tablet, which may hold the
// app itself and cannot scan its own screen, a link that opens it.
func (s *sitting) thirdParty(r *http.Request) (templates.Body, error) {
	j := s.view.Journey
	shown, err := enroll.ShownThirdParty(r.Context(), s.idp.DB.Reader, j)
	if err != nil {
		return nil, err
	}
	b := templates.EnrollThirdParty{Application: s.app.Name, Name: j.Name, Over: shown.Secret == nil, Typed: r.PostFormValue("passcode")}
	if b.Over {
		return b, nil
	}
	link := shown.Link(s.tenant.OrganisationName(), s.view.User.Name)
	b.Secret, b.Left = shown.Typed(), left(shown.ExpiresAt, s.now())
	if slices.ContainsFunc(policy.Browsers(r.UserAgent(), r.Header.Get("Sec-CH-UA-Platform")), identity.Platform.Mobile) {
		b.Link = template.URL(link) //nolint:gosec // ours: otpauth is a scheme html/template does not know
	}
	b.QR, err = qr(link)
	return b, err
}

func (s *sitting) renewThirdParty(ctx context.Context, visit journey.Visit) (*journey.View, error) {
	return s.enrollment(ctx, visit, func(tx *store.Tx, j *identity.Journey, rules enroll.Rules) error {
		return enroll.IssueThirdParty(ctx, tx, j, s.view.User, rules, s.l.Lang())
	}, journey.EnrollThirdParty)
}

// confirmThirdParty takes the passcode that proves that the app is set up.
func (s *sitting) confirmThirdParty(ctx context.Context, visit journey.Visit, typed string) (*journey.View, error) {
	return s.enrollment(ctx, visit, func(tx *store.Tx, j *identity.Journey, _ enroll.Rules) error {
		problem, err := enroll.ConfirmThirdParty(ctx, tx, j, s.view.User, typed, s.l.T("enroll.third.name"))
		if problem != "" {
			j.Notice = problem
		}
		return err
	}, journey.EnrollThirdParty)
}
