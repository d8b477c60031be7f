package demo

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/xml"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/crewjam/saml"
	"github.com/crewjam/saml/samlsp"
	dsig "github.com/russellhaering/goxmldsig"

	"github.com/latchkey-id/latchkey/internal/web"
)

// payrollPath is the path of the SAML service provider.
const payrollPath = "/demo/payroll/"

// requestLifetime is how long the service provider accepts a response to a
// request. The library's 90 seconds are enough for a password, but enrolling an
// authenticator in between takes minutes.
const requestLifetime = 2 * time.Hour

// metadataValidity is the validity of the registered metadata: that of its
// certificate.
const metadataValidity = 10 * 365 * 24 * time.Hour

// payroll is a SAML service provider: crewjam's middleware around one page. It
// signs its requests, and has its session in a cookie.
type payroll struct {
	demo *Demo

	mu sync.Mutex
	sp *samlsp.Middleware // without the identity provider's metadata until the first request
}

func newPayroll(d *Demo, base *url.URL, s *state) (*payroll, error) {
	private, err := x509.ParsePKCS8PrivateKey(s.Key)
	if err != nil {
		return nil, fmt.Errorf("demo: service provider's key: %w", err)
	}
	key, ok := private.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("demo: service provider's key is not RSA")
	}
	certificate, err := x509.ParseCertificate(s.Certificate)
	if err != nil {
		return nil, fmt.Errorf("demo: service provider's certificate: %w", err)
	}
	p := &payroll{demo: d}
	options := samlsp.Options{URL: *base.JoinPath(payrollPath), Key: key, Certificate: certificate, SignRequest: true,
		HTTPClient: client, CookieSameSite: http.SameSiteLaxMode, DefaultRedirectURI: payrollPath}
	if p.sp, err = samlsp.New(options); err != nil {
		return nil, fmt.Errorf("demo: service provider: %w", err)
	}
	p.sp.ServiceProvider.SignatureMethod = dsig.RSASHA256SignatureMethod // the library's default is SHA-1
	p.sp.ServiceProvider.AuthnNameIDFormat = saml.PersistentNameIDFormat
	p.sp.ServiceProvider.MetadataValidDuration = metadataValidity
	p.sp.OnError = p.showRefusal
	codec := samlsp.DefaultTrackedRequestCodec(options)
	codec.MaxAge = requestLifetime
	p.sp.RequestTracker = requestTracker{samlsp.CookieRequestTracker{ServiceProvider: &p.sp.ServiceProvider, NamePrefix: "payroll_",
		Codec: codec, MaxAge: requestLifetime, SameSite: http.SameSiteLaxMode}}
	p.sp.Session = samlsp.CookieSessionProvider{Name: payrollCookie, HTTPOnly: true, SameSite: http.SameSiteLaxMode,
		MaxAge: sessionFor, Path: payrollPath, Codec: attributesCodec{samlsp.DefaultSessionCodec(options)}}
	return p, nil
}

// payrollCookie is the name of the session cookie, and sessionFor its lifetime.
const (
	payrollCookie = "payroll"
	sessionFor    = time.Hour
)

// metadata is the service provider's metadata, without an encryption key and
// without the artifact binding, which is not supported.
func (p *payroll) metadata() ([]byte, error) {
	m := p.sp.ServiceProvider.Metadata()
	for i := range m.SPSSODescriptors {
		d := &m.SPSSODescriptors[i]
		d.KeyDescriptors = slices.DeleteFunc(d.KeyDescriptors, func(k saml.KeyDescriptor) bool { return k.Use == "encryption" })
		d.AssertionConsumerServices = slices.DeleteFunc(d.AssertionConsumerServices, func(e saml.IndexedEndpoint) bool { return e.Binding != saml.HTTPPostBinding })
		d.SingleLogoutServices = nil
	}
	return xml.MarshalIndent(m, "", "  ")
}

// routes mounts the service provider. Its assertion consumer service accepts
// posts from the identity provider, which elsewhere is another site.
func (p *payroll) routes(handle func(pattern string, h http.Handler)) {
	d := p.demo
	handle("GET "+payrollPath+"{$}", d.handle(p.show))
	handle("GET "+payrollPath+"signed-out", d.handle(p.signedOut))
	handle("POST "+payrollPath+"sign-out", d.site.SameOrigin(d.handle(p.signOut)))
	handle("GET "+payrollPath+"saml/metadata", d.handle(p.serveMetadata))
	handle("POST "+payrollPath+"saml/acs", d.handle(p.receive))
}

// middleware returns the middleware. The first call fetches the identity
// provider's metadata by HTTP.
func (p *payroll) middleware(ctx context.Context) (*samlsp.Middleware, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sp.ServiceProvider.IDPMetadata == nil {
		address, err := url.Parse(p.demo.address("t/" + slug + "/saml/metadata"))
		if err != nil {
			return nil, fmt.Errorf("demo: %w", err)
		}
		metadata, err := samlsp.FetchMetadata(ctx, client, *address)
		if err != nil {
			return nil, fmt.Errorf("demo: identity provider's metadata: %w", err)
		}
		p.sp.ServiceProvider.IDPMetadata = metadata
	}
	return p.sp, nil
}

