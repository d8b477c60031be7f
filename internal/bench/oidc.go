package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// A relying is an application's own server: it sends browsers to log in, trades
// codes for tokens over a connection of its own, and checks them.
type relying struct {
	party
	back   line
	issuer string
	base   string
	keys   map[string]*ecdsa.PublicKey
}

// jwks is a set of public keys (RFC 7517, section 5).
type jwks struct {
	Keys []struct {
		ID    string `json:"kid"`
		Curve string `json:"crv"`
		X     string `json:"x"`
		Y     string `json:"y"`
	} `json:"keys"`
}

// publicKeys fetches the issuer's ES256 keys.
func publicKeys(ctx context.Context, issuer string) (map[string]*ecdsa.PublicKey, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, issuer+"/oauth/keys", nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	var set jwks
	if err := json.NewDecoder(res.Body).Decode(&set); err != nil {
		return nil, fmt.Errorf("keys of %s: %w", issuer, err)
	}
	keys := make(map[string]*ecdsa.PublicKey)
	for _, k := range set.Keys {
		x, err1 := base64.RawURLEncoding.DecodeString(k.X)
		y, err2 := base64.RawURLEncoding.DecodeString(k.Y)
		if k.Curve != "P-256" || errors.Join(err1, err2) != nil {
			continue // the RS256 key
		}
		point := append(append([]byte{4}, x...), y...) // uncompressed (SEC 1, section 2.3.3)
		if keys[k.ID], err = ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point); err != nil {
			return nil, fmt.Errorf("key %s: %w", k.ID, err)
		}
	}
	return keys, nil
}

// newRelying is an application's server that knows the issuer, and is of no
// application yet.
func newRelying(ctx context.Context, base string) (r relying, err error) {
	r = relying{issuer: base + "/t/" + slug, base: base}
	r.back.address = strings.TrimPrefix(base, "http://")
	r.keys, err = publicKeys(ctx, r.issuer)
	return r, err
}

// A ticket is a request for a login, as the application remembers it.
type ticket struct{ state, nonce, verifier string }

// tokens are what the application gets for a login.
type tokens struct {
	ID      string `json:"id_token"`
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	Error   string `json:"error"`
}

// claims are what of an ID token is checked (OpenID Connect Core, section 3.1.3.7).
type claims struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub"`
	Audience any    `json:"aud"` // one, or a list
	Nonce    string `json:"nonce"`
	Expires  int64  `json:"exp"`
}

// request makes the address a browser is sent to, with a proof key (RFC 7636).
func (r *relying) request(scope string) (string, ticket) {
	t := ticket{state: rand.Text(), nonce: rand.Text(), verifier: rand.Text() + rand.Text()}
	challenge := sha256.Sum256([]byte(t.verifier))
	query := url.Values{"client_id": {r.id}, "redirect_uri": {callback}, "response_type": {"code"}, "scope": {scope},
		"state": {t.state}, "nonce": {t.nonce}, "code_challenge_method": {"S256"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}}
	return strings.TrimPrefix(r.issuer, r.base) + "/oauth/authorize?" + query.Encode(), t
}

// redeem trades the answer the browser came back with for tokens, and checks
// that they are of this login and of this person.
func (r *relying) redeem(leads string, t ticket, p *person) (tokens, error) {
	to, err := url.Parse(leads)
	if err != nil {
		return tokens{}, err
	}
	query := to.Query()
	if !strings.HasPrefix(leads, callback+"?") || query.Get("state") != t.state || query.Get("code") == "" {
		return tokens{}, fmt.Errorf("sent to %s", leads)
	}
	got, err := r.token(url.Values{"grant_type": {"authorization_code"}, "code": {query.Get("code")},
		"redirect_uri": {callback}, "code_verifier": {t.verifier}})
	if err != nil {
		return got, err
	}
	return got, r.check(got.ID, t.nonce, p)
}

// refresh trades a refresh token for the next.
func (r *relying) refresh(token string, p *person) (tokens, error) {
	got, err := r.token(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
	if err != nil {
		return got, err
	}
	if got.Refresh == "" || got.Refresh == token {
		return got, errors.New("the refresh token was not replaced")
	}
	return got, r.check(got.ID, "", p)
}

func (r *relying) token(form url.Values) (tokens, error) {
	var got tokens
	secret := base64.StdEncoding.EncodeToString([]byte(r.id + ":" + r.secret))
	a, err := r.back.send(http.MethodPost, strings.TrimPrefix(r.issuer, r.base)+"/oauth/token", "Authorization: Basic "+secret+"\r\n", form.Encode())
	if err != nil {
		return got, err
	}
	if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.status != http.StatusOK {
		return got, fmt.Errorf("token: status %d %s %w", a.status, got.Error, err)
	}
	return got, nil
}

// check verifies an ID token.
func (r *relying) check(token, nonce string, p *person) error {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return fmt.Errorf("no ID token: %q", token)
	}
	var header struct {
		Algorithm string `json:"alg"`
		Key       string `json:"kid"`
	}
	var c claims
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err := errors.Join(err, decode(parts[0], &header), decode(parts[1], &c)); err != nil {
		return fmt.Errorf("ID token: %w", err)
	}
	key := r.keys[header.Key]
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if header.Algorithm != "ES256" || key == nil || len(signature) != 64 ||
		!ecdsa.Verify(key, digest[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])) {
		return fmt.Errorf("ID token: %s signature by key %q does not verify", header.Algorithm, header.Key)
	}
	audience := fmt.Sprint(c.Audience)
	if c.Issuer != r.issuer || c.Subject != p.id || c.Nonce != nonce || strings.Trim(audience, "[]") != r.id || c.Expires < time.Now().Unix() {
		return fmt.Errorf("ID token of another login: %+v", c)
	}
	return nil
}

func decode(part string, v any) error {
	raw, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, v)
}
