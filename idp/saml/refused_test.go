package saml

import (
	"crypto/rand"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/samlsp"
	"github.com/latchkey-id/latchkey/internal/samlsp/samlsptest"
	"github.com/latchkey-id/latchkey/internal/store"
)

// What an application asks for as the NameID's format, and what an operator says it gets.
func TestSAML3_FormatsByApplication(t *testing.T) {
	h := one(t)
	const wrong = "urn:oasis:names:tc:SAML:2.0:nameid-format:" // the two below exist as those of 1.1 alone
	for _, tt := range []struct{ forced, asked, want string }{
		{"", "", samlsp.Unspecified},
		{"", wrong + "emailAddress", samlsp.EmailAddress},
		{"", wrong + "unspecified", samlsp.Unspecified},
		{"", wrong + "kerberos", ""},
		{"", samlsp.Persistent, samlsp.Persistent},
		{samlsp.EmailAddress, "", samlsp.EmailAddress},
		{samlsp.EmailAddress, samlsp.Persistent, samlsp.EmailAddress},
		{samlsp.Persistent, wrong + "kerberos", samlsp.Persistent},
		{samlsp.Unspecified, "urn:oasis:names:tc:SAML:1.1:nameid-format:X509SubjectName", samlsp.Unspecified},
	} {
		p := h.add(samlsptest.Shape{EntityID: "https://" + strings.ToLower(rand.Text()[:8]) + ".example/saml"})
		app, err := samlsp.WithNameID(p.app, tt.forced)
		if err != nil {
			t.Fatal(err)
		}
		h.Do(t, func(tx *store.Tx) error { return tx.Applications().Change(t.Context(), p.app, app) })
		policy := ""
		if tt.asked != "" {
			policy = `<samlp:NameIDPolicy Format="` + tt.asked + `" AllowCreate="true"/>`
		}
		a := h.post(p.request("", policy), "")
		if tt.want == "" {
			if a.granted() || a.status() != "Requester/InvalidNameIDPolicy" {
				t.Errorf("forced %q, asked for %q: %s, want InvalidNameIDPolicy", tt.forced, tt.asked, a.status())
			}
			continue
		}
		if !a.granted() {
			t.Errorf("forced %q, asked for %q: refused, %d: %s", tt.forced, tt.asked, a.StatusCode, h.log.tear())
			continue
		}
		if _, r := a.response(); r.Assertion.Subject.NameID.Format != tt.want || r.Assertion.Subject.NameID.Value == "" {
			t.Errorf("forced %q, asked for %q: got %+v, want %q", tt.forced, tt.asked, r.Assertion.Subject.NameID, tt.want)
		}
	}
}

// An application's clock may differ by as much as the setting says, either way, and not by more.
func TestSAML6_ClockSkew(t *testing.T) {
	h := one(t)
	p := h.add(samlsptest.Shape{})
	for _, skew := range []time.Duration{0, time.Minute, MaxSkew} {
		h.face.Skew = skew
		for _, tt := range []struct {
			off  time.Duration
			good bool
		}{{skew, true}, {skew + time.Second, false}, {-maxAge - skew, true}, {-maxAge - skew - time.Second, false}} {
			a := h.post(p.request(`IssueInstant="`+h.Clock.Now().Add(tt.off).Format("2006-01-02T15:04:05Z")+`"`, ""), "")
			if a.granted() != tt.good {
				t.Errorf("skew %s, issued at %s: granted %v, want %v", skew, tt.off, a.granted(), tt.good)
				continue
			}
			if !tt.good {
				continue
			}
			_, r := a.response()
			c, now := r.Assertion.Conditions, h.Clock.Now().Truncate(time.Second)
			if !c.NotBefore.Equal(now.Add(-skew)) || !c.NotOnOrAfter.Equal(now.Add(assertionLifetime)) {
				t.Errorf("skew %s: good from %s to %s at %s", skew, c.NotBefore, c.NotOnOrAfter, now)
			}
		}
	}
	// A request is not forgotten while it could be sent again.
	h.face.Skew = MaxSkew
	doc := p.request(`IssueInstant="`+h.Clock.Now().Add(MaxSkew).Format("2006-01-02T15:04:05Z")+`"`, "")
	if a := h.post(doc, ""); !a.granted() {
		t.Fatalf("refused: %s", h.log.tear())
	}
	h.Clock.Advance(maxAge + 2*MaxSkew - time.Second)
	h.Do(t, func(tx *store.Tx) error {
		_, err := tx.Sweep(t.Context())
		return err
	})
	if a := h.post(doc, ""); a.StatusCode != http.StatusGone {
		t.Errorf("sent again at the last moment: %d, want 410", a.StatusCode)
	}
}

