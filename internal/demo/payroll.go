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

// payrollPath is where the SAML service provider lives.
const payrollPath = "/demo/payroll/"

// trackedFor is how long the service provider waits for the answer to a
// request. The library's 90 seconds are enough for a password; somebody who
// first enrols an authenticator, and finds a phone for it, takes minutes.
const trackedFor = 2 * time.Hour

// metadataLife is how long the registered metadata says it is valid: as long as
// the certificate in it.
const metadataLife = 10 * 365 * 24 * time.Hour

// payroll is a SAML service provider: crewjam's middleware around one page. It
// signs its requests, and keeps who is signed in in a cookie of its own.
type payroll struct {
	demo *Demo

	mu sync.Mutex
	sp *samlsp.Middleware // without the identity provider's metadata until it was asked for
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
	p.sp.ServiceProvider.SignatureMethod = dsig.RSASHA256SignatureMethod // the library's own choice is SHA-1
	p.sp.ServiceProvider.AuthnNameIDFormat = saml.PersistentNameIDFormat
	p.sp.ServiceProvider.MetadataValidDuration = metadataLife
	p.sp.OnError = p.failed
	codec := samlsp.DefaultTrackedRequestCodec(options)
	codec.MaxAge = trackedFor
	p.sp.RequestTracker = tracker{samlsp.CookieRequestTracker{ServiceProvider: &p.sp.ServiceProvider, NamePrefix: "payroll_",
		Codec: codec, MaxAge: trackedFor, SameSite: http.SameSiteLaxMode}}
	p.sp.Session = samlsp.CookieSessionProvider{Name: payrollCookie, HTTPOnly: true, SameSite: http.SameSiteLaxMode,
		MaxAge: sessionFor, Path: payrollPath, Codec: tellingCodec{samlsp.DefaultSessionCodec(options)}}
	return p, nil
}

// payrollCookie holds who is signed in, and sessionFor is how long.
const (
	payrollCookie = "payroll"
	sessionFor    = time.Hour
)

// metadata is what an identity provider has to know of the service provider.
// It leaves out the key to encrypt for, and the artifact binding that nobody
// here resolves.
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

// routes mounts the service provider. Its assertion consumer service takes
// posts from the identity provider, which elsewhere is another site.
func (p *payroll) routes(handle func(pattern string, h http.Handler)) {
	d := p.demo
	handle("GET "+payrollPath+"{$}", d.handle(p.show))
	handle("GET "+payrollPath+"signed-out", d.handle(p.signedOut))
	handle("POST "+payrollPath+"sign-out", d.kit.SameOrigin(d.handle(p.signOut)))
	handle("GET "+payrollPath+"saml/metadata", d.handle(p.serveMetadata))
	handle("POST "+payrollPath+"saml/acs", d.handle(p.consume))
}

// ready returns the middleware once it knows the identity provider, whose
// metadata it fetches as anybody's would: by HTTP, when first needed.
func (p *payroll) ready(ctx context.Context) (*samlsp.Middleware, error) {
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

// show is the application's page. Whoever is not signed in is sent to Latchkey.
func (p *payroll) show(w http.ResponseWriter, r *http.Request) error {
	sp, err := p.ready(r.Context())
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
	told := []fact{{"NameID", claims.Subject}}
	for _, name := range slices.Sorted(maps.Keys(claims.Attributes)) {
		told = append(told, fact{name, strings.Join(claims.Attributes[name], ", ")})
	}
	return p.demo.render(w, r, http.StatusOK, application{Application: payrollName, Path: payrollPath, Protocol: samlProtocol,
		User: user, Told: told})
}

// consume takes the answer of the identity provider.
func (p *payroll) consume(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, 4*web.MaxBody) // SAML's bound
	sp, err := p.ready(r.Context())
	if err != nil {
		return err
	}
	sp.ServeACS(w, r)
	return nil
}

// failed says that the answer was no login. It does not ask again by itself:
// whoever chose not to sign in would be in a loop.
func (p *payroll) failed(w http.ResponseWriter, r *http.Request, err error) {
	why := ""
	var wrong *saml.InvalidResponseError
	var refused saml.ErrBadStatus
	if errors.As(err, &wrong) {
		err = wrong.PrivateErr
	}
	if errors.As(err, &refused) {
		why = statusIn(wrong.Response)
	} else {
		p.demo.kit.Log.WarnContext(r.Context(), "payroll got no login", "err", err)
	}
	p.demo.handle(func(w http.ResponseWriter, r *http.Request) error {
		return p.demo.render(w, r, http.StatusForbidden, refusal{Application: payrollName, Path: payrollPath, Why: why})
	}).ServeHTTP(w, r)
}

// statusIn is the most telling status code of a response, without its prefix:
// the library keeps the outer one, which only says whose fault it was.
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

// signOut ends the session of this application alone.
func (p *payroll) signOut(w http.ResponseWriter, r *http.Request) error {
	forget(w, payrollCookie, payrollPath)
	http.Redirect(w, r, payrollPath+"signed-out", http.StatusSeeOther)
	return nil
}

func (p *payroll) signedOut(w http.ResponseWriter, r *http.Request) error {
	return p.demo.render(w, r, http.StatusOK, signedOut{Application: payrollName, Path: payrollPath, Still: true})
}

// forget takes a cookie from the browser.
func forget(w http.ResponseWriter, name, path string) {
	http.SetCookie(w, &http.Cookie{Name: name, Path: path, MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

// A tracker keeps requests in cookies and, other than the library's, takes them
// away again: that one names a domain the cookie was not set for.
type tracker struct{ samlsp.CookieRequestTracker }

// StopTrackingRequest implements samlsp.RequestTracker.
func (t tracker) StopTrackingRequest(w http.ResponseWriter, _ *http.Request, index string) error {
	forget(w, t.NamePrefix+index, t.ServiceProvider.AcsURL.Path)
	return nil
}

// A tellingCodec keeps in the session, beside the attributes, what the
// assertion says of the login itself, to show it.
type tellingCodec struct{ samlsp.JWTSessionCodec }

// New implements samlsp.SessionCodec.
func (c tellingCodec) New(assertion *saml.Assertion) (samlsp.Session, error) {
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
