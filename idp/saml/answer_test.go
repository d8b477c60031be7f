package saml

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/crewjam/saml"

	"github.com/latchkey-id/latchkey/idp"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/samlsp"
	"github.com/latchkey-id/latchkey/internal/samlsp/samlsptest"
	"github.com/latchkey-id/latchkey/internal/signingkey"
	"github.com/latchkey-id/latchkey/internal/store"
)

var update = flag.Bool("update", false, "write the golden files anew")

// varying finds what differs from one answer to the next.
var varying = regexp.MustCompile(`_[a-z2-7]{52}|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ|[A-Za-z0-9+/=]{44,}|127\.0\.0\.1:\d+`)

// What we send is worth reading: the golden files are it, without what varies,
// an element a line.
func TestSAML1_Golden(t *testing.T) {
	h := one(t)
	h.User.DisplayName, h.groups = "Anna Berg", []identity.Group{{Name: "Nurses & Carers"}}
	p := h.add(samlsptest.Shape{Format: samlsp.Transient})
	granted, _ := h.post(p.request("", ""), "").response()
	refused, _ := h.post(p.request(`ProtocolBinding="urn:x"`, ""), "").response()
	for name, doc := range map[string]string{
		"response": string(granted),
		"refusal":  string(refused),
		"metadata": h.read(http.Get(h.base + "/saml/metadata")).body,
	} {
		got := varying.ReplaceAllStringFunc(doc, func(s string) string {
			switch {
			case s[0] == '_':
				return "_ID"
			case strings.Contains(s, "."):
				return "HOST"
			case strings.Contains(s, "-"):
				return "TIME"
			}
			return "BASE64"
		})
		got = strings.ReplaceAll(got, "><", ">\n<") + "\n"
		file := filepath.Join("testdata", name+".golden.xml")
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, want)
		}
	}
}

// Every way a login can come to nothing is told to the application, signed, as
// an answer to its request.
func TestSAML7_Refusals(t *testing.T) {
	h := one(t)
	p := h.add(samlsptest.Shape{})
	for why, want := range map[idp.Refusal]string{
		idp.LoginRequired: "Responder/NoPassive",
		idp.ContextUnmet:  "Responder/NoAuthnContext",
		idp.AccessDenied:  "Responder/RequestDenied",
		idp.Cancelled:     "Responder/AuthnFailed",
		idp.Failed:        "Responder/AuthnFailed",
		"something new":   "Responder/AuthnFailed",
	} {
		h.refuse = why
		a := h.post(p.requestAs("_"+identity.NewSecret(), "", ""), "state")
		to, fields := a.form()
		raw, r := a.response()
		if to != samlsptest.ACS || fields.Get("RelayState") != "state" || a.status() != want || r.Assertion != nil || r.InResponseTo == "" {
			t.Errorf("%s: %s to %s, want %s: %s", why, a.status(), to, want, raw)
		}
		if !strings.Contains(string(raw), "<ds:SignatureValue>") {
			t.Errorf("%s: not signed", why)
		}
		if strings.Contains(a.body, "You are signed in") || !strings.Contains(a.body, "Back to Payroll") {
			t.Errorf("%s: the page says otherwise", why)
		}
	}
}

func TestSAML3_Names(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		p, other := h.add(samlsptest.Shape{}), h.add(samlsptest.Shape{EntityID: "https://other.example/saml"})
		ask := func(p *party, format string) *saml.NameID {
			t.Helper()
			a := h.post(p.request("", `<samlp:NameIDPolicy Format="`+format+`" AllowCreate="true"/>`), "")
			_, r := a.response()
			if r.Assertion == nil {
				t.Fatalf("%s: %s", format, a.status())
			}
			return r.Assertion.Subject.NameID
		}
		persistent, again := ask(p, samlsp.Persistent), ask(p, samlsp.Persistent)
		if *persistent != *again || strings.Contains(persistent.Value, "anna") || strings.Contains(persistent.Value, h.User.ID) || len(persistent.Value) > 256 {
			t.Errorf("persistent %+v, then %+v", persistent, again)
		}
		if persistent.NameQualifier != h.base+"/saml/metadata" || persistent.SPNameQualifier != p.app.Identifier {
			t.Errorf("persistent %+v", persistent)
		}
		if ask(other, samlsp.Persistent).Value == persistent.Value {
			t.Error("two applications can tell that it is one person")
		}
		if one, two := ask(p, samlsp.Transient), ask(p, samlsp.Transient); one.Value == two.Value || one.Format != samlsp.Transient {
			t.Errorf("transient %+v, then %+v", one, two)
		}
		if n := ask(p, samlsp.EmailAddress); n.Value != h.User.Mail || n.Format != samlsp.EmailAddress {
			t.Errorf("mail %+v", n)
		}
		if n := ask(p, samlsp.Unspecified); n.Value != h.User.Name || n.Format != samlsp.Unspecified {
			t.Errorf("unspecified %+v", n)
		}
		h.User.Mail = ""
		if a := h.post(p.request("", `<samlp:NameIDPolicy Format="`+samlsp.EmailAddress+`"/>`), ""); a.status() != "Requester/InvalidNameIDPolicy" {
			t.Errorf("without a mail address: %s", a.status())
		}
	})
}

