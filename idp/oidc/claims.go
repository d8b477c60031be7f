package oidc

import (
	"encoding/json"
	"net/url"
	"slices"

	"github.com/latchkey-id/latchkey/internal/journey"
)

// A requestedClaim is what a request may say of one claim (OpenID Connect Core,
// section 5.5.1).
type requestedClaim struct {
	Essential bool     `json:"essential"`
	Value     string   `json:"value"`
	Values    []string `json:"values"`
}

// contexts reads which authentication contexts a request wants: acr_values, or
// the acr of the claims parameter. That is read and nothing else of it, since
// every other claim of an ID token is in it anyway or is not given there.
//
// By the letter acr_values, and an acr that is not essential, are wishes, and an
// answer that does not fulfil them is one too. Whoever asks for a second factor and
// overlooks in the answer that there was none, is worse off than with an error:
// so both must be reached (section 5.5.1.1).
func contexts(form url.Values, want *journey.Request, acrValues []string) *fault {
	want.ACR = acrValues
	given := form.Get("claims")
	if given == "" {
		return nil
	}
	var claims struct {
		IDToken struct {
			ACR *requestedClaim `json:"acr"`
		} `json:"id_token"`
	}
	if len(given) > maxEcho || json.Unmarshal([]byte(given), &claims) != nil {
		return invalid("claims must be a JSON object of no more than %d bytes", maxEcho)
	}
	acr := claims.IDToken.ACR
	if acr == nil {
		return nil
	}
	values := acr.Values
	if acr.Value != "" {
		values = append([]string{acr.Value}, values...)
	}
	if len(values) == 0 {
		return nil // that there is one is all that is asked
	}
	if len(acrValues) > 0 && !acr.Essential {
		return nil // of two wishes the plainer
	}
	want.ACR = slices.Clone(values)
	return nil
}
