package authenticator

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/templates"
)

// A RelyingParty is the WebAuthn relying party. It is fixed by the configuration and
// never comes from a request (WebAuthn, section 13.4.9).
type RelyingParty struct {
	ID     string // the host name of the login pages
	Origin string // their scheme, host and port, the only origin that may request signatures
}

// RelyingPartyAt returns the relying party of the login pages at an address.
func RelyingPartyAt(base *url.URL) RelyingParty {
	return RelyingParty{ID: base.Hostname(), Origin: base.Scheme + "://" + base.Host}
}

// maxPasskeys is the maximum number of passkeys of a user.
const maxPasskeys = 20

// PasskeyAlgorithms are the allowed signature algorithms as COSE numbers, the preferred
// one first: ES256, EdDSA, RS256.
var PasskeyAlgorithms = []int64{int64(webauthncose.AlgES256), int64(webauthncose.AlgEdDSA), int64(webauthncose.AlgRS256)}

// A PasskeyName is what a passkey is to be called: as its user typed it, or else by
// what it is.
type PasskeyName struct {
	Typed       string
	Device      string // default of one that a device keeps
	SecurityKey string // default of one on a key that is plugged in or held near
}

// AddPasskey verifies the browser's response to a registration challenge and adds the
// passkey as an active authenticator of a user, with event and mail. The caller must
// have used up the challenge. An invalid response is an Invalid error. A passkey that
// the tenant has already is a Conflict.
//
// No attestation is requested: the models do not matter, and without it browsers show
// no warning (WebAuthn, section 5.4.7).
func AddPasskey(ctx context.Context, tx *store.Tx, u identity.User, party RelyingParty, challenge string, made []byte, called PasskeyName, from templates.Origin) (identity.Authenticator, error) {
	var none identity.Authenticator
	name := identity.CleanTyped(called.Typed)
	if utf8.RuneCountInString(name) > maxName {
		return none, &identity.Error{Kind: identity.Invalid, Key: "error.authenticator.name"}
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(made)
	if err != nil {
		return none, invalidPasskey(err)
	}
	var algorithms []protocol.CredentialParameter
	for _, a := range PasskeyAlgorithms {
		algorithms = append(algorithms, protocol.CredentialParameter{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.COSEAlgorithmIdentifier(a)})
	}
	_, err = parsed.Verify(challenge, party.ID, []string{party.Origin}, nil, nil, protocol.TopOriginExplicitVerificationMode,
		false, false, true, nil, algorithms, protocol.AttestationPolicy{}, protocol.SignaturePolicy{})
	if err != nil {
		return none, invalidPasskey(err)
	}
	held, err := store.Collect(tx.Passkeys().OfUser(ctx, u.Tenant, u.ID))
	if err != nil {
		return none, err
	}
	if len(held) >= maxPasskeys {
		return none, &identity.Error{Kind: identity.Conflict, Key: "error.passkey.most"}
	}
	if name == "" {
		name = called.Device
		if onSecurityKey(parsed.Response.Transports) {
			name = called.SecurityKey
		}
		if name, err = FreeName(ctx, tx.Reader, u.Tenant, u.ID, truncate(name, maxName)); err != nil {
			return none, err
		}
	}
	data := parsed.Response.AttestationObject.AuthData
	a := identity.Authenticator{Tenant: u.Tenant, ID: identity.NewID(identity.AuthenticatorID), Kind: identity.Passkey, Name: name,
		LastStep: -1, Template: []byte(`{}`), EnrolledAt: tx.Now(), ActivatedAt: tx.Now()}
	a.Serial = "PK-" + strings.ToUpper(a.ID[len(a.ID)-10:])
	if err := tx.Authenticators().Add(ctx, a, u.ID); err != nil {
		return none, err
	}
	p := store.Passkey{Tenant: u.Tenant, Authenticator: a.ID, User: u.ID, Credential: data.AttData.CredentialID, Key: data.AttData.CredentialPublicKey,
		Count: int64(data.Counter), AAGUID: hex.EncodeToString(data.AttData.AAGUID), Eligible: data.Flags.HasBackupEligible(), BackedUp: data.Flags.HasBackupState()}
	for _, transport := range parsed.Response.Transports {
		if transportNames[transport] { // the browser may send anything
			p.Transports = append(p.Transports, string(transport))
		}
	}
	if err := tx.Passkeys().Add(ctx, p); err != nil {
		return none, err
	}
	err = tx.Event(ctx, audit.Event{Tenant: u.Tenant, Kind: audit.AuthenticatorAdded, User: u.ID, Authenticator: a.ID, Data: map[string]string{
		"serial": a.Serial, "kind": string(a.Kind), "name": a.Name, "model": p.AAGUID, "backup": backupState(p.Eligible, p.BackedUp)}})
	if err != nil {
		return none, err
	}
	return a, notifyChange(ctx, tx, u, a, templates.PasskeyAdded, from)
}

// onSecurityKey reports whether a passkey is on a key that is plugged in or held near: it
// is reached in no other way.
func onSecurityKey(transports []protocol.AuthenticatorTransport) bool {
	known := 0
	for _, t := range transports {
		switch {
		case t == protocol.Internal, t == protocol.Hybrid:
			return false
		case transportNames[t]:
			known++
		}
	}
	return known > 0
}

// transportNames are the transports of WebAuthn, section 5.8.4.
var transportNames = map[protocol.AuthenticatorTransport]bool{
	protocol.USB: true, protocol.NFC: true, protocol.BLE: true, protocol.Hybrid: true, protocol.Internal: true, protocol.SmartCard: true,
}

// backupState describes the backup flags of a passkey in one word.
func backupState(eligible, backedUp bool) string {
	switch {
	case !eligible:
		return "no"
	case !backedUp:
		return "possible"
	}
	return "yes"
}

// An Assertion is a browser's response to an authentication challenge.
type Assertion struct {
	RelyingParty RelyingParty
	Challenge    string // the challenge in base64url; the caller must have used it up
	Signed       []byte // the browser's JSON
	User         string // id of the user whose passkey it must be; empty if the passkey says whose it is
	Verified     bool   // user verification is required
	Tenant       string
	Journey      string // id, for the event
	Application  string // id, for the event
	Personal     map[string]string
	From         templates.Origin
}

// A Signature is the result of a valid assertion.
type Signature struct {
	User          identity.User
	Authenticator identity.Authenticator
	Verified      bool // the passkey verified its user
}

// errPasskey says that an assertion is refused. The event has the reason.
var errPasskey = errors.New("authenticator: the passkey does not count")

// UsePasskey verifies an assertion and writes its event. It must be for this challenge
// and origin, by an active passkey of the right user. It returns false if the assertion
// is refused. The transaction must be committed in that case too, so that the event is
// kept.
//
// A refused assertion does not count as a failed login, because there is nothing to
// guess. A signature counter that goes back indicates a cloned passkey. The assertion
// is refused then and the owner is notified by mail. The passkey remains, because
// otherwise anybody who can cause this could deprive its owner of it.
func UsePasskey(ctx context.Context, tx *store.Tx, try Assertion) (Signature, bool, error) {
	e := audit.Event{Tenant: try.Tenant, Kind: audit.PasskeyWrong, User: try.User, Application: try.Application, Journey: try.Journey, Personal: try.Personal}
	s, reason, err := verifyAssertion(ctx, tx, try, &e)
	if err != nil && !errors.Is(err, errPasskey) {
		return Signature{}, false, err
	}
	if err != nil {
		e.Reason = reason
		return Signature{}, false, tx.Event(ctx, e)
	}
	e.Kind, e.Data["verified"] = audit.PasskeyRight, "no"
	if s.Verified {
		e.Data["verified"] = "yes"
	}
	return s, true, tx.Event(ctx, e)
}

// verifyAssertion is UsePasskey without writing the event. It sets the user and the
// authenticator in the event. reason is why the assertion is refused.
func verifyAssertion(ctx context.Context, tx *store.Tx, try Assertion, e *audit.Event) (s Signature, reason string, err error) {
	parsed, err := protocol.ParseCredentialRequestResponseBytes(try.Signed)
	if err != nil {
		return s, "unreadable", errPasskey
	}
	p, err := tx.Passkeys().ByCredential(ctx, try.Tenant, parsed.RawID)
	if errors.Is(err, identity.NotFound) {
		return s, "unknown", errPasskey
	}
	if err != nil {
		return s, "", err
	}
	if s.Authenticator, err = tx.Authenticators().Get(ctx, p.Tenant, p.Authenticator); err != nil {
		return s, "", err
	}
	e.Authenticator, e.Data = p.Authenticator, map[string]string{"serial": s.Authenticator.Serial}
	// The passkey must belong to the user whom the page expects, or else to the user
	// whom it names itself (WebAuthn, section 7.2, step 6).
	handle := parsed.Response.UserHandle
	if try.User != "" && p.User != try.User || try.User == "" && len(handle) == 0 || len(handle) > 0 && !bytes.Equal(handle, []byte(p.User)) {
		return s, "another user's", errPasskey
	}
	e.User = p.User
	err = parsed.Verify(try.Challenge, try.RelyingParty.ID, "", []string{try.RelyingParty.Origin}, nil, nil, protocol.TopOriginExplicitVerificationMode,
		false, try.Verified, true, p.Key, protocol.SignaturePolicy{})
	if err != nil {
		return s, "not verified: " + libraryCause(err), errPasskey
	}
	data := parsed.Response.AuthenticatorData
	if data.Flags.HasBackupEligible() != p.Eligible {
		return s, "backup eligibility changed", errPasskey
	}
	if state := s.Authenticator.State(); state != identity.Active {
		return s, string(state), errPasskey
	}
	if s.User, err = tx.Users().Get(ctx, p.Tenant, p.User); err != nil {
		return s, "", err
	}
	count := int64(data.Counter)
	used, err := tx.Passkeys().Use(ctx, p, count, data.Flags.HasBackupState())
	if err != nil {
		return s, "", err
	}
	if !used {
		e.Data["count"], e.Data["before"] = fmt.Sprint(count), fmt.Sprint(p.Count)
		if err := notifyChange(ctx, tx, s.User, s.Authenticator, templates.PasskeyCopied, try.From); err != nil {
			return s, "", err
		}
		return s, "counter went back", errPasskey
	}
	s.Verified = data.Flags.HasUserVerified()
	return s, "", nil
}

// invalidPasskey returns the error for a browser's response that is not a valid passkey.
func invalidPasskey(err error) error {
	return &identity.Error{Kind: identity.Invalid, Key: "error.passkey.made", Err: errors.New(libraryCause(err))}
}

// libraryCause returns the message of the library's error, with its details.
func libraryCause(err error) string {
	if e, ok := errors.AsType[*protocol.Error](err); ok {
		return e.Details + ": " + e.DevInfo
	}
	return err.Error()
}
