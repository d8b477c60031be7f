package appapi

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"

	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
)

// challengeLife is how long a person may take to show a finger or a face.
const challengeLife = 2 * time.Minute

// A credential is what proves a finger or a face: a key of WebAuthn that the
// device uses after it has verified its user, and for nobody else (CRED-8). It
// stands in for the PIN alone, never for the device's own key, which signs every
// call: passkeys may be copied to other devices.
type credential struct {
	ID    []byte `json:"id"`
	Key   []byte `json:"key"` // COSE
	Count uint32 `json:"count"`
}

// challengeBody is what challenge is sent.
type challengeBody struct {
	For     string `json:"for"`
	Request string `json:"request"`
}

// challenged is what challenge answers.
type challenged struct {
	Challenge string `json:"challenge"`
	Expires   int64  `json:"expires"`
}

// purpose binds a challenge to what it is for, and to the request it lets be
// approved: a finger shown to see a passcode approves nothing.
func purpose(what, request string) string { return what + " " + request }

// challenge gives the app a challenge to have a finger or a face verified for.
func (a *API) challenge(ctx context.Context, m message) (any, error) {
	var in challengeBody
	if err := object(m.body, &in); err != nil {
		return nil, malformed(err)
	}
	switch {
	case in.For != "register" && in.For != "unlock", in.For == "register" && in.Request != "":
		return nil, malformed(fmt.Errorf("challenge for %q", in.For))
	case in.Request != "" && !identity.IsID(identity.PushID, in.Request):
		return nil, malformed(errors.New("request is no id of one"))
	}
	random := make([]byte, 32)
	rand.Read(random)
	var until time.Time
	err := a.write(ctx, m, func(tx *store.Tx, app identity.Authenticator) error {
		if _, err := biometric(ctx, tx, app); err != nil {
			return err
		}
		until = tx.Now().Add(challengeLife)
		return tx.Biometrics().SetChallenge(ctx, app.Tenant, app.ID, random, purpose(in.For, in.Request), until)
	})
	if err != nil {
		return nil, err
	}
	return challenged{Challenge: strict64.EncodeToString(random), Expires: until.Unix()}, nil
}

// biometric returns the PIN that biometric unlock may stand in for.
func biometric(ctx context.Context, tx *store.Tx, app identity.Authenticator) (store.PIN, error) {
	if s := app.State(); s != identity.Active {
		return store.PIN{}, notInState(s)
	}
	template, err := templateOf(app)
	if err != nil {
		return store.PIN{}, err
	}
	if !template.Biometric {
		return store.PIN{}, &refusal{status: http.StatusForbidden, Code: "biometric-not-allowed"}
	}
	pin, err := tx.PINs().Get(ctx, app.Tenant, app.ID)
	if err == nil && pin.Initial {
		err = initialPIN()
	}
	return pin, err
}

// biometricBody is what biometric is sent: to set it up, both; to end it,
// nothing.
type biometricBody struct {
	Proof      string          `json:"proof"`
	Credential json.RawMessage `json:"credential"`
}

