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
)

// offersPasswordless reports whether the first page asks for a passkey in place of
// name, password and second factor.
func (f *flow) offersPasswordless() bool {
	return f.Step == Identify && f.Rules.Credentials.Passkeys == policy.Passwordless
}

// passkeyChallenge is what a passkey is asked to sign at the page of a journey, in
// base64url. It is no row: it is made of the journey, the version its page was
// made from, and a key that is not in the database, so that nobody can know it
// before, and every page of every journey has another. A signature is a step, a
// step names its version, and of a version there is one step: so it is used once,
// on any node, and lives as long as its page does.
func passkeyChallenge(r store.Reader, j *identity.Journey) (string, error) {
	mac, _, err := r.MAC(strconv.FormatInt(j.Version, 10), "passkey challenge", j.Tenant, j.ID)
	return base64.RawURLEncoding.EncodeToString(mac), err
}

// signWithPasskey takes the signature of a passkey: as the second factor of
// whoever gave a password or, on the first page, as everything at once.
func (f *flow) signWithPasskey(ctx context.Context, tx *store.Tx, in SignWithPasskey) error {
	j := f.Journey
	j.Notice = "error.passkey.wrong"
	if err := f.allow(ctx, tx, "passkey"); err != nil {
		return err
	}
	first := f.at(Identify)
	if first && !f.offersPasswordless() {
		return nil // switched off since the page was made
	}
	challenge, err := passkeyChallenge(tx.Reader, j)
	if err != nil {
		return err
	}
	s, right, err := authenticator.UsePasskey(ctx, tx, authenticator.Assertion{RelyingParty: authenticator.RelyingPartyAt(f.engine.Base), Challenge: challenge,
		Signed: in.Credential, User: j.UserID, Verified: f.asksVerified(), Tenant: j.Tenant, Journey: j.ID, Application: j.Application,
		Personal: personal(j), From: f.origin(tx)})
	if err != nil || !right {
		return err
	}
	if err := f.refundAddress(ctx, tx, "passkey"); err != nil {
		return err
	}
	if first {
		return f.identifyByPasskey(ctx, tx, s)
	}
	j.Notice, f.unchanged = "", true
	method := identity.ByPasskey
	if s.Verified {
		method = identity.ByVerifiedPasskey
	}
	passPasskey(j, s, method, tx.Now())
	return nil
}

// identifyByPasskey identifies whose passkey signed. One that verified its user is
// two factors in one, and stands for both. What keeps its user out is looked at as
// it is for everybody who proved something: a lock, a policy that denies.
func (f *flow) identifyByPasskey(ctx context.Context, tx *store.Tx, s authenticator.Signature) error {
	j := f.Journey
	if !s.User.Enabled() {
		return nil // the words are those of a passkey that nobody knows
	}
	forget(j)
	j.Name, j.UserID, j.Notice = s.User.Name, s.User.ID, ""
	if err := f.anchor(ctx, tx); err != nil {
		return err
	}
	j.Passed = append(j.Passed, identity.CompletedFactor{Validation: identity.Password, Method: identity.ByVerifiedPasskey, Authenticator: s.Authenticator.ID, At: tx.Now()})
	passPasskey(j, s, identity.ByVerifiedPasskey, tx.Now())
	return f.identified(ctx, tx)
}

// passPasskey notes what a passkey proved: a second factor, unless there was one,
// and that its user was verified, if that is so.
func passPasskey(j *identity.Journey, s authenticator.Signature, method identity.Method, at time.Time) {
	proved := []identity.Validation{identity.SecondFactor}
	if s.Verified {
		proved = append(proved, identity.VerifiedPasskey)
	}
	for _, validation := range proved {
		if !j.Has(validation) {
			j.Passed = append(j.Passed, identity.CompletedFactor{Validation: validation, Method: method, Authenticator: s.Authenticator.ID, At: at})
		}
	}
}

// asksVerified reports whether a passkey at the page must verify its user: without
// a password, and where policy or the application asks for no less.
func (f *flow) asksVerified() bool {
	return f.Step == Identify || slices.Contains(f.Journey.Missing(), identity.VerifiedPasskey)
}

// askPasskey is what a browser is asked to have signed. The credentials that may
// sign are those of the user who gave a password; on the first page anybody's may.
func (f *flow) askPasskey(ctx context.Context, r store.Reader) (*AskedPasskey, error) {
	challenge, err := passkeyChallenge(r, f.Journey)
	if err != nil {
		return nil, err
	}
	ask := &AskedPasskey{Challenge: challenge, RelyingID: authenticator.RelyingPartyAt(f.engine.Base).ID, Verified: f.asksVerified()}
	if f.Step != AskPasskey || f.Journey.UserID == "" {
		return ask, nil
	}
	held, err := store.Collect(r.Passkeys().OfUser(ctx, f.Journey.Tenant, f.Journey.UserID))
	for _, p := range held {
		ask.Allow = append(ask.Allow, PasskeyCredential{ID: p.Credential, Transports: p.Transports})
	}
	return ask, err
}
