package journey

import (
	"context"
	"encoding/base64"
	"slices"
	"strconv"
	"time"

	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/templates"
)

// offersPasskey reports whether a passkey may confirm: by who has one, once a
// password was proved (CRED-19). Before that it is offered to nobody by name: which
// passkeys may sign would tell whose name it is (ENR-4). Where policy lets
// passkeys stand for a password too, the first page takes anybody's, and asks no
// name.
func (v *View) offersPasskey() bool {
	return v.Rules.Credentials.Passkeys != policy.NoPasskeys && v.Journey.Proved() &&
		slices.ContainsFunc(v.Authenticators, func(a identity.Authenticator) bool {
			return a.Kind == identity.Passkey && a.State() == identity.Active
		})
}

// OffersPasswordless reports whether the page asks for a passkey in the place of
// name, password and one-time password.
func (v *View) OffersPasswordless() bool {
	return v.Step == Identify && v.Rules.Credentials.Passkeys == policy.Passwordless
}

// PasskeyChallenge is what a passkey is asked to sign at the page of a journey, in
// base64url. It is no row: it is made of the journey, the version its page was
// made from, and a key that is not in the database, so that nobody can know it
// before, and every page of every journey has another. A signature is a step, a
// step names its version, and of a version there is one step: so it is used once,
// on any node (foundations: use-once), and lives as long as its page does.
func PasskeyChallenge(r store.Reader, j *identity.Journey) (string, error) {
	mac, _, err := r.MAC(strconv.FormatInt(j.Version, 10), "passkey challenge", j.Tenant, j.ID)
	return base64.RawURLEncoding.EncodeToString(mac), err
}

// A Signed is what a browser had a passkey sign, and for which relying party.
type Signed struct {
	Party authenticator.Party
	JSON  []byte
}

// Passkey takes the signature of a passkey: as the second factor of who gave a
// password or, on the first page, as everything at once.
func (e *Engine) Passkey(ctx context.Context, visit Visit, v *View, signed Signed) (*View, error) {
	return e.Step(ctx, visit, v, func(tx *store.Tx, v *View) error {
		j := v.Journey
		j.Notice = "error.passkey.wrong"
		if err := hit(ctx, tx, visit, v, "passkey"); err != nil {
			return err
		}
		alone := v.Step == Identify
		if alone && !v.OffersPasswordless() {
			return nil // switched off since the page was made
		}
		challenge, err := PasskeyChallenge(tx.Reader, j)
		if err != nil {
			return err
		}
		s, right, err := authenticator.UsePasskey(ctx, tx, authenticator.Assertion{Party: signed.Party, Challenge: challenge, Signed: signed.JSON,
			User: j.UserID, Verified: v.AsksVerified(), Tenant: j.Tenant, Journey: j.ID, Asks: j.Application, Personal: personal(j),
			From: templates.Origin{IP: visit.Who.IP, Browser: j.Fingerprint, At: tx.Now()}})
		if err != nil || !right {
			return err
		}
		if alone {
			return e.passwordless(ctx, tx, v, s)
		}
		j.Notice, v.kept = "", true
		method := identity.ByPasskey
		if s.Verified {
			method = identity.ByVerifiedPasskey
		}
		prove(j, s, method, tx.Now())
		return nil
	}, Identify, AskPasskey)
}

// passwordless identifies whose passkey signed. One that verified its user is two
// factors in one, and stands for both. What keeps its user out is looked at as it
// is for everybody who proved something: a lock, a policy that denies.
func (e *Engine) passwordless(ctx context.Context, tx *store.Tx, v *View, s authenticator.Signature) (err error) {
	j := v.Journey
	if !s.User.Enabled() {
		return nil // the words are those of a passkey that nobody knows
	}
	forget(j)
	j.Name, j.UserID, j.Notice = s.User.Name, s.User.ID, ""
	if j.KnownBrowser, _, err = tx.Users().KnownBrowser(ctx, j.Tenant, j.UserID, j.Browser); err != nil {
		return err
	}
	fresh, err := e.gather(ctx, tx.Reader, j, v.Rules)
	if err != nil {
		return err
	}
	*v, v.kept = *fresh, true
	j.Passed = append(j.Passed, identity.Passed{Validation: identity.Password, Method: identity.ByVerifiedPasskey, Authenticator: s.Authenticator.ID, At: tx.Now()})
	prove(j, s, identity.ByVerifiedPasskey, tx.Now())
	return evaluate(v)
}

// prove notes what a passkey proved: a second factor, unless there was one, and
// that its user was verified, if that is so.
func prove(j *identity.Journey, s authenticator.Signature, method identity.Method, at time.Time) {
	proved := []identity.Validation{identity.SecondFactor}
	if s.Verified {
		proved = append(proved, identity.VerifiedPasskey)
	}
	for _, validation := range proved {
		if !j.Has(validation) {
			j.Passed = append(j.Passed, identity.Passed{Validation: validation, Method: method, Authenticator: s.Authenticator.ID, At: at})
		}
	}
}

// AsksVerified reports whether a passkey at the page must verify its user: without
// a password, and where policy or the application asks for no less.
func (v *View) AsksVerified() bool {
	return v.Step == Identify || slices.Contains(v.Journey.Missing(), identity.VerifiedPasskey)
}

// PasskeysToSign lists the credentials that may sign at the page of a journey:
// those of the user who gave a password, and none on the first page.
func (e *Engine) PasskeysToSign(ctx context.Context, v *View) ([]store.Passkey, error) {
	if v.Step != AskPasskey || v.Journey.UserID == "" {
		return nil, nil
	}
	return store.Collect(e.DB.Passkeys().OfUser(ctx, v.Journey.Tenant, v.Journey.UserID))
}
