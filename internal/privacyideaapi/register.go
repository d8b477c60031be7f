package privacyideaapi

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/latchkey-id/latchkey/enroll"
	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/privacyidea"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/templates"
)

// privacyIDEAName is what its authenticators are called: the app gives them no
// name.
const privacyIDEAName = "privacyIDEA Authenticator"

// privacyIDEACapabilities are what the app can do, whatever it says of itself:
// that is signed by nobody, and one that claimed to take typed numbers would be a
// way around them.
var privacyIDEACapabilities = []string{policy.NoPresence.Capability(), policy.Pick.Capability()}

// newServerKey makes the key the server signs with for one authenticator.
func newServerKey() (*rsa.PrivateKey, error) {
	return rsa.GenerateKey(rand.Reader, privacyidea.KeyBits)
}

// registered is what an app is told: the key with which the server will sign.
type registered struct {
	Key    string `json:"public_key"`
	Serial string `json:"serial"`
	State  string `json:"rollout_state"`
}

// register turns the enrolment that an app scanned into an active authenticator,
// once. The same key gets the same answer until the enrolment would have
// expired, for an answer may have been lost on its way; another gets none.
func (p *API) register(r *http.Request, t identity.Tenant, form url.Values) (registered, error) {
	ctx := r.Context()
	in, err := privacyidea.ReadRegistration(form)
	if err != nil {
		return registered{}, errUnverified(err)
	}
	key, err := privacyidea.ParseKey(in.Key)
	if err != nil {
		return registered{}, errUnverified(err)
	}
	text := privacyidea.KeyText(key)
	sum := sha256.Sum256([]byte(text))
	thumbprint := base64.RawURLEncoding.EncodeToString(sum[:])

	// Looked for before a key is made and before a transaction is begun: a
	// other with random credentials shall have neither.
	act, err := p.enrollment(ctx, p.db.Reader, t, in, thumbprint)
	if err != nil {
		return registered{}, err
	}
	if act.UsedAt.IsZero() {
		if err := p.enroll(r, t, in, text, thumbprint); err != nil {
			return registered{}, err
		}
	}
	return p.registered(ctx, t, in.Serial)
}

// enrollment returns the open enrolment that a credential is good for, or the one
// that this key has used.
func (p *API) enrollment(ctx context.Context, db store.Reader, t identity.Tenant, in privacyidea.Registration, thumbprint string) (store.Activation, error) {
	over := errUnverified(errors.New("privacyideaapi: the enrolment is over, used by another key, or of another serial"))
	for looked := false; ; looked = true {
		act, err := db.Activations().BySecret(ctx, in.Credential)
		if errors.Is(err, identity.NotFound) {
			return act, errUnverified(err)
		}
		if err != nil {
			return act, err
		}
		if act.Tenant != t.ID || act.Platform != identity.PrivacyIDEA || !db.Now().Before(act.ExpiresAt) {
			return act, errUnverified(errors.New("privacyideaapi: no such enrolment here"))
		}
		switch enroll.StateOf(act, db.Now()) {
		case enroll.Done:
			if act.Thumbprint == thumbprint {
				return act, nil
			}
			return act, over
		case enroll.Waiting:
			codes, err := db.Activations().Codes(ctx, act)
			switch {
			case err == nil && codes.Serial == in.Serial:
				return act, nil
			case errors.Is(err, identity.NotFound) && !looked:
				continue // used between the two reads: by this key, perhaps
			case err != nil && !errors.Is(err, identity.NotFound):
				return act, err
			}
		}
		return act, over
	}
}

// enroll makes the authenticator, active at once. The server's key for it is made first, outside
// the transaction: it takes longer than all else together, and there is one
// writer at a time.
func (p *API) enroll(r *http.Request, t identity.Tenant, in privacyidea.Registration, key, thumbprint string) error {
	ctx := r.Context()
	server, err := p.serverKey(ctx)
	if err != nil {
		return err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(server)
	if err != nil {
		return fmt.Errorf("privacyideaapi: server's key: %w", err)
	}
	a := identity.Authenticator{Tenant: t.ID, ID: identity.NewID(identity.AuthenticatorID), Serial: in.Serial,
		Kind: identity.AppToken, Protocol: identity.PrivacyIDEAPush, Name: privacyIDEAName, Platform: identity.PrivacyIDEA,
		LastStep: -1, Key: []byte(key), Capabilities: privacyIDEACapabilities}
	err = p.db.InTx(ctx, p.principal(r, a), func(tx *store.Tx) error {
		act, err := p.enrollment(ctx, tx.Reader, t, in, thumbprint)
		if err != nil || !act.UsedAt.IsZero() { // by another try of the same app
			return err
		}
		user, err := tx.Users().Get(ctx, act.Tenant, act.User)
		if err != nil {
			return err
		}
		if !user.Enabled() {
			return errUnverified(errors.New("privacyideaapi: the user is disabled"))
		}
		a.Template = act.Template
		if err := enroll.Adopt(ctx, tx, act, a, thumbprint); err != nil {
			return err
		}
		if err := tx.ServerKeys().Set(ctx, a.Tenant, a.ID, pkcs8); err != nil {
			return err
		}
		// Who enrols this app wants push of it: it can nothing else.
		if err := authenticator.SetPush(ctx, tx, a, true); err != nil {
			return err
		}
		return enroll.Announce(ctx, tx, act.Journey, user, a, templates.Origin{IP: tx.Who().IP, At: tx.Now()}, act.Language,
			audit.Event{Kind: audit.EnrollFinished,
				Data: map[string]string{"activation": act.ID, "platform": string(act.Platform), "push": "true"}})
	})
	if errors.Is(err, identity.Conflict) || errors.Is(err, identity.Forbidden) {
		// Used meanwhile, by another try of this app at best; else by another key,
		// or voided, or push was switched off.
		if act, late := p.enrollment(ctx, p.db.Reader, t, in, thumbprint); late == nil && !act.UsedAt.IsZero() {
			return nil
		}
		return errUnverified(err)
	}
	return err
}

// serverKey makes a key when it is this call's turn.
func (p *API) serverKey(ctx context.Context) (*rsa.PrivateKey, error) {
	select {
	case p.making <- struct{}{}:
		defer func() { <-p.making }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	key, err := p.newKey()
	if err != nil {
		return nil, fmt.Errorf("privacyideaapi: server's key: %w", err)
	}
	return key, nil
}

// signer opens the server's key of an authenticator.
func (p *API) signer(ctx context.Context, a identity.Authenticator) (*rsa.PrivateKey, error) {
	pkcs8, err := p.db.ServerKeys().Get(ctx, a.Tenant, a.ID)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(pkcs8)
	if err != nil {
		return nil, fmt.Errorf("privacyideaapi: server's key of %s: %w", a.ID, err)
	}
	private, ok := key.(*rsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("privacyideaapi: server's key of %s is a %T", a.ID, key)
	}
	return private, nil
}

// registered says what the app of a serial has to know.
func (p *API) registered(ctx context.Context, t identity.Tenant, serial string) (registered, error) {
	a, _, err := p.app(ctx, t, serial)
	if err != nil {
		return registered{}, err
	}
	key, err := p.signer(ctx, a)
	if err != nil {
		return registered{}, err
	}
	return registered{Key: privacyidea.ServerKeyText(&key.PublicKey), Serial: a.Serial, State: "enrolled"}, nil
}
