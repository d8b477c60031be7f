package phone

import (
	"bytes"
	"cmp"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// maxBody is the maximum number of bytes of a request or an answer (protocol, section 1).
const maxBody = 64 << 10

var methods = map[string]string{
	"activate": http.MethodPost, "finish": http.MethodPost, "status": http.MethodGet, "settings": http.MethodPost,
	"remove": http.MethodPost, "pin": http.MethodPost, "unlock": http.MethodPost, "pending": http.MethodGet, "answer": http.MethodPost, "stream": http.MethodGet,
}

// A Refusal is a server's error (protocol, section 6). Its kind depends on the status, so that
// errors.Is(err, identity.NotFound) works.
type Refusal struct {
	Status     int    `json:"-"`
	Code       string `json:"error"`
	Message    string `json:"message"` // for the user, in the requested language
	Time       int64  `json:"time,omitempty"`
	State      string `json:"state,omitempty"`
	Outcome    string `json:"outcome,omitempty"`
	Capability string `json:"capability,omitempty"`
	MinVersion string `json:"least,omitempty"`

	RetryAfter time.Duration `json:"-"`
}

func (r *Refusal) Error() string {
	if r.Message == "" {
		return fmt.Sprintf("refused: %s (%d)", r.Code, r.Status)
	}
	if r.Capability != "" {
		return fmt.Sprintf("%s (%s: %s, least version %s)", r.Message, r.Code, r.Capability, cmp.Or(r.MinVersion, "not known"))
	}
	return fmt.Sprintf("%s (%s)", r.Message, r.Code)
}

func (r *Refusal) Unwrap() error {
	switch r.Status {
	case http.StatusUnauthorized:
		return identity.Unauthenticated
	case http.StatusForbidden:
		return identity.Forbidden
	case http.StatusNotFound:
		return identity.NotFound
	case http.StatusConflict:
		return identity.Conflict
	case http.StatusGone:
		return identity.Expired
	case http.StatusRequestEntityTooLarge:
		return identity.TooLarge
	case http.StatusTooManyRequests:
		return identity.Throttled
	case http.StatusServiceUnavailable:
		return identity.Unavailable
	}
	if r.Status < 500 {
		return identity.Invalid
	}
	return identity.Internal
}

// call sends a request for an account and reads its answer. It saves what it learns about the
// server's clock.
func (p *Phone) call(ctx context.Context, s *state, k *storedAccount, call string, body, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	before := s.Corrections[k.Base]
	res, err := p.send(ctx, s, k, call, body)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if s.Corrections[k.Base] != before {
		if err := p.save(s); err != nil {
			return err
		}
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, maxBody)).Decode(answer); err != nil {
		return fmt.Errorf("phone: answer to %s: %w", call, err)
	}
	return nil
}

// send signs and sends a request, and repeats it once if the server says that this clock is wrong. The
// correction is used for signing only.
func (p *Phone) send(ctx context.Context, s *state, k *storedAccount, call string, body any) (*http.Response, error) {
	var raw []byte
	if body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			return nil, fmt.Errorf("phone: %s: %w", call, err)
		}
	}
	for again := false; ; again = true {
		res, err := p.sendOnce(ctx, s, k, call, raw)
		refusal, refused := errors.AsType[*Refusal](err)
		if again || !refused || refusal.Code != "clock" {
			return res, err
		}
		if s.Corrections == nil {
			s.Corrections = make(map[string]int64)
		}
		s.Corrections[k.Base] = refusal.Time - p.now().Unix()
	}
}

func (p *Phone) sendOnce(ctx context.Context, s *state, k *storedAccount, call string, body []byte) (*http.Response, error) {
	address := k.Base + "/api/authenticator/v1/" + call
	signed, err := sign(k.Key.PrivateKey, claims{
		Type: call, Subject: k.ID, Method: methods[call], URL: address,
		Time: p.now().Unix() + s.Corrections[k.Base], Version: p.Version, Capabilities: p.Capabilities,
	}, body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, methods[call], address, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("phone: %s: %w", call, err)
	}
	req.Header.Set("Latchkey-Signature", signed)
	req.Header.Set("Accept-Language", "en")
	if len(body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := p.client().Do(req)
	if err != nil {
		return nil, &identity.Error{Kind: identity.Unavailable, Key: "phone.unreachable", Err: err}
	}
	if res.StatusCode == http.StatusOK {
		return res, nil
	}
	defer res.Body.Close()
	refusal := &Refusal{Status: res.StatusCode}
	if err := json.NewDecoder(io.LimitReader(res.Body, maxBody)).Decode(refusal); err != nil {
		refusal.Code = "unreadable" // for example a proxy's page; the status still counts
	}
	if seconds, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil {
		refusal.RetryAfter = time.Duration(seconds) * time.Second
	}
	return nil, refusal
}

// client does not follow redirects, because a signature is for one address.
func (p *Phone) client() *http.Client {
	if p.HTTP != nil {
		return p.HTTP
	}
	return &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// claims are the claims of a signature (protocol, section 3).
type claims struct {
	Type         string   `json:"typ"`
	Subject      string   `json:"sub,omitempty"`
	Method       string   `json:"htm"`
	URL          string   `json:"htu"`
	BodyHash     string   `json:"bsh"`
	Time         int64    `json:"iat"`
	ID           string   `json:"jti"`
	Version      string   `json:"ver"`
	Capabilities []string `json:"cap"`
}

// sign makes the compact JWS (RFC 7515, section 7.1) that a call carries. The
// first call of an account brings its key, all others name it by its thumbprint
// (RFC 7638).
func sign(key *ecdsa.PrivateKey, c claims, body []byte) (string, error) {
	signing := jose.JSONWebKey{Key: key}
	if c.Subject != "" {
		thumbprint, err := signing.Thumbprint(crypto.SHA256)
		if err != nil {
			return "", fmt.Errorf("phone: thumbprint: %w", err)
		}
		signing.KeyID = b64(thumbprint)
	}
	options := &jose.SignerOptions{EmbedJWK: c.Subject == ""}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: signing}, options.WithType("latchkey-app+jwt"))
	if err != nil {
		return "", fmt.Errorf("phone: sign: %w", err)
	}
	var id [16]byte
	rand.Read(id[:])
	hash := sha256.Sum256(body)
	c.BodyHash, c.ID = b64(hash[:]), b64(id[:])
	c.Version = cmp.Or(c.Version, Version)
	if len(c.Capabilities) == 0 {
		c.Capabilities = capabilities
	}
	payload, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("phone: sign: %w", err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("phone: sign: %w", err)
	}
	return signed.CompactSerialize()
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
