package saml

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/beevik/etree"
	"github.com/crewjam/saml"

	"github.com/latchkey-id/latchkey/idp"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/signingkey"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/web"
	"github.com/latchkey-id/latchkey/templates"
)

// assertionLifetime is the time within which an assertion must be delivered.
const assertionLifetime = 5 * time.Minute

// A payload is what must be stored of a request until it is answered.
type payload struct {
	ID         string  `json:"id"`
	ACS        string  `json:"acs"`
	RelayState string  `json:"relay_state,omitempty"`
	Format     string  `json:"format"`            // NameID format of the answer
	Subject    *nameID `json:"subject,omitempty"` // who must log in, according to the application
}

// A status is the result of a request: a top-level code and a second-level code (SAML core, section
// 3.2.2.2).
type status struct{ code, detail string }

// refusals are the statuses of refused logins.
var refusals = map[idp.Refusal]status{
	idp.LoginRequired: {saml.StatusResponder, saml.StatusNoPassive},
	idp.ContextUnmet:  {saml.StatusResponder, saml.StatusNoAuthnContext},
	idp.AccessDenied:  {saml.StatusResponder, saml.StatusRequestDenied},
	idp.Cancelled:     {saml.StatusResponder, saml.StatusAuthnFailed},
	idp.Failed:        {saml.StatusResponder, saml.StatusAuthnFailed},
}

// Origin implements idp.Protocol.
func (f *Face) Origin(raw json.RawMessage) string {
	var p payload
	if json.Unmarshal(raw, &p) != nil {
		return ""
	}
	return origin(p.ACS)
}

// Grant implements idp.Protocol. It writes everything that must be stored. The signatures are made
// after the commit, because they take longer than the transaction and other writers wait for it.
func (f *Face) Grant(ctx context.Context, tx *store.Tx, l idp.Login) (idp.Reply, error) {
	p, sp, err := f.recall(l.Application, l.Payload)
	if err != nil {
		return nil, err
	}
	n, err := f.named(ctx, tx, l, p.Format)
	if err != nil {
		return nil, err
	}
	if n.Value == "" {
		return f.refusal(l.Tenant, l.Application, p, status{saml.StatusRequester, saml.StatusInvalidNameIDPolicy}), nil
	}
	if !n.is(p.Subject) {
		return f.refusal(l.Tenant, l.Application, p, status{saml.StatusResponder, saml.StatusUnknownPrincipal}), nil
	}
	subject, err := json.Marshal(n)
	if err != nil {
		return nil, err
	}
	joined, err := tx.Sessions().Join(ctx, l.Tenant.ID, identity.SessionApplication{Session: l.Session.ID, Application: l.Application.ID,
		Protocol: identity.SAML, Index: "_" + identity.NewSecret(), Subject: string(subject)})
	if err != nil {
		return nil, err
	}
	return f.reply(l.Tenant, l.Application, p, status{saml.StatusSuccess, ""}, func(now time.Time) *etree.Element {
		return f.assertion(sp, l, p, n, joined.Index, now)
	}), nil
}

// Refuse implements idp.Protocol.
func (f *Face) Refuse(_ context.Context, t identity.Tenant, app identity.Application, raw json.RawMessage, why idp.Refusal) (idp.Reply, error) {
	p, _, err := f.recall(app, raw)
	if err != nil {
		return nil, err
	}
	s, ok := refusals[why]
	if !ok {
		s = refusals[idp.Failed]
	}
	return f.refusal(t, app, p, s), nil
}

// recall reads the stored payload of a request. If the address of the answer no longer belongs to the
// application, it returns an error.
func (f *Face) recall(app identity.Application, raw json.RawMessage) (payload, *provider, error) {
	var p payload
	if err := json.Unmarshal(raw, &p); err != nil {
		return p, nil, fmt.Errorf("saml: request to %s: %w", app.ID, err)
	}
	if err := f.current(app); err != nil {
		return p, nil, err
	}
	sp, err := readProvider(app)
	if err != nil {
		return p, nil, err
	}
	for _, e := range sp.Endpoints {
		if e.URL == p.ACS && app.DisabledAt.IsZero() {
			return p, sp, nil
		}
	}
	return p, nil, &identity.Error{Kind: identity.Invalid, Key: "error.application.unknown",
		Err: fmt.Errorf("saml: %s is disabled, or %q is no longer its address", app.ID, p.ACS)}
}

// refusal returns a reply without an assertion.
func (f *Face) refusal(t identity.Tenant, app identity.Application, p payload, s status) idp.Reply {
	return f.reply(t, app, p, s, nil)
}