// setBiometric sets biometric unlock up, or ends it. To set it up takes the PIN:
// who found a phone unlocked could else bring their own finger.
func (a *API) setBiometric(ctx context.Context, m message) (any, error) {
	var in biometricBody
	if err := object(m.body, &in); err != nil {
		return nil, malformed(err)
	}
	if in.Proof == "" && in.Credential == nil {
		err := a.write(ctx, m, func(tx *store.Tx, app identity.Authenticator) error {
			if s := app.State(); s != identity.Active {
				return notInState(s)
			}
			return authenticator.SetCredential(ctx, tx, app, nil)
		})
		if err != nil {
			return nil, err
		}
		return a.status(ctx, m)
	}
	proof, err := exactly("proof", in.Proof, pinBytes)
	if err != nil {
		return nil, err
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(in.Credential)
	if err != nil {
		return nil, malformed(cause(err))
	}
	err = a.tryPIN(ctx, m, proof, func(tx *store.Tx, app identity.Authenticator) error {
		if _, err := biometric(ctx, tx, app); err != nil {
			return err
		}
		if err := useChallenge(ctx, tx, app, parsed.Response.CollectedClientData, "register", ""); err != nil {
			return err
		}
		id, err := a.party()
		if err != nil {
			return err
		}
		_, err = parsed.Verify(parsed.Response.CollectedClientData.Challenge, id, []string{a.base}, nil, nil,
			protocol.TopOriginExplicitVerificationMode, false, true, true, nil, algorithms, protocol.AttestationPolicy{}, protocol.SignaturePolicy{})
		if err != nil {
			return noBiometric(cause(err))
		}
		data := parsed.Response.AttestationObject.AuthData
		kept, err := json.Marshal(credential{ID: data.AttData.CredentialID, Key: data.AttData.CredentialPublicKey, Count: data.Counter})
		if err != nil {
			return fmt.Errorf("appapi: credential of %s: %w", app.ID, err)
		}
		return authenticator.SetCredential(ctx, tx, app, kept)
	})
	if err != nil {
		return nil, err
	}
	return a.status(ctx, m)
}

// algorithms are what a credential may sign with.
var algorithms = []protocol.CredentialParameter{
	{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgES256},
	{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgEdDSA},
	{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgRS256},
}

// party is the relying party of the credentials: the host of the web
// authenticator's own address, which may be another than that of the pages.
func (a *API) party() (string, error) {
	base, err := url.Parse(a.base)
	if err != nil {
		return "", fmt.Errorf("appapi: base: %w", err)
	}
	return base.Hostname(), nil
}

// useChallenge uses up the challenge that was signed, if it was given to this
// authenticator for this.
func useChallenge(ctx context.Context, tx *store.Tx, app identity.Authenticator, signed protocol.CollectedClientData, what, request string) error {
	challenge, err := strict64.DecodeString(signed.Challenge)
	if err != nil {
		return noBiometric(err)
	}
	used, err := tx.Biometrics().UseChallenge(ctx, app.Tenant, app.ID, challenge, purpose(what, request))
	if err == nil && !used {
		err = noBiometric(errors.New("another challenge, or too late"))
	}
	return err
}

// unlockByBiometric opens what a right PIN opens, for whoever the device has
// verified: an assertion of the authenticator's own credential, with user
// verification, of our own origin, over the challenge given for this. One that
// fails counts for nothing: there is nothing in it to guess.
func (a *API) unlockByBiometric(ctx context.Context, m message, in unlockBody) (any, error) {
	parsed, err := protocol.ParseCredentialRequestResponseBytes(in.Assertion)
	if err != nil {
		return nil, malformed(cause(err))
	}
	id, err := a.party()
	if err != nil {
		return nil, err
	}
	var out unlocked
	err = a.write(ctx, m, func(tx *store.Tx, app identity.Authenticator) error {
		pin, err := biometric(ctx, tx, app)
		if err != nil {
			return err
		}
		var has credential
		if len(pin.Credential) == 0 {
			return noBiometric(errors.New("not set up"))
		}
		if err := json.Unmarshal(pin.Credential, &has); err != nil {
			return fmt.Errorf("appapi: credential of %s: %w", app.ID, err)
		}
		if !bytes.Equal(parsed.RawID, has.ID) {
			return noBiometric(errors.New("another credential"))
		}
		if err := useChallenge(ctx, tx, app, parsed.Response.CollectedClientData, "unlock", in.Request); err != nil {
			return err
		}
		err = parsed.Verify(parsed.Response.CollectedClientData.Challenge, id, "", []string{a.base}, nil, nil,
			protocol.TopOriginExplicitVerificationMode, false, true, true, has.Key, protocol.SignaturePolicy{})
		if err != nil {
			return noBiometric(cause(err))
		}
		// A counter that goes back is a copy's (WebAuthn, 6.1.1); many have none.
		count := parsed.Response.AuthenticatorData.Counter
		if (count > 0 || has.Count > 0) && count <= has.Count {
			return noBiometric(fmt.Errorf("counter %d after %d", count, has.Count))
		}
		has.Count = count
		kept, err := json.Marshal(has)
		if err != nil {
			return fmt.Errorf("appapi: credential of %s: %w", app.ID, err)
		}
		if err := tx.Biometrics().SetCredential(ctx, app.Tenant, app.ID, kept); err != nil {
			return err
		}
		out, err = opened(ctx, tx, app, in.Request)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// noBiometric says that biometric unlock failed: the app asks for the PIN.
func noBiometric(cause error) *refusal {
	return &refusal{status: http.StatusUnprocessableEntity, Code: "biometric", cause: cause}
}

// cause is what the library has to say for the log, its details with it.
func cause(err error) error {
	if e, ok := errors.AsType[*protocol.Error](err); ok {
		return fmt.Errorf("%s: %s", e.Details, e.DevInfo)
	}
	return err
}
