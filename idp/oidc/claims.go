package oidc

import (
	"encoding/json"
	"net/url"
	"slices"

	"github.com/latchkey-id/latchkey/internal/journey"
)

// A requestedClaim is the request for one claim (OpenID Connect Core, section 5.5.1).
type requestedClaim struct {
	Essential bool     `json:"essential"`
	Value     string   `json:"value"`
	Values    []string `json:"values"`
}

// contexts reads the requested authentication contexts: acr_values, or the acr of the claims parameter. It
// ignores all other claims, because they are in the ID token anyway or not available there.
//
// According to the standard, acr_values and an acr that is not essential are only wishes, and the answer may
// not fulfil them. An application that asks for a second factor and overlooks in the answer that there was
// none is worse off than with an error. Therefore both are required (section 5.5.1.1).
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
		return nil // only the presence of the claim is requested
	}
	if len(acrValues) > 0 && !acr.Essential {
		return nil // of two wishes, the simpler one is used
	}
	want.ACR = slices.Clone(values)
	return nil
}