// reply posts a signed response through the browser, with a signed assertion if asserted is not nil.
// Both are signed, because some applications only check the one and others only the other.
func (f *Face) reply(t identity.Tenant, app identity.Application, p payload, s status, asserted func(now time.Time) *etree.Element) idp.Reply {
	return func(w http.ResponseWriter, r *http.Request) error {
		key, err := f.idp.Keys.Newest(r.Context(), t.ID, identity.SAML, signingkey.RS256)
		if err != nil {
			return err
		}
		now := f.idp.DB.Now()
		response := f.response(t, p, s, now)
		if asserted != nil {
			a := asserted(now)
			if err := sign(a, key, 1); err != nil {
				return err
			}
			response.AddChild(a)
		}
		if err := sign(response, key, 1); err != nil {
			return err
		}
		doc, err := write(response)
		if err != nil {
			return err
		}
		fields := []templates.Field{{Name: "SAMLResponse", Value: base64.StdEncoding.EncodeToString(doc)}}
		if p.RelayState != "" {
			fields = append(fields, templates.Field{Name: "RelayState", Value: p.RelayState})
		}
		page := templates.Page{L: f.idp.Site.Printer(r, "", "", t.Language), Tenant: web.Brand(t),
			Body: templates.AutoPost{Application: app.Name, To: p.ACS, Fields: fields, Refused: s.code != saml.StatusSuccess}}
		return f.idp.Site.Render(w, r, http.StatusOK, page, origin(p.ACS))
	}
}

// instant formats a time as SAML requires: UTC, with a precision of one second.
func instant(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// response returns a Response element (SAML core, section 3.3.3).
func (f *Face) response(t identity.Tenant, p payload, s status, now time.Time) *etree.Element {
	e := etree.NewElement("samlp:Response")
	e.CreateAttr("xmlns:samlp", protocolNS)
	e.CreateAttr("xmlns:saml", assertionNS)
	e.CreateAttr("ID", "_"+identity.NewSecret())
	e.CreateAttr("Version", "2.0")
	e.CreateAttr("IssueInstant", instant(now))
	e.CreateAttr("Destination", p.ACS)
	e.CreateAttr("InResponseTo", p.ID)
	say(e, "saml:Issuer", f.entityID(t))
	code := add(add(e, "samlp:Status"), "samlp:StatusCode", "Value", s.code)
	if s.detail != "" {
		add(code, "samlp:StatusCode", "Value", s.detail)
	}
	return e
}

// assertion returns an Assertion: who logged in, how and when, for one application at one address and
// for a few minutes (SAML profiles, section 4.1.4.2).
func (f *Face) assertion(sp *provider, l idp.Login, p payload, n nameID, index string, now time.Time) *etree.Element {
	until := instant(now.Add(assertionLifetime))
	e := etree.NewElement("saml:Assertion")
	e.CreateAttr("xmlns:saml", assertionNS)
	e.CreateAttr("ID", "_"+identity.NewSecret())
	e.CreateAttr("Version", "2.0")
	e.CreateAttr("IssueInstant", instant(now))
	say(e, "saml:Issuer", f.entityID(l.Tenant))

	subject := add(e, "saml:Subject")
	say(subject, "saml:NameID", n.Value, "Format", n.Format, "NameQualifier", n.NameQualifier, "SPNameQualifier", n.SPNameQualifier)
	confirmation := add(subject, "saml:SubjectConfirmation", "Method", "urn:oasis:names:tc:SAML:2.0:cm:bearer")
	add(confirmation, "saml:SubjectConfirmationData", "InResponseTo", p.ID, "NotOnOrAfter", until, "Recipient", p.ACS)

	conditions := add(e, "saml:Conditions", "NotBefore", instant(now.Add(-f.Skew)), "NotOnOrAfter", until)
	say(add(conditions, "saml:AudienceRestriction"), "saml:Audience", l.Application.Identifier)

	authn := add(e, "saml:AuthnStatement", "AuthnInstant", instant(l.AuthTime), "SessionIndex", index,
		"SessionNotOnOrAfter", instant(l.Session.ExpiresAt))
	say(add(authn, "saml:AuthnContext"), "saml:AuthnContextClassRef", l.ACR)

	var statement *etree.Element
	for _, a := range sp.Attributes {
		values := values(l, a.From)
		if len(values) == 0 {
			continue
		}
		if statement == nil { // the schema does not allow an empty one
			statement = add(e, "saml:AttributeStatement")
		}
		told := add(statement, "saml:Attribute", "FriendlyName", a.Friendly, "Name", a.Name,
			"NameFormat", "urn:oasis:names:tc:SAML:2.0:attrname-format:uri")
		for _, v := range values {
			say(told, "saml:AttributeValue", v)
		}
	}
	return e
}

// origin returns the origin of an address, for a Content-Security-Policy.
func origin(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}
