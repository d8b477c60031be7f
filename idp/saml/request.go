package saml

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/beevik/etree"
	"github.com/crewjam/saml"

	"github.com/latchkey-id/latchkey/idp"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/internal/samlsp"
	"github.com/latchkey-id/latchkey/internal/strictxml"
)

// maxAge is the maximum age of a request.
const maxAge = 5 * time.Minute

// An authnRequest has the parts of a request that are used (SAML core, section 3.4.1).
type authnRequest struct {
	XMLName         xml.Name          `xml:"urn:oasis:names:tc:SAML:2.0:protocol AuthnRequest"`
	ID              string            `xml:",attr"`
	Version         string            `xml:",attr"`
	IssueInstant    saml.RelaxedTime  `xml:",attr"`
	Destination     string            `xml:",attr"`
	ForceAuthn      bool              `xml:",attr"`
	IsPassive       bool              `xml:",attr"`
	ProtocolBinding string            `xml:",attr"`
	ACSIndex        *uint16           `xml:"AssertionConsumerServiceIndex,attr"`
	ACSURL          string            `xml:"AssertionConsumerServiceURL,attr"`
	Issuer          name              `xml:"urn:oasis:names:tc:SAML:2.0:assertion Issuer"`
	Subject         *requestedSubject `xml:"urn:oasis:names:tc:SAML:2.0:assertion Subject"`
	NameIDPolicy    struct {
		Format          string `xml:",attr"`
		SPNameQualifier string `xml:",attr"`
	} `xml:"urn:oasis:names:tc:SAML:2.0:protocol NameIDPolicy"`
	Context *requestedContext `xml:"urn:oasis:names:tc:SAML:2.0:protocol RequestedAuthnContext"`
}

// A name is an Issuer or a NameID.
type name struct {
	Format string `xml:",attr"`
	Value  string `xml:",chardata"`
}

// A requestedSubject says who must log in.
type requestedSubject struct {
	NameID        *name     `xml:"urn:oasis:names:tc:SAML:2.0:assertion NameID"`
	BaseID        *struct{} `xml:"urn:oasis:names:tc:SAML:2.0:assertion BaseID"`
	EncryptedID   *struct{} `xml:"urn:oasis:names:tc:SAML:2.0:assertion EncryptedID"`
	Confirmations []struct {
		Method string `xml:",attr"`
	} `xml:"urn:oasis:names:tc:SAML:2.0:assertion SubjectConfirmation"`
}

// A requestedContext has the requested authentication contexts (SAML core, section 3.3.2.2.1).
type requestedContext struct {
	Comparison string   `xml:",attr"`
	Classes    []string `xml:"urn:oasis:names:tc:SAML:2.0:assertion AuthnContextClassRef"`
}

// parts are the children that a request may have, each at most once.
var parts = map[string]string{
	"Issuer": assertionNS, "Signature": signatureNS, "Extensions": protocolNS, "Subject": assertionNS, "NameIDPolicy": protocolNS,
	"Conditions": assertionNS, "RequestedAuthnContext": protocolNS, "Scoping": protocolNS,
}

// parse reads a request. The returned tree is only for verifying its signature.
func parse(doc []byte) (*authnRequest, *etree.Element, error) {
	if err := strictxml.CheckMessage(doc); err != nil {
		return nil, nil, unacceptable("request: %w", err)
	}
	tree := etree.NewDocument()
	if err := tree.ReadFromBytes(doc); err != nil {
		return nil, nil, unacceptable("request: %w", err)
	}
	root := tree.Root()
	seen := make(map[string]bool)
	for _, child := range root.ChildElements() {
		if ns, known := parts[child.Tag]; !known || child.NamespaceURI() != ns || seen[child.Tag] {
			return nil, nil, unacceptable("request: a %q it may not have, or twice", child.Tag)
		}
		seen[child.Tag] = true
	}
	req := new(authnRequest)
	if err := xml.Unmarshal(doc, req); err != nil {
		return nil, nil, unacceptable("request: %w", err)
	}
	req.Issuer.Value = strings.TrimSpace(req.Issuer.Value)
	if f := req.Issuer.Format; f != "" && f != "urn:oasis:names:tc:SAML:2.0:nameid-format:entity" {
		return nil, nil, unacceptable("request: issuer of format %q", f)
	}
	return req, root, nil
}

