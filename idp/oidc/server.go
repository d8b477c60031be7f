package oidc

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/cryptosigner"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
	"golang.org/x/text/language"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/internal/oidcclient"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/signingkey"
	"github.com/latchkey-id/latchkey/internal/store"
)

// A server is a tenant's, seen by programs. The library reads requests and writes
// answers; what they come to is decided here.
type server struct {
	op.UnimplementedServer // refuses what is not here

	face    *Face
	tenant  identity.Tenant // as it was on first use: only fields that never change are used
	issuer  string
	hints   *op.IDTokenHintVerifier
	handler http.Handler
}

// Scopes an application may request.
const (
	scopeGroups  = "groups"
	scopeOffline = oidc.ScopeOfflineAccess
)

var scopes = []string{oidc.ScopeOpenID, oidc.ScopeProfile, oidc.ScopeEmail, scopeGroups, scopeOffline}

func newServer(f *Face, t identity.Tenant) *server {
	s := &server{face: f, tenant: t, issuer: f.issuer(t)}
	// Endpoints that are not listed do not exist, among them the library's authorization and end session
	// endpoints and its callback.
	endpoints := op.Endpoints{
		Token:         op.NewEndpoint(tokenPath),
		Introspection: op.NewEndpoint(introspectPath),
		Userinfo:      op.NewEndpoint(userinfoPath),
		Revocation:    op.NewEndpoint(revokePath),
		JwksURI:       op.NewEndpoint(keysPath),
	}
	s.handler = op.RegisterServer(s, endpoints, op.WithServerCORSOptions(nil))
	s.hints = op.NewIDTokenHintVerifier(s.issuer, keySet{s},
		op.WithSupportedIDTokenHintSigningAlgorithms(oidcclient.Algorithms...))
	return s
}

// A keySet holds signatures to the keys of a tenant.
type keySet struct{ of *server }

// VerifySignature implements oidc.KeySet.
func (k keySet) VerifySignature(ctx context.Context, jws *jose.JSONWebSignature) ([]byte, error) {
	all, err := k.of.face.idp.Keys.All(ctx, k.of.tenant.ID, identity.OIDC)
	if err != nil {
		return nil, err
	}
	published := publicKeys(all)
	id, algorithm := oidc.GetKeyIDAndAlg(jws)
	key, err := oidc.FindMatchingKey(id, oidc.KeyUseSignature, algorithm, published.Keys...)
	if err != nil {
		return nil, err
	}
	return jws.Verify(&key)
}

// publicKeys returns the public halves of keys.
func publicKeys(all []signingkey.Key) jose.JSONWebKeySet {
	set := jose.JSONWebKeySet{Keys: make([]jose.JSONWebKey, len(all))}
	for i, key := range all {
		set.Keys[i] = jose.JSONWebKey{Key: key.Signer.Public(), KeyID: key.ID, Algorithm: key.Algorithm, Use: oidc.KeyUseSignature}
	}
	return set
}

// A signingKey is a signing key in the form that the library expects.
type signingKey struct{ key signingkey.Key }

func (k signingKey) ID() string { return k.key.ID }
func (k signingKey) SignatureAlgorithm() jose.SignatureAlgorithm {
	return jose.SignatureAlgorithm(k.key.Algorithm)
}
func (k signingKey) Key() any { return cryptosigner.Opaque(k.key.Signer) }

// Keys returns the tenant's public keys.
func (s *server) Keys(ctx context.Context, _ *op.Request[struct{}]) (*op.Response, error) {
	all, err := s.face.idp.Keys.Published(ctx, s.tenant.ID, identity.OIDC)
	if err != nil {
		return nil, s.failure(ctx, err)
	}
	return op.NewResponse(publicKeys(all)), nil
}

// discovery adds fields that the library's type does not have.
type discovery struct {
	*oidc.DiscoveryConfiguration
	// RFC 9207: every answer contains the issuer, so that a client of several issuers cannot be made to
	// send one issuer's code to another.
	IssParameter bool `json:"authorization_response_iss_parameter_supported"`
}

