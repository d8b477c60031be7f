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

// A Party is the relying party of passkeys, fixed by the configuration: it never
// comes from a request (WebAuthn, section 13.4.9).
type Party struct {
	ID     string // the host of the login pages
	Origin string // their scheme, host and port, which alone may ask for signatures
}

// PartyAt is the relying party of the login pages at an address.
func PartyAt(base *url.URL) Party {
	return Party{ID: base.Hostname(), Origin: base.Scheme + "://" + base.Host}
}

// maxPasskeys is how many passkeys a user may have.
const maxPasskeys = 20

// PasskeyAlgorithms are those a passkey may sign with, in COSE's numbers, the
// preferred one first: ES256, EdDSA, RS256.
var PasskeyAlgorithms = []int64{int64(webauthncose.AlgES256), int64(webauthncose.AlgEdDSA), int64(webauthncose.AlgRS256)}

// AddPasskey checks what a browser made of a challenge, and adds the passkey to a
// user's authenticators, active from now on, with event and mail. The challenge
// must have been used up by whoever calls. What does not fit, whatever it is, is
// an Invalid; a passkey the tenant has already is a Conflict.
//
// No attestation is asked for: which models there are is nobody's business here,
// and without it browsers do not warn (WebAuthn, section 5.4.7).
func AddPasskey(ctx context.Context, tx *store.Tx, u identity.User, party Party, challenge string, made []byte, typed string, from templates.Origin) (identity.Authenticator, error) {
	var none identity.Authenticator
	name := identity.CleanTyped(typed)
	if name == "" || utf8.RuneCountInString(name) > maxName {
		return none, &identity.Error{Kind: identity.Invalid, Key: "error.authenticator.name"}
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(made)
	if err != nil {
		return none, passkeyUnfit(err)
	}
	var algorithms []protocol.CredentialParameter
	for _, a := range PasskeyAlgorithms {
		algorithms = append(algorithms, protocol.CredentialParameter{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.COSEAlgorithmIdentifier(a)})
	}
	_, err = parsed.Verify(challenge, party.ID, []string{party.Origin}, nil, nil, protocol.TopOriginExplicitVerificationMode,
		false, false, true, nil, algorithms, protocol.AttestationPolicy{}, protocol.SignaturePolicy{})
	if err != nil {
		return none, passkeyUnfit(err)
	}
	held, err := store.Collect(tx.Passkeys().OfUser(ctx, u.Tenant, u.ID))
	if err != nil {
		return none, err
	}
	if len(held) >= maxPasskeys {
		return none, &identity.Error{Kind: identity.Conflict, Key: "error.passkey.most"}
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
		if transportNames[transport] { // anything may stand there
			p.Transports = append(p.Transports, string(transport))
		}
	}
	if err := tx.Passkeys().Add(ctx, p); err != nil {
		return none, err
	}
	err = tx.Event(ctx, audit.Event{Tenant: u.Tenant, Kind: audit.AuthenticatorAdded, User: u.ID, Authenticator: a.ID, Data: map[string]string{
		"serial": a.Serial, "kind": string(a.Kind), "name": a.Name, "model": p.AAGUID, "backup": backup(p.Eligible, p.BackedUp)}})
	if err != nil {
		return none, err
	}
	return a, tellOfChange(ctx, tx, u, a, templates.PasskeyAdded, from)
}

// transportNames are the transports of WebAuthn, section 5.8.4.
var transportNames = map[protocol.AuthenticatorTransport]bool{
	protocol.USB: true, protocol.NFC: true, protocol.BLE: true, protocol.Hybrid: true, protocol.Internal: true, protocol.SmartCard: true,
}

// backup says in a word what a passkey says of copies.
func backup(eligible, backedUp bool) string {
	switch {
	case !eligible:
		return "no"
	case !backedUp:
		return "possible"
	}
	return "yes"
}

// An Assertion is what a browser had a passkey sign.
type Assertion struct {
	Party     Party
	Challenge string // the one that was asked to be signed, in base64url; used up by whoever calls
	Signed    []byte // the browser's JSON of it
	User      string // id, whose passkey it must be; empty where it says whose it is
	Verified  bool   // whether the user must have been verified
	Tenant    string
	Journey   string // id; for the event
	Asks      string // id of the application; for the event
	Personal  map[string]string
	From      templates.Origin
}

// A Signature is a passkey's that was right.
type Signature struct {
	User          identity.User
	Authenticator identity.Authenticator
	Verified      bool // the passkey verified its user
}

// errPasskey is what the caller is told of a signature that does not count; the
// event has the reason.
var errPasskey = errors.New("authenticator: the passkey does not count")

// UsePasskey checks a signature and writes its event: of this challenge, of our
// own origin, by a passkey that is active and its user's. It reports false if it
// does not count, for whatever reason; the transaction must commit all the same,
// or the try would leave no trace.
//
// A wrong one counts for nothing against its user: there is nothing in it to
// guess. A counter that goes back is a copy's. It is refused, and its owner is
// told by mail; the passkey stays, since whoever can bring that about could else
// take it from its owner.
func UsePasskey(ctx context.Context, tx *store.Tx, try Assertion) (Signature, bool, error) {
	e := audit.Event{Tenant: try.Tenant, Kind: audit.PasskeyWrong, User: try.User, Application: try.Asks, Journey: try.Journey, Personal: try.Personal}
	s, reason, err := signature(ctx, tx, try, &e)
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

// signature is UsePasskey without its event, of which it fills in whose passkey
// it is. reason is why it does not count.
func signature(ctx context.Context, tx *store.Tx, try Assertion, e *audit.Event) (s Signature, reason string, err error) {
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
	// Whose it is: the page's user, or whom the passkey names, which must be its
	// own user too (WebAuthn, section 7.2, step 6).
	handle := parsed.Response.UserHandle
	if try.User != "" && p.User != try.User || try.User == "" && len(handle) == 0 || len(handle) > 0 && !bytes.Equal(handle, []byte(p.User)) {
		return s, "another user's", errPasskey
	}
	e.User = p.User
	err = parsed.Verify(try.Challenge, try.Party.ID, "", []string{try.Party.Origin}, nil, nil, protocol.TopOriginExplicitVerificationMode,
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
		if err := tellOfChange(ctx, tx, s.User, s.Authenticator, templates.PasskeyCopied, try.From); err != nil {
			return s, "", err
		}
		return s, "counter went back", errPasskey
	}
	s.Verified = data.Flags.HasUserVerified()
	return s, "", nil
}

// passkeyUnfit says that what the browser made is no passkey of ours.
func passkeyUnfit(err error) error {
	return &identity.Error{Kind: identity.Invalid, Key: "error.passkey.made", Err: errors.New(libraryCause(err))}
}

// libraryCause is what the library has to say, its details with it.
func libraryCause(err error) string {
	if e, ok := errors.AsType[*protocol.Error](err); ok {
		return e.Details + ": " + e.DevInfo
	}
	return err.Error()
}