// sso handles an authentication request.
func (f *Face) sso(w http.ResponseWriter, r *http.Request) error {
	if r.Method == http.MethodHead { // must not use up the request
		w.Header().Set("Allow", "GET, POST")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return nil
	}
	t, err := f.idp.Site.Tenant(r)
	if err != nil {
		return err
	}
	m, err := receive(w, r)
	if err != nil {
		return err
	}
	req, root, err := parse(m.xml)
	if err != nil {
		return err
	}
	app, err := f.idp.DB.Applications().ByIdentifier(r.Context(), t.ID, identity.SAML, req.Issuer.Value)
	if errors.Is(err, identity.NotFound) {
		return &identity.Error{Kind: identity.Invalid, Key: "error.application.unknown", Err: err}
	}
	if err != nil {
		return err
	}
	err = f.answer(w, r, t, app, m, req, root)
	if refused, ok := refusalOf(app, err); ok {
		f.idp.RecordRefusal(r.Context(), refused)
		err = fmt.Errorf("%s (%s): %w", app.Name, app.ID, err)
	}
	return err
}

// answer answers a request of an application, of which nothing else is verified yet.
func (f *Face) answer(w http.ResponseWriter, r *http.Request, t identity.Tenant, app identity.Application, m message, req *authnRequest, root *etree.Element) error {
	if err := f.current(app); err != nil {
		return err
	}
	sp, err := readProvider(app)
	if err != nil {
		return err
	}
	trusted, err := sp.authenticate(m, root)
	if err != nil {
		return err
	}
	if trusted != nil { // from here on, only what is signed is used
		if req, _, err = parse(trusted); err != nil {
			return err
		}
	}
	hasSignature := trusted != nil || m.query != nil
	if err := f.check(t, app, req, hasSignature); err != nil {
		return err
	}
	acs, err := sp.address(req)
	if err != nil {
		return err
	}
	p := payload{ID: req.ID, ACS: acs, RelayState: m.relayState}
	want, wrong := sp.wants(app, req, &p)
	if wrong != nil {
		f.idp.Site.Log.InfoContext(r.Context(), "request refused", "application", app.Name, "id", app.ID, "status", wrong.detail, "reason", wrong.reason, "err", wrong.why)
		f.idp.RecordRefusal(r.Context(), idp.RefusedRequest{Application: app, Reason: wrong.reason, Detail: wrong.why})
		return f.refusal(t, app, p, wrong.status)(w, r)
	}
	want.Once, want.OnceUntil = req.ID, time.Time(req.IssueInstant).Add(maxAge+2*f.Skew)
	if want.Payload, err = json.Marshal(p); err != nil {
		return err
	}
	return f.idp.Accept(w, r, t, app, want)
}

// current refuses an application whose metadata has expired, because its keys and addresses may belong to
// somebody else now.
func (f *Face) current(app identity.Application) error {
	if app.ValidUntil.IsZero() || f.idp.DB.Now().Before(app.ValidUntil) {
		return nil
	}
	return &identity.Error{Kind: identity.Invalid, Key: "error.application.outdated",
		Err: because(byMetadata, "saml: the metadata of %s was good until %s, and could not be fetched anew", app.ID, app.ValidUntil.Format(time.RFC3339))}
}

// A provider is the service provider that sent a request.
type provider struct{ *samlsp.Provider }

func readProvider(app identity.Application) (*provider, error) {
	sp, err := samlsp.Read(app)
	return &provider{sp}, err
}

// authenticate verifies the signature of a message: that of the query by the Redirect binding, that of the
// document by POST. It returns the octets that the latter signs, or nil if there is no such signature.
func (sp *provider) authenticate(m message, root *etree.Element) (trusted []byte, err error) {
	inside := signed(root)
	switch {
	case inside && m.redirect: // it must have been removed (SAML bindings, section 3.4.4.1)
		return nil, refusedFor(bySignature, "a signature inside a request by the Redirect binding")
	case !inside && m.query == nil && sp.SignedRequests:
		return nil, refusedFor(bySignature, "request is not signed, and must be")
	case (inside || m.query != nil) && len(sp.Keys) == 0:
		return nil, refusedFor(bySignature, "request is signed, but the application's metadata has no key")
	}
	if m.query != nil {
		if err := verify(sp.Keys, m.query.method, m.query.octets, m.query.value); err != nil {
			return nil, unsigned(err)
		}
	}
	if inside {
		if trusted, err = verifyEnveloped(root, sp.Keys); err != nil {
			return nil, unsigned(err)
		}
	}
	return trusted, nil
}

// unsigned returns the error of a signature that cannot be verified.
func unsigned(err error) error {
	var r *reason
	if errors.As(err, &r) {
		return refusedFor(r.name, "signature: %w", r.err)
	}
	return refusedFor(bySignature, "signature: %w", err)
}

