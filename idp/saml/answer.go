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

// assertionLife is how long an assertion may be on its way.
const assertionLife = 5 * time.Minute

// A payload is what must be remembered of a request until it is answered.
type payload struct {
	ID         string  `json:"id"`
	ACS        string  `json:"acs"`
	RelayState string  `json:"relay_state,omitempty"`
	Format     string  `json:"format"`            // of the name to give
	Subject    *nameID `json:"subject,omitempty"` // who the application says it must be
}

// A status says how a request fared: a top-level code, and one below it (SAML
// core, section 3.2.2.2).
type status struct{ code, detail string }

// refusals are the statuses of logins that came to nothing.
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

// Grant implements idp.Protocol. What must be remembered is written here; the
// signatures are made after the commit, since they take longer than it does and
// writers wait for one another.
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

// recall reads what was remembered of a request. An address that is the
// application's no longer gets no answer.
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

// refusal is a reply without an assertion.
func (f *Face) refusal(t identity.Tenant, app identity.Application, p payload, s status) idp.Reply {
	return f.reply(t, app, p, s, nil)
}

// reply posts a signed response through the browser, with a signed assertion if
// there is something to assert. Both are signed because there are applications
// that look at the one only, and others that look at the other.
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

// instant says a time the way SAML wants it: UTC, and no finer than a second.
func instant(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// response is the envelope (SAML core, section 3.3.3).
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

// assertion says who logged in, how and when, to one application at one address
// for a few minutes (SAML profiles, section 4.1.4.2).
func (f *Face) assertion(sp *provider, l idp.Login, p payload, n nameID, index string, now time.Time) *etree.Element {
	until := instant(now.Add(assertionLife))
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

	conditions := add(e, "saml:Conditions", "NotBefore", instant(now.Add(-skew)), "NotOnOrAfter", until)
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
		if statement == nil { // the schema knows no empty one
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

// origin is where an address is, as a browser's policy names it.
func origin(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}
