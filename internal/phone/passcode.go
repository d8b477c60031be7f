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

// challenges is the mode of an account that answers challenges (protocol, 5.1).
const challenges = "challenge"

// A Code is a passcode, or the response to a challenge.
type Code struct {
	Account string `json:"account"`
	User    string `json:"user"`
	Code    string `json:"passcode"`
	Left    int64  `json:"seconds_left"` // for which it is the current one; 0 where time does not end it
}

// Passcode returns the passcode of an account, named by its id, serial or user;
// the name may be empty where there is one account only. A PIN is asked for where
// one guards it, and proved to the server. One that is counted is used up by this.
func (p *Phone) Passcode(ctx context.Context, name string) (Code, error) {
	s, k, seed, err := p.opened(ctx, name)
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

// Respond returns an account's response to the challenge of eight digits that a
// sign-in page shows.
func (p *Phone) Respond(ctx context.Context, name, challenge string) (Code, error) {
	if challenge = otp.Canonical(challenge); !digits(challenge, 8) {
		return Code{}, &identity.Error{Kind: identity.Invalid, Key: "phone.challenge.format", Err: errors.New("a challenge has eight digits")}
	}
	_, k, seed, err := p.opened(ctx, name)
	if err != nil {
		return Code{}, err
	}
	if k.Mode != challenges {
		return Code{}, &identity.Error{Kind: identity.Conflict, Key: "phone.challenge.none",
			Err: fmt.Errorf("%s makes passcodes, and answers no challenges", k.Serial)}
	}
	response, err := answer(otp.ChallengeSuite(k.Digits), seed, challenge)
	return Code{Account: k.ID, User: k.User, Code: response}, err
}

// opened finds an account and opens its seed.
func (p *Phone) opened(ctx context.Context, name string) (*state, *keptAccount, []byte, error) {
	s, err := p.load()
	if err != nil {
		return nil, nil, nil, err
	}
	k, err := s.find(name)
	if err != nil {
		return nil, nil, nil, err
	}
	seed, err := p.open(ctx, s, k, "")
	return s, k, seed, err
}

// open returns an account's seed, unlocking it for a request if a PIN guards it.
func (p *Phone) open(ctx context.Context, s *state, k *keptAccount, request string) ([]byte, error) {
	if !k.Guarded {
		return seedOf(k.Seed)
	}
	_, seed, err := p.unlock(ctx, s, k, request)
	return seed, err
}

// consent is what goes with an approval: a passcode, or the response to the
// request's nonce (protocol, 5.7).
func (p *Phone) consent(ctx context.Context, s *state, k *keptAccount, r *Request) (string, error) {
	seed, err := p.open(ctx, s, k, r.ID)
	if err != nil {
		return "", err
	}
	if k.Mode != challenges {
		return p.passcode(s, k, seed)
	}
	sum := sha256.Sum256([]byte(r.nonce))
	return answer(otp.ApprovalSuite(k.Digits), seed, hex.EncodeToString(sum[:]))
}

// passcode makes the passcode of now by the phone's own clock, or the next one by
// its counter, which is kept raised before anybody sees the passcode.
func (p *Phone) passcode(s *state, k *keptAccount, seed []byte) (string, error) {
	if k.Mode == challenges {
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

func (k *keptAccount) params() otp.Params {
	return otp.Params{Digits: k.Digits, Period: k.Period, Algorithm: k.Algorithm}
}

// answer makes the response to a question by a suite of ours.
func answer(suite string, seed []byte, question string) (string, error) {
	s, err := otp.ParseSuite(suite)
	if err != nil {
		return "", err
	}
	return s.Response(seed, otp.OCRAInput{Question: question})
}

// seedOf reads a seed as the server sends it.
func seedOf(text string) ([]byte, error) {
	seed, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("phone: seed: %w", err)
	}
	return seed, nil
}
