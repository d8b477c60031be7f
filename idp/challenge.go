package idp

import (
	"context"
	"net/http"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/templates"
)

// challenge is the page that shows a challenge and asks for the response to it.
func (s *sitting) challenge(page *templates.Page) templates.Challenge {
	j := s.view.Journey
	if j.Method == "" && j.Enroll == identity.EnrollScan {
		page.Notice = "notice.enrolled"
	}
	return templates.Challenge{Application: s.app.Name, Name: j.Name, Digits: s.view.Challenge.Digits, Only: j.Method == "", Recovery: s.recoveryOffered()}
}

// respond takes the response, or gives another challenge in place of one that
// expired.
func (s *sitting) respond(ctx context.Context, r *http.Request, visit journey.Visit) (*journey.View, error) {
	if r.PostFormValue("do") == "new" {
		return s.idp.Engine.NewChallenge(ctx, visit, s.view)
	}
	return s.idp.Engine.Response(ctx, visit, s.view, r.PostFormValue("response"))
}