// Why a request was refused stands in the log, and with the application for the operator: the last of each reason,
// and how many there were. A flood of them is one write in ten seconds.
func TestSAML7_WhyRequestsWereRefused(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		p := h.add(samlsptest.Shape{EntityID: "https://signs.example/saml", Signs: true})
		plain := h.add(samlsptest.Shape{})
		refused := func(p *party) map[string]store.RefusedRequests {
			t.Helper()
			all := make(map[string]store.RefusedRequests)
			for r, err := range h.DB.Applications().Refused(t.Context(), h.Tenant.ID, p.app.ID) {
				if err != nil {
					t.Fatal(err)
				}
				all[r.Reason] = r
			}
			return all
		}
		at := func(d time.Duration) string {
			return `IssueInstant="` + h.Clock.Now().Add(d).Format("2006-01-02T15:04:05Z") + `"`
		}
		sha1 := strings.Replace(p.query(p.request("", ""), "", rsaSHA256), "rsa-sha256", "rsa-sha1", 1)
		for _, tt := range []struct {
			p      *party
			send   func() answer
			reason string
			detail string
		}{
			{p, func() answer { return h.redirect(sha1) }, "algorithm", "SHA-1"},
			{p, func() answer { return h.redirect(p.query(p.request("", ""), "", "")) }, "signature", "not signed"},
			{plain, func() answer { return h.post(plain.craft(craft{digest: "http://www.w3.org/2000/09/xmldsig#sha1"}), "") }, "algorithm", "SHA-1"},
			{plain, func() answer { return h.post(plain.request(`Destination="http://other.example/sso"`, ""), "") }, "destination", "http://other.example/sso"},
			{plain, func() answer { return h.post(plain.request(at(time.Hour), ""), "") }, "time", "in the future"},
			{plain, func() answer { return h.post(plain.request(at(-time.Hour), ""), "") }, "time", "ago"},
			{plain, func() answer {
				return h.post(plain.request(`AssertionConsumerServiceURL="https://sp.example/x"`, ""), "")
			}, "address", "https://sp.example/x"},
			{plain, func() answer { return h.post(plain.request("", `<samlp:NameIDPolicy Format="urn:x"/>`), "") }, "name-id", "urn:x"},
			{plain, func() answer { return h.post(plain.request(`ProtocolBinding="urn:soap"`, ""), "") }, "request", "urn:soap"},
		} {
			h.Clock.Advance(11 * time.Second)
			h.log.tear()
			if a := tt.send(); a.granted() {
				t.Errorf("%s: granted", tt.reason)
			}
			log := h.log.tear()
			if !strings.Contains(unquoted(log), tt.detail) || !strings.Contains(log, tt.p.app.ID) {
				t.Errorf("%s: the log does not say %q of %s: %s", tt.reason, tt.detail, tt.p.app.ID, log)
			}
			if got := refused(tt.p)[tt.reason]; !strings.Contains(got.Detail, tt.detail) || !got.Last.Equal(h.Clock.Now().Truncate(time.Second)) {
				t.Errorf("%s: %+v, want %q now", tt.reason, got, tt.detail)
			}
		}
		if n := refused(plain)["time"].Count; n != 2 {
			t.Errorf("%d refused for their time, want 2", n)
		}
		h.Clock.Advance(11 * time.Second)
		for range 50 {
			h.post(plain.request(at(time.Hour), ""), "")
		}
		if n := refused(plain)["time"].Count; n != 3 {
			t.Errorf("%d after a flood, want 3: one write", n)
		}
		h.Clock.Advance(11 * time.Second)
		h.post(plain.request(at(time.Hour), ""), "")
		if n := refused(plain)["time"].Count; n != 53 {
			t.Errorf("%d after it, want 53: none is forgotten", n)
		}
		if got := refused(p); len(got) != 2 {
			t.Errorf("another application's: %+v", got)
		}
		h.Do(t, func(tx *store.Tx) error { return tx.Applications().Remove(t.Context(), h.Tenant.ID, plain.app.ID) })
		if got := refused(plain); len(got) != 0 {
			t.Errorf("after it was removed: %+v", got)
		}
	})
}
