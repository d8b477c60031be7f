package phone

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/otp"
)

// challengeMode is the mode of an account that answers challenges (protocol, section 5.1).
const challengeMode = "challenge"

// A Code is a passcode, or the response to a challenge.
type Code struct {
	Account string `json:"account"`
	User    string `json:"user"`
	Code    string `json:"passcode"`
	Left    int64  `json:"seconds_left"` // time for which it is valid; 0 if it does not depend on time
}

// Passcode returns the passcode of an account, named by its id, serial or user. The name may be empty
// if there is only one account. If the account has a PIN, it is asked for and proved to the server. A
// counter-based passcode is used up by this.
func (p *Phone) Passcode(ctx context.Context, name string) (Code, error) {
	s, k, seed, err := p.openAccount(ctx, name)
	if err != nil {
		return Code{}, err
	}
	code := Code{Account: k.ID, User: k.User}
	if code.Code, err = p.passcode(s, k, seed); err != nil {
		return Code{}, err
	}
	if k.Period > 0 {
		code.Left = k.Period - p.now().Unix()%k.Period
	}
	return code, nil
}

// Respond returns an account's response to the eight-digit challenge of a login page.
func (p *Phone) Respond(ctx context.Context, name, challenge string) (Code, error) {
	if challenge = otp.Canonical(challenge); !digits(challenge, 8) {
		return Code{}, &identity.Error{Kind: identity.Invalid, Key: "phone.challenge.format", Err: errors.New("a challenge has eight digits")}
	}
	_, k, seed, err := p.openAccount(ctx, name)
	if err != nil {
		return Code{}, err
	}
	if k.Mode != challengeMode {
		return Code{}, &identity.Error{Kind: identity.Conflict, Key: "phone.challenge.none",
			Err: fmt.Errorf("%s makes passcodes, and answers no challenges", k.Serial)}
	}
	response, err := ocraResponse(otp.ChallengeSuite(k.Digits), seed, challenge)
	return Code{Account: k.ID, User: k.User, Code: response}, err
}

// openAccount finds an account and its seed.
func (p *Phone) openAccount(ctx context.Context, name string) (*state, *storedAccount, []byte, error) {
	s, err := p.load()
	if err != nil {
		return nil, nil, nil, err
	}
	k, err := s.find(name)
	if err != nil {
		return nil, nil, nil, err
	}
	seed, err := p.openSeed(ctx, s, k, "")
	return s, k, seed, err
}

// openSeed returns an account's seed, after asking for its PIN if it has one.
func (p *Phone) openSeed(ctx context.Context, s *state, k *storedAccount, request string) ([]byte, error) {
	if !k.Guarded {
		return parseSeed(k.Seed)
	}
	_, seed, err := p.unlock(ctx, s, k, request)
	return seed, err
}

// approvalCode returns what an approval must contain: a passcode, or the response to the request's
// nonce (protocol, section 5.7).
func (p *Phone) approvalCode(ctx context.Context, s *state, k *storedAccount, r *Request) (string, error) {
	seed, err := p.openSeed(ctx, s, k, r.ID)
	if err != nil {
		return "", err
	}
	if k.Mode != challengeMode {
		return p.passcode(s, k, seed)
	}
	sum := sha256.Sum256([]byte(r.nonce))
	return ocraResponse(otp.ApprovalSuite(k.Digits), seed, hex.EncodeToString(sum[:]))
}

// passcode returns the present passcode by this device's clock, or the next one by its counter. The
// increased counter is saved before anybody sees the passcode.
func (p *Phone) passcode(s *state, k *storedAccount, seed []byte) (string, error) {
	if k.Mode == challengeMode {
		return "", &identity.Error{Kind: identity.Conflict, Key: "phone.challenge.only",
			Err: fmt.Errorf("%s answers challenges, and makes no passcodes", k.Serial)}
	}
	if k.Period > 0 {
		return otp.TOTP(seed, k.params(), p.now()), nil
	}
	counter := k.Counter
	k.Counter++
	if err := p.save(s); err != nil {
		return "", err
	}
	return otp.HOTP(seed, k.params(), counter), nil
}

func (k *storedAccount) params() otp.Params {
	return otp.Params{Digits: k.Digits, Period: k.Period, Algorithm: k.Algorithm}
}

// ocraResponse returns the response to a question by a suite.
func ocraResponse(suite string, seed []byte, question string) (string, error) {
	s, err := otp.ParseSuite(suite)
	if err != nil {
		return "", err
	}
	return s.Response(seed, otp.OCRAInput{Question: question})
}

// parseSeed reads a seed as the server sends it.
func parseSeed(text string) ([]byte, error) {
	seed, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("phone: seed: %w", err)
	}
	return seed, nil
}