// show is the application's page. A browser without a session is sent to
// Latchkey.
func (p *payroll) show(w http.ResponseWriter, r *http.Request) error {
	sp, err := p.middleware(r.Context())
	if err != nil {
		return err
	}
	session, err := sp.Session.GetSession(r)
	if errors.Is(err, samlsp.ErrNoSession) {
		sp.HandleStartAuthFlow(w, r)
		return nil
	}
	if err != nil {
		return err
	}
	claims, ok := session.(samlsp.JWTSessionClaims)
	if !ok {
		return fmt.Errorf("demo: a session that is a %T", session)
	}
	user := claims.Attributes.Get("uid")
	if user == "" {
		user = claims.Subject // a pseudonym
	}
	told := []attribute{{"NameID", claims.Subject}}
	for _, name := range slices.Sorted(maps.Keys(claims.Attributes)) {
		told = append(told, attribute{name, strings.Join(claims.Attributes[name], ", ")})
	}
	return p.demo.render(w, r, http.StatusOK, applicationPage{Application: payrollName, Path: payrollPath, Protocol: samlProtocol,
		User: user, Attributes: told})
}

// receive handles the response of the identity provider.
func (p *payroll) receive(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, 4*web.MaxBody) // the limit of a SAML response
	sp, err := p.middleware(r.Context())
	if err != nil {
		return err
	}
	sp.ServeACS(w, r)
	return nil
}

// showRefusal shows that the response was no sign-in. It does not send another
// request by itself: somebody who has cancelled would be in a loop.
func (p *payroll) showRefusal(w http.ResponseWriter, r *http.Request, err error) {
	why := ""
	var wrong *saml.InvalidResponseError
	var refused saml.ErrBadStatus
	if errors.As(err, &wrong) {
		err = wrong.PrivateErr
	}
	if errors.As(err, &refused) {
		why = statusIn(wrong.Response)
	} else {
		p.demo.site.Log.WarnContext(r.Context(), "payroll: no sign-in", "err", err)
	}
	p.demo.handle(func(w http.ResponseWriter, r *http.Request) error {
		return p.demo.render(w, r, http.StatusForbidden, refusalPage{Application: payrollName, Path: payrollPath, Reason: why})
	}).ServeHTTP(w, r)
}

// statusIn is the innermost status code of a response, without its prefix. The
// library keeps the outer one, which only says which side failed.
func statusIn(response string) string {
	var r saml.Response
	if err := xml.Unmarshal([]byte(response), &r); err != nil {
		return ""
	}
	code := r.Status.StatusCode
	for code.StatusCode != nil {
		code = *code.StatusCode
	}
	return code.Value[strings.LastIndexByte(code.Value, ':')+1:]
}

func (p *payroll) serveMetadata(w http.ResponseWriter, _ *http.Request) error {
	metadata, err := p.metadata()
	if err != nil {
		return fmt.Errorf("demo: service provider's metadata: %w", err)
	}
	w.Header().Set("Content-Type", "application/samlmetadata+xml")
	_, _ = w.Write(metadata) // who has left needs no answer
	return nil
}

// signOut ends only the session of this application.
func (p *payroll) signOut(w http.ResponseWriter, r *http.Request) error {
	forget(w, payrollCookie, payrollPath)
	http.Redirect(w, r, payrollPath+"signed-out", http.StatusSeeOther)
	return nil
}

func (p *payroll) signedOut(w http.ResponseWriter, r *http.Request) error {
	return p.demo.signedOut(w, r, payrollName, payrollPath)
}

// forget deletes a cookie.
func forget(w http.ResponseWriter, name, path string) {
	http.SetCookie(w, &http.Cookie{Name: name, Path: path, MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

// A requestTracker keeps requests in cookies and deletes them. The library's own
// tracker does not: it deletes with a domain for which the cookie was not set.
type requestTracker struct{ samlsp.CookieRequestTracker }

// StopTrackingRequest implements samlsp.RequestTracker.
func (t requestTracker) StopTrackingRequest(w http.ResponseWriter, _ *http.Request, index string) error {
	forget(w, t.NamePrefix+index, t.ServiceProvider.AcsURL.Path)
	return nil
}

// An attributesCodec adds to the attributes of the session what the assertion says
// about the sign-in itself, so that the page shows it.
type attributesCodec struct{ samlsp.JWTSessionCodec }

// New implements samlsp.SessionCodec.
func (c attributesCodec) New(assertion *saml.Assertion) (samlsp.Session, error) {
	session, err := c.JWTSessionCodec.New(assertion)
	if err != nil {
		return nil, err
	}
	claims, ok := session.(samlsp.JWTSessionClaims)
	if !ok {
		return nil, fmt.Errorf("demo: a session that is a %T", session)
	}
	for _, statement := range assertion.AuthnStatements {
		claims.Attributes["AuthnInstant"] = []string{statement.AuthnInstant.UTC().Format(time.RFC3339)}
		if ref := statement.AuthnContext.AuthnContextClassRef; ref != nil {
			claims.Attributes["AuthnContextClassRef"] = []string{ref.Value}
		}
	}
	if assertion.Subject != nil && assertion.Subject.NameID != nil {
		claims.Attributes["NameID Format"] = []string{assertion.Subject.NameID.Format}
	}
	return claims, nil
}
