package appapi

import (
	"context"
	"crypto/hkdf"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"time"

	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
)

const (
	pinSalt  = 16 // bytes
	pinBytes = 32 // of a proof, and of the server's half
	// leastIterations of PBKDF2 an app may make its proofs with, and the most
	// that are not a mistake. The initial PIN needs few: it is random, guards
	// nothing yet, and we make its proof ourselves, for whoever activates.
	leastIterations   = 100_000
	mostIterations    = 100_000_000
	initialIterations = 10_000
	// initialDigits of an initial PIN: enough for what is shown for minutes and
	// tried a few times.
	initialDigits = 8
	// unlockLife is how long after an unlock for it a request may be approved.
	unlockLife = time.Minute
)

// standingPIN is how an authenticator's PIN stands.
type standingPIN struct {
	Salt       string `json:"salt"`
	Iterations int64  `json:"iterations"`
	Initial    bool   `json:"initial,omitempty"`
	Left       int64  `json:"attempts_left"`
	Biometric  string `json:"biometric,omitempty"` // id of the credential, where it is set up
}

// pinned is the template of an authenticator, for its app.
func pinned(t policy.Template) activatedTemplate {
	out := activatedTemplate{PIN: t.PIN, Biometric: t.Biometric}
	if t.PIN == policy.UserPIN {
		out.PINRules, out.PINAttempts = &t.PINRules, t.PINAttempts
	}
	return out
}