// What a session is logged in to is written with the login, under the index
// and the name that the assertion has: logout goes by them.
func TestSAML4_TheSessionKnows(t *testing.T) {
	h := one(t)
	p := h.add(samlsptest.Shape{Format: samlsp.Persistent})
	_, r := h.post(p.request("", ""), "").response()
	var j []identity.SessionApplication
	for a, err := range h.DB.Sessions().Applications(t.Context(), h.Tenant.ID, h.session) {
		if err != nil {
			t.Fatal(err)
		}
		j = append(j, a)
	}
	if len(j) != 1 || j[0].Index != r.Assertion.AuthnStatements[0].SessionIndex || j[0].Application != p.app.ID {
		t.Fatalf("joined %+v, asserted index %s", j, r.Assertion.AuthnStatements[0].SessionIndex)
	}
	var n nameID
	if err := json.Unmarshal([]byte(j[0].Subject), &n); err != nil || n.Value != r.Assertion.Subject.NameID.Value || n.Format != samlsp.Persistent {
		t.Errorf("subject %s, %v", j[0].Subject, err)
	}
}

// Between request and answer an application may have been disabled, or lost an
// address: neither gets an assertion (CVE-2026-2603).
func TestSAML2_WhatChangedMeanwhile(t *testing.T) {
	h := one(t)
	p := h.add(samlsptest.Shape{})
	raw, err := json.Marshal(payload{ID: "_1", ACS: samlsptest.ACS, Format: samlsp.Unspecified})
	if err != nil {
		t.Fatal(err)
	}
	disabled, moved, outdated := p.app, p.app, p.app
	outdated.ValidUntil = h.Clock.Now()
	disabled.DisabledAt = h.Clock.Now()
	moved.Config = []byte(strings.ReplaceAll(string(moved.Config), samlsptest.ACS, "https://sp.example/new"))
	for name, app := range map[string]identity.Application{"disabled": disabled, "moved": moved, "outdated": outdated} {
		h.Do(t, func(tx *store.Tx) error {
			if _, err := h.face.Grant(t.Context(), tx, idp.Login{Tenant: h.Tenant, Application: app, User: h.User, Payload: raw}); !errors.Is(err, identity.Invalid) {
				t.Errorf("%s: %v", name, err)
			}
			return nil
		})
		if _, err := h.face.Refuse(t.Context(), h.Tenant, app, raw, idp.Cancelled); !errors.Is(err, identity.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := h.face.Refuse(t.Context(), h.Tenant, p.app, []byte(`{`), idp.Cancelled); err == nil {
		t.Error("a payload that is none")
	}
}

// Metadata that has run out is not gone by: its keys and addresses may be
// somebody else's by now.
func TestSAML2_OutdatedMetadata(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		p := h.add(samlsptest.Shape{})
		limited := p.app
		limited.ValidUntil = h.Clock.Now().Add(time.Hour)
		h.Do(t, func(tx *store.Tx) error { return tx.Applications().Change(t.Context(), p.app, limited) })
		if a := h.post(p.request("", ""), ""); !a.granted() {
			t.Fatalf("within its time: %d %s", a.StatusCode, a.body)
		}
		h.Clock.Advance(time.Hour)
		before := h.session
		if a := h.post(p.request("", ""), ""); a.StatusCode != http.StatusBadRequest || !strings.Contains(a.body, "could not be renewed") {
			t.Errorf("after its time: %d %s, want a page that says so", a.StatusCode, a.body)
		}
		if h.session != before {
			t.Error("after its time: somebody had to log in before it was said")
		}
	})
}

func TestOrigin(t *testing.T) {
	f := New(nil)
	for address, want := range map[string]string{
		"https://sp.example/acs?x=1": "https://sp.example", "http://localhost:8080/acs": "http://localhost:8080", "": "", "/acs": "",
	} {
		raw, err := json.Marshal(payload{ACS: address})
		if err != nil {
			t.Fatal(err)
		}
		if got := f.Origin(raw); got != want {
			t.Errorf("Origin of %q = %q, want %q", address, got, want)
		}
	}
	if got := f.Origin([]byte(`[`)); got != "" {
		t.Errorf("Origin of nothing = %q", got)
	}
}

// The next key is in the metadata before it signs, and the last one while
// anybody may still have what it signed.
func TestSAML5_EveryPublishedKeyIsInTheMetadata(t *testing.T) {
	h := one(t)
	h.Do(t, func(tx *store.Tx) error { return signingkey.Make(t.Context(), tx, h.Tenant) })
	res := h.read(http.Get(h.base + "/saml/metadata"))
	var entity saml.EntityDescriptor
	if err := xml.Unmarshal([]byte(res.body), &entity); err != nil {
		t.Fatal(err)
	}
	if got := len(entity.IDPSSODescriptors[0].KeyDescriptors); got != 2 {
		t.Errorf("%d keys, want 2", got)
	}
	if res := h.read(http.Get(strings.Replace(h.base, "/demo", "/nobody", 1) + "/saml/metadata")); res.StatusCode != http.StatusNotFound {
		t.Errorf("metadata of no tenant: %d", res.StatusCode)
	}
}

// Applications of one tenant are unknown in another.
func TestTenantsAreApart(t *testing.T) {
	h := one(t)
	p := h.add(samlsptest.Shape{})
	other := identity.Tenant{ID: identity.NewID(identity.TenantID), Slug: "other", Name: "Other"}
	h.Do(t, func(tx *store.Tx) error {
		return errors.Join(tx.Tenants().Add(t.Context(), other), signingkey.Make(t.Context(), tx, other))
	})
	h.base = strings.Replace(h.base, "/demo", "/other", 1)
	if a := h.post(p.request("", ""), ""); a.StatusCode != http.StatusBadRequest || !strings.Contains(a.body, "not known") {
		t.Errorf("%d", a.StatusCode)
	}
}
