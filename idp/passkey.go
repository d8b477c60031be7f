package idp

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"

	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/templates"
)

// passkeyRequest is what the page's script asks the browser for: the options of
// WebAuthn, section 5.5, as JSON, bytes in base64url.
func (s *sitting) passkeyRequest(ctx context.Context) (string, error) {
	challenge, err := journey.PasskeyChallenge(s.idp.DB.Reader, s.view.Journey)
	if err != nil {
		return "", err
	}
	held, err := s.idp.Engine.PasskeysToSign(ctx, s.view)
	if err != nil {
		return "", err
	}
	options := templates.PasskeyRequest{Challenge: challenge, RPID: authenticator.PartyAt(s.idp.Site.Base).ID, UserVerification: "preferred", Timeout: 120_000}
	if s.view.AsksVerified() {
		options.UserVerification = "required"
	}
	for _, p := range held {
		options.Allow = append(options.Allow, templates.PasskeyCredential{ID: base64.RawURLEncoding.EncodeToString(p.Credential), Type: "public-key", Transports: p.Transports})
	}
	text, err := json.Marshal(options)
	return string(text), err
}

// passkey takes what the browser had signed.
func (s *sitting) passkey(r *http.Request, visit journey.Visit) (*journey.View, error) {
	return s.idp.Engine.Passkey(r.Context(), visit, s.view, journey.Signed{Party: authenticator.PartyAt(s.idp.Site.Base), JSON: []byte(r.PostFormValue("signed"))})
}