// pinStanding tells how an authenticator's PIN stands; nil where it has none.
func pinStanding(ctx context.Context, r store.Reader, app identity.Authenticator, t policy.Template) (*standingPIN, error) {
	pin, err := r.PINs().Get(ctx, app.Tenant, app.ID)
	if errors.Is(err, identity.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	s := &standingPIN{Salt: strict64.EncodeToString(pin.Salt), Iterations: pin.Iterations, Initial: pin.Initial}
	if len(pin.Credential) > 0 {
		var has credential
		if err := json.Unmarshal(pin.Credential, &has); err != nil {
			return nil, fmt.Errorf("appapi: credential of %s: %w", app.ID, err)
		}
		s.Biometric = strict64.EncodeToString(has.ID)
	}
	if pin.LockedAt.IsZero() {
		s.Left = t.PINAttempts - pin.Failures
	}
	return s, nil
}

// pinStands is what status says of an authenticator's template and PIN.
func (a *API) pinStands(ctx context.Context, app identity.Authenticator) (activatedTemplate, *standingPIN, error) {
	template, err := templateOf(app)
	if err != nil {
		return activatedTemplate{}, nil, err
	}
	pin, err := pinStanding(ctx, a.db.Reader, app, template)
	return pinned(template), pin, err
}

// templateOf reads the copy of the template that an authenticator was made by.
func templateOf(app identity.Authenticator) (policy.Template, error) {
	t, err := policy.Read[policy.Template](app.Template)
	if err != nil {
		return t, fmt.Errorf("appapi: template of %s: %w", app.ID, err)
	}
	return t, nil
}

// firstPIN gives a pending authenticator its initial PIN (CRED-5). It is shown
// on the page of its enrolment, to whoever began that: whoever only took a
// picture of the QR code gets no further than here.
func firstPIN(ctx context.Context, tx *store.Tx, app identity.Authenticator, t policy.Template) error {
	if t.PIN != policy.UserPIN {
		return nil
	}
	most := new(big.Int).Exp(big.NewInt(10), big.NewInt(initialDigits), nil)
	n, err := rand.Int(rand.Reader, most)
	if err != nil {
		return fmt.Errorf("appapi: initial PIN: %w", err)
	}
	pin := fmt.Sprintf("%0*d", initialDigits, n)
	salt := make([]byte, pinSalt)
	rand.Read(salt)
	proof, err := proofOf(pin, salt, initialIterations)
	if err != nil {
		return err
	}
	return tx.PINs().Add(ctx, app.Tenant, app.ID, pin, store.NewPIN{Salt: salt, Iterations: initialIterations, Proof: proof})
}

// proofOf makes the proof of a PIN, as an app does.
func proofOf(pin string, salt []byte, iterations int) ([]byte, error) {
	stretched, err := pbkdf2.Key(sha256.New, pin, salt, iterations, pinBytes)
	if err != nil {
		return nil, fmt.Errorf("appapi: proof of a PIN: %w", err)
	}
	return hkdf.Key(sha256.New, stretched, nil, "latchkey pin proof v1", pinBytes)
}

// pinBody is what pin is sent.
type pinBody struct {
	Proof string `json:"proof"`
	New   struct {
		Salt       string `json:"salt"`
		Iterations int64  `json:"iterations"`
		Proof      string `json:"proof"`
		Half       string `json:"half"`
	} `json:"new"`
}

// read returns the proof of the PIN that was, and the PIN that shall be.
func (b pinBody) read() (proof []byte, to store.NewPIN, err error) {
	proof, err = exactly("proof", b.Proof, pinBytes)
	if err != nil {
		return nil, to, err
	}
	if to.Salt, err = exactly("new.salt", b.New.Salt, pinSalt); err != nil {
		return nil, to, err
	}
	if to.Proof, err = exactly("new.proof", b.New.Proof, pinBytes); err != nil {
		return nil, to, err
	}
	if to.Half, err = exactly("new.half", b.New.Half, pinBytes); err != nil {
		return nil, to, err
	}
	if to.Iterations = b.New.Iterations; to.Iterations < leastIterations || to.Iterations > mostIterations {
		return nil, to, malformed(fmt.Errorf("new.iterations %d", to.Iterations))
	}
	return proof, to, nil
}

// exactly reads a field of that many bytes.
func exactly(name, text string, size int) ([]byte, error) {
	data, err := strict64.DecodeString(text)
	if err == nil && len(data) != size {
		err = fmt.Errorf("%d bytes, want %d", len(data), size)
	}
	if err != nil {
		return nil, malformed(fmt.Errorf("%s: %w", name, err))
	}
	return data, nil
}

// changePIN changes the PIN: the initial one before the authenticator can do
// anything, and later whenever its person wants. That it obeys the template is
// the app's to see to: the server never hears a PIN (CRED-6).
func (a *API) changePIN(ctx context.Context, m message) (any, error) {
	var in pinBody
	if err := object(m.body, &in); err != nil {
		return nil, malformed(err)
	}
	proof, to, err := in.read()
	if err != nil {
		return nil, err
	}
	err = a.tryPIN(ctx, m, proof, func(tx *store.Tx, app identity.Authenticator) error {
		return authenticator.ChangePIN(ctx, tx, app, to)
	})
	if err != nil {
		return nil, err
	}
	return a.status(ctx, m)
}

// unlockBody is what unlock is sent.
type unlockBody struct {
	Proof     string          `json:"proof"`
	Assertion json.RawMessage `json:"assertion"` // instead, of WebAuthn
	Request   string          `json:"request"`
}

// unlocked is what unlock answers.
type unlocked struct {
	Half  string `json:"half"`
	Until int64  `json:"until,omitempty"` // with a request: when its approval must have come
}

// unlock releases the server's half of the key of the seed to whoever proves
// the PIN, and lets them approve a push request, if they name one.
func (a *API) unlock(ctx context.Context, m message) (any, error) {
	var in unlockBody
	if err := object(m.body, &in); err != nil {
		return nil, malformed(err)
	}
	if in.Request != "" && !identity.IsID(identity.PushID, in.Request) {
		return nil, malformed(errors.New("request is no id of one"))
	}
	if in.Proof == "" && in.Assertion != nil {
		return a.unlockByBiometric(ctx, m, in)
	}
	proof, err := exactly("proof", in.Proof, pinBytes)
	if err != nil {
		return nil, err
	}
	var out unlocked
	err = a.tryPIN(ctx, m, proof, func(tx *store.Tx, app identity.Authenticator) error {
		out, err = opened(ctx, tx, app, in.Request)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// opened is what an unlock opens.
func opened(ctx context.Context, tx *store.Tx, app identity.Authenticator, request string) (unlocked, error) {
	half, err := tx.PINs().Half(ctx, app.Tenant, app.ID)
	if errors.Is(err, identity.NotFound) {
		return unlocked{}, initialPIN()
	}
	if err != nil {
		return unlocked{}, err
	}
	out := unlocked{Half: strict64.EncodeToString(half)}
	if request == "" {
		return out, nil
	}
	until := tx.Now().Add(unlockLife)
	out.Until = until.Unix()
	return out, tx.PINs().UnlockFor(ctx, app.Tenant, app.ID, request, until)
}

// initialPIN says that the initial PIN was not changed yet.
func initialPIN() *refusal { return &refusal{status: http.StatusConflict, Code: "initial-pin"} }

// wrongPIN says how many tries are left.
func wrongPIN(left int64) *refusal {
	return &refusal{status: http.StatusUnprocessableEntity, Code: "pin", Left: &left}
}

// tryPIN runs f if a proof of the PIN is right. A wrong one is counted, which
// must last: the transaction commits then, and the use of the call's jti with it.
func (a *API) tryPIN(ctx context.Context, m message, proof []byte, f func(tx *store.Tx, app identity.Authenticator) error) error {
	var no error
	err := a.write(ctx, m, func(tx *store.Tx, app identity.Authenticator) error {
		if s := app.State(); s != identity.Active && s != identity.Pending {
			return notInState(s)
		}
		if _, err := tx.PINs().Get(ctx, app.Tenant, app.ID); errors.Is(err, identity.NotFound) {
			return malformed(errors.New("this authenticator has no PIN"))
		} else if err != nil {
			return err
		}
		right, left, err := authenticator.TryPIN(ctx, tx, app, proof)
		switch {
		case err != nil:
			return err
		case right:
			return f(tx, app)
		}
		no = wrongPIN(left)
		if left > 0 || app.State() != identity.Pending {
			return nil
		}
		// Whoever cannot say the initial PIN has not seen the page.
		user, err := userOf(ctx, tx.Reader, app)
		if err != nil {
			return err
		}
		return authenticator.VoidActivation(ctx, tx, app.Tenant, user.ID, "wrong PINs")
	})
	if err != nil {
		return err
	}
	return no
}

// chosenPIN refuses to finish an authenticator whose PIN is still the initial
// one: it must be changed before its first use (CRED-5).
func chosenPIN(ctx context.Context, tx *store.Tx, app identity.Authenticator) error {
	pin, err := tx.PINs().Get(ctx, app.Tenant, app.ID)
	switch {
	case errors.Is(err, identity.NotFound):
		return nil
	case err != nil:
		return err
	case pin.Initial:
		return initialPIN()
	}
	return nil
}

// askedWho refuses an approval that did not follow an unlock for this very
// request within a minute, where the template wants to know whose hand the app
// is in. The device's key alone proves the device, not its person (CRED-7).
func askedWho(ctx context.Context, tx *store.Tx, app identity.Authenticator, request string) error {
	template, err := templateOf(app)
	if err != nil {
		return err
	}
	if template.PIN != policy.UserPIN {
		return nil
	}
	used, err := tx.PINs().UseUnlock(ctx, app.Tenant, app.ID, request)
	if err == nil && !used {
		err = &refusal{status: http.StatusUnprocessableEntity, Code: "pin", cause: errors.New("no unlock for this request")}
	}
	return err
}