// Discovery returns the discovery document, with exactly what this server supports.
func (s *server) Discovery(ctx context.Context, _ *op.Request[struct{}]) (*op.Response, error) {
	document, err := s.face.idp.DB.Policies().Get(ctx, s.tenant.ID, policy.KindContexts)
	if err != nil {
		return nil, s.failure(ctx, err)
	}
	contexts, err := policy.Read[policy.Contexts](document.Document)
	if err != nil {
		return nil, s.failure(ctx, err)
	}
	var languages []language.Tag
	for _, l := range s.face.idp.Site.Catalog.Languages() {
		languages = append(languages, language.Make(l.Tag))
	}
	secret := []oidc.AuthMethod{oidc.AuthMethodBasic, oidc.AuthMethodPost}
	methods := append(slices.Clone(secret), oidc.AuthMethodNone)
	return op.NewResponse(discovery{IssParameter: true, DiscoveryConfiguration: &oidc.DiscoveryConfiguration{
		Issuer:                                    s.issuer,
		AuthorizationEndpoint:                     s.issuer + authorizePath,
		TokenEndpoint:                             s.issuer + tokenPath,
		IntrospectionEndpoint:                     s.issuer + introspectPath,
		UserinfoEndpoint:                          s.issuer + userinfoPath,
		RevocationEndpoint:                        s.issuer + revokePath,
		EndSessionEndpoint:                        s.issuer + logoutPath,
		JwksURI:                                   s.issuer + keysPath,
		ScopesSupported:                           scopes,
		ResponseTypesSupported:                    []string{string(oidc.ResponseTypeCode)},
		ResponseModesSupported:                    []string{string(oidc.ResponseModeQuery)},
		GrantTypesSupported:                       []oidc.GrantType{oidc.GrantTypeCode, oidc.GrantTypeRefreshToken},
		ACRValuesSupported:                        journey.Rules{Contexts: contexts}.Supported(),
		SubjectTypesSupported:                     []string{"public"},
		IDTokenSigningAlgValuesSupported:          oidcclient.Algorithms,
		TokenEndpointAuthMethodsSupported:         methods,
		RevocationEndpointAuthMethodsSupported:    methods,
		IntrospectionEndpointAuthMethodsSupported: secret,
		CodeChallengeMethodsSupported:             []oidc.CodeChallengeMethod{oidc.CodeChallengeMethodS256},
		ClaimTypesSupported:                       []string{"normal"},
		ClaimsSupported: []string{"iss", "sub", "aud", "azp", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid", "at_hash",
			"name", "preferred_username", "locale", "email", scopeGroups},
		UILocalesSupported: languages,
	}}), nil
}

// VerifyClient authenticates the client of a request. A confidential client must present its secret, in one
// of two ways. A public client must not present one.
func (s *server) VerifyClient(ctx context.Context, r *op.Request[op.ClientCredentials]) (op.Client, error) {
	denied := op.NewStatusError(oidc.ErrInvalidClient(), http.StatusUnauthorized)
	c, err := s.face.client(ctx, s.tenant, r.Data.ClientID)
	if errors.Is(err, identity.NotFound) {
		return nil, denied
	}
	if err != nil {
		return nil, s.failure(ctx, err)
	}
	shown := ""
	if r.Data.ClientSecret != "" {
		shown = store.Hash(r.Data.ClientSecret)
	}
	right := subtle.ConstantTimeCompare([]byte(shown), []byte(c.config.SecretHash)) == 1
	why := ""
	switch {
	case r.Data.ClientAssertion != "":
		why = "client_assertion: no application has keys of its own"
	case !right && shown == "":
		why = "no client secret, and it has one"
	case !right && c.config.Public():
		why = "a client secret, and it is public"
	case !right:
		why = "another client secret"
	case !c.originAllowed(r.Header):
		why = fmt.Sprintf("called from a page of %.200q, which is none of its origins", r.Header.Get("Origin"))
	default:
		return c, nil
	}
	s.face.recordFault(ctx, c, fault{"invalid_client", why})
	return nil, denied
}

// JWTProfile refuses as a grant that nobody knows is refused.
func (s *server) JWTProfile(context.Context, *op.Request[oidc.JWTProfileGrantRequest]) (*op.Response, error) {
	return nil, oidc.ErrUnsupportedGrantType()
}

// failure replaces internal errors in answers by a server error. Errors of the protocol are returned as they
// are.
func (s *server) failure(ctx context.Context, err error) error {
	var protocols *oidc.Error
	if err == nil || errors.As(err, &protocols) {
		return err
	}
	status := http.StatusInternalServerError
	if errors.Is(err, identity.Unavailable) {
		status = http.StatusServiceUnavailable
	}
	s.face.idp.Site.Log.ErrorContext(ctx, "oidc call failed", "issuer", s.issuer, "err", err)
	return op.NewStatusError(oidc.ErrServerError(), status)
}

// inTx runs f in a transaction with the client as the principal.
func (s *server) inTx(ctx context.Context, header http.Header, c *client, f func(tx *store.Tx) error) error {
	who := identity.Principal{Tenant: s.tenant.ID, Kind: identity.RelyingApplication, ID: c.app.ID, Name: c.app.Name, IP: header.Get(fromHeader)}
	return s.face.idp.DB.InTx(ctx, who, f)
}
