package server

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/admin"
	"github.com/latchkey-id/latchkey/internal/samlsp"
	"github.com/latchkey-id/latchkey/internal/samlsp/samlsptest"
)

// What the configuration says of proxies and of clocks is gone by.
func TestSettingsAreGoneBy(t *testing.T) {
	c := found(t)
	c.TrustedProxies, c.ForwardedHeader, c.SAMLClockSkew = []string{"127.0.0.1", "::1"}, "Forwarded", "1m"
	s, _ := start(t, c)
	if !s.Site.UseForwarded {
		t.Error("the header of proxies is not the one that was set")
	}
	tenant, err := s.DB.TenantBySlug(t.Context(), "example")
	if err != nil {
		t.Fatal(err)
	}
	metadata, _ := samlsptest.Describe(t, samlsptest.Shape{EntityID: "https://sp.example/saml", Key: samlsptest.SharedKey()})
	app, err := samlsp.ApplicationFromMetadata([]byte(metadata), "Payroll")
	if err == nil {
		_, err = admin.AddApplication(t.Context(), s.DB, operator, tenant.ID, app)
	}
	if err != nil {
		t.Fatal(err)
	}
	for ahead, want := range map[time.Duration]int{30 * time.Second: http.StatusSeeOther, 2 * time.Minute: http.StatusBadRequest} {
		request := `<samlp:AuthnRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_` + ahead.String() +
			`" Version="2.0" IssueInstant="` + time.Now().Add(ahead).UTC().Format("2006-01-02T15:04:05Z") + `"><saml:Issuer>https://sp.example/saml</saml:Issuer></samlp:AuthnRequest>`
		res, err := plain.PostForm(c.BaseURL+"/t/example/saml/sso", url.Values{"SAMLRequest": {base64.StdEncoding.EncodeToString([]byte(request))}})
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("a request %s ahead, where a minute is allowed: %d, want %d", ahead, res.StatusCode, want)
		}
	}
}