// ncName is the format of an ID (xs:ID). InResponseTo must have it too.
var ncName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]{0,255}$`)

// check refuses a request that was not meant for this server, is too old or from the future, or is not from
// this application (SAML-6). With a signature, Destination is required: otherwise a signed request could be
// forwarded to another identity provider (SAML bindings, sections 3.4.5.2 and 3.5.5.2).
func (f *Face) check(t identity.Tenant, app identity.Application, req *authnRequest, hasSignature bool) error {
	now, issued := f.idp.DB.Now(), time.Time(req.IssueInstant)
	switch {
	case req.Issuer.Value != app.Identifier:
		return refusedFor(bySignature, "signed by %q, sent as %q", req.Issuer.Value, app.Identifier)
	case !ncName.MatchString(req.ID):
		return unacceptable("ID %q", req.ID)
	case req.Destination != f.idp.Site.URL(t, ssoPath) && (hasSignature || req.Destination != ""):
		return refusedFor(byDestination, "destination %q is not %s", req.Destination, f.idp.Site.URL(t, ssoPath))
	case issued.After(now.Add(f.Skew)):
		return refusedFor(byTime, "issued in the future, at %s, by %s: a clock is wrong", issued.UTC().Format(time.RFC3339), issued.Sub(now).Round(time.Second))
	case issued.Before(now.Add(-maxAge - f.Skew)):
		return &identity.Error{Kind: identity.Expired, Key: "error.request.expired",
			Err: refusedFor(byTime, "issued at %s, %s ago: a clock is wrong, or the request was kept", issued.UTC().Format(time.RFC3339), now.Sub(issued).Round(time.Second))}
	}
	return nil
}

// address returns the address of the answer: one of the application's, given by URL or by index but not by
// both (SAML core, section 3.4.1).
func (sp *provider) address(req *authnRequest) (string, error) {
	if req.ACSURL != "" && req.ACSIndex != nil {
		return "", refusedFor(byAddress, "both an address and an index for the answer")
	}
	for _, e := range sp.Endpoints { // the default is the first
		if req.ACSURL == e.URL || req.ACSURL == "" && (req.ACSIndex == nil || *req.ACSIndex == e.Index) {
			return e.URL, nil
		}
	}
	index := "none"
	if req.ACSIndex != nil {
		index = strconv.Itoa(int(*req.ACSIndex))
	}
	return "", refusedFor(byAddress, "no address of the application: %q, index %s", req.ACSURL, index)
}

// A refused has the status of a request that cannot be granted, and why, for the operator.
type refused struct {
	status
	reason, why string
}

// wants converts a request into the form common to all protocols, or returns why it cannot be granted.
func (sp *provider) wants(app identity.Application, req *authnRequest, p *payload) (want journey.Request, wrong *refused) {
	if req.Version != "2.0" {
		return want, &refused{status{saml.StatusVersionMismatch, ""}, byRequest, fmt.Sprintf("version %q", req.Version)}
	}
	if b := req.ProtocolBinding; b != "" && b != saml.HTTPPostBinding {
		return want, &refused{status{saml.StatusResponder, saml.StatusUnsupportedBinding}, byRequest, fmt.Sprintf("answer by binding %q", b)}
	}
	invalidPolicy := status{saml.StatusRequester, saml.StatusInvalidNameIDPolicy}
	if q := req.NameIDPolicy.SPNameQualifier; q != "" && q != app.Identifier { // names for other providers are not disclosed
		return want, &refused{invalidPolicy, byNameID, fmt.Sprintf("NameID for %q", q)}
	}
	switch format := samlsp.Format(req.NameIDPolicy.Format); {
	case sp.ForceNameID != "":
		p.Format = sp.ForceNameID
	case format == "" || format == samlsp.Unspecified:
		p.Format = sp.NameID
	case slices.Contains(samlsp.NameIDFormats, format):
		p.Format = format
	default:
		return want, &refused{invalidPolicy, byNameID, fmt.Sprintf("NameID format %q; app set --name-id gives another one whatever it asks for", format)}
	}
	if s := req.Subject; s != nil {
		if s.NameID == nil || s.BaseID != nil || s.EncryptedID != nil || len(s.Confirmations) > 0 {
			return want, &refused{status{saml.StatusRequester, saml.StatusRequestUnsupported}, byRequest, "a subject that is no plain NameID"}
		}
		p.Subject = &nameID{Format: samlsp.Format(s.NameID.Format), Value: s.NameID.Value}
		if p.Subject.Format != samlsp.Persistent && p.Subject.Format != samlsp.Transient {
			want.LoginHint = identity.CleanTyped(s.NameID.Value)
		}
	}
	if req.Context != nil {
		for _, class := range req.Context.Classes {
			want.ACR = append(want.ACR, strings.TrimSpace(class))
		}
		want.Comparison = journey.Comparison(req.Context.Comparison)
		if len(want.ACR) == 0 { // requested by declaration references, of which there are none
			return want, &refused{status{saml.StatusResponder, saml.StatusNoAuthnContext}, byContext, "authentication contexts by declaration"}
		}
	}
	want.ForceLogin, want.Passive = req.ForceAuthn, req.IsPassive
	return want, nil
}
