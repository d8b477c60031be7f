package saml

import (
	"errors"
	"strings"
	"testing"

	crewjam "github.com/crewjam/saml"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/samlsp/samlsptest"
)

// The application is found by the Issuer of the message as it came; what the
// signature covers is read anew, and must name the same application. Here they
// differ, as they would where two readings of one document do (SAML-6).
func TestSAML6_TheSignedIssuerIsTheApplication(t *testing.T) {
	h := one(t)
	app, other := h.add(samlsptest.Shape{Signs: true}).app, "https://other.example/saml"
	for _, tt := range []struct {
		name   string
		change func(req *authnRequest)
		cause  string // empty: accepted
	}{
		{"good", func(*authnRequest) {}, ""},
		{"another application's name", func(req *authnRequest) { req.Issuer.Value = other }, `signed by "` + other + `", sent as "` + app.Identifier + `"`},
		{"no name", func(req *authnRequest) { req.Issuer.Value = "" }, `signed by "", sent as`},
		{"the name in capitals", func(req *authnRequest) { req.Issuer.Value = strings.ToUpper(app.Identifier) }, "signed by"},
		{"the name and more", func(req *authnRequest) { req.Issuer.Value += "/" }, "signed by"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req := &authnRequest{ID: "_a", Version: "2.0", IssueInstant: crewjam.RelaxedTime(h.Clock.Now()), Destination: h.base + "/saml/sso",
				Issuer: name{Value: app.Identifier}}
			tt.change(req)
			for _, hasSignature := range []bool{true, false} {
				err := h.face.check(h.Tenant, app, req, hasSignature)
				if (err == nil) != (tt.cause == "") || err != nil && !strings.Contains(err.Error(), tt.cause) {
					t.Errorf("signed %v: %v, want cause %q", hasSignature, err, tt.cause)
				}
				if err != nil && !errors.Is(err, identity.Invalid) {
					t.Errorf("signed %v: %v is no Invalid", hasSignature, err)
				}
			}
		})
	}
}

// An application cannot ask in the name of another, by either binding: its
// signature is looked for among the other's keys.
func TestSAML2_NoApplicationAsksAsAnother(t *testing.T) {
	h := one(t)
	p := h.add(samlsptest.Shape{Signs: true})
	victim := h.add(samlsptest.Shape{EntityID: "https://other.example/saml", Signs: true, Key: newRSA(t)})
	for _, tt := range []struct {
		name string
		from *party
		want bool
	}{
		{"itself", p, true},
		{"the other itself", victim, true},
		{"in the other's name", &party{fixture: h, app: victim.app, acs: p.acs, key: p.key, cert: p.cert}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for binding, a := range map[string]answer{
				"POST":     h.post(tt.from.sign(tt.from.request("", "")), ""),
				"Redirect": h.redirect(tt.from.query(tt.from.request("", ""), "", rsaSHA256)),
			} {
				if a.granted() != tt.want {
					t.Errorf("by %s: granted %v, want %v", binding, a.granted(), tt.want)
				}
			}
		})
	}
}
