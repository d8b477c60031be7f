package audit

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// A Kind is the kind of an event. The list is closed: an event of another kind
// cannot be written, so that reports can name all kinds.
type Kind string

// Kinds of logins and sessions.
const (
	LoginSucceeded  Kind = "login.success"
	LoginFailed     Kind = "login.failure"
	LoginDenied     Kind = "login.denied"
	LoginCancelled  Kind = "login.cancelled"
	PasswordRight   Kind = "password.success"
	PasswordWrong   Kind = "password.failure"
	ResetCodeSent   Kind = "password.reset-code-sent" // for a forgotten password; the reason says why none was sent
	ResetCodeRight  Kind = "password.reset-code-right"
	ResetCodeWrong  Kind = "password.reset-code-wrong"
	PasscodeRight   Kind = "passcode.success"
	PasscodeWrong   Kind = "passcode.failure"
	PushChallenge   Kind = "push.challenge"
	PushApproved    Kind = "push.success"
	PushRefused     Kind = "push.failure"
	OuterWindow     Kind = "passcode.outer-window"
	SessionEnded    Kind = "session.ended"
	DeviceAdded     Kind = "device.remembered"
	DeviceRight     Kind = "device.success" // a remembered device stood for the second factor
	DeviceForgotten Kind = "device.forgotten"
	UserLocked      Kind = "user.locked"
	UserUnlocked    Kind = "user.unlocked"
	PushLocked      Kind = "user.push-locked" // too many requests (PUSH-9)
	PushUnlocked    Kind = "user.push-unlocked"
	PasscodesLocked Kind = "user.passcodes-locked" // too many wrong passcodes, counted per user (CRED-12)
	CodeReuse       Kind = "oidc.code-reuse"
	RefreshReuse    Kind = "oidc.refresh-reuse"
	TokenRefreshed  Kind = "oidc.refresh"
	TokenRevoked    Kind = "oidc.revocation"
	ShortCodeFlood  Kind = "enrolment.short-code-flood"
	RequestRejected Kind = "request.rejected"
)

// Kinds of enrolments and authenticators.
const (
	EnrollOffered          Kind = "enrolment.offered"
	EnrollCodeSent         Kind = "enrolment.code-sent"
	EnrollCodeWrong        Kind = "enrolment.code-wrong"
	EnrollCodeRight        Kind = "enrolment.code-right"
	EnrollNoMail           Kind = "enrolment.no-mail"
	EnrollPlatform         Kind = "enrolment.platform"
	EnrollActivation       Kind = "enrolment.activation"
	EnrollVoided           Kind = "enrolment.voided"
	EnrollKey              Kind = "enrolment.key"
	EnrollFinished         Kind = "enrolment.finished"
	EnrollAllowed          Kind = "enrolment.allowed"
	EnrollInvited          Kind = "enrolment.invited"
	EnrollInvitationEnded  Kind = "enrolment.invitation-ended"
	EnrollInvitationBegun  Kind = "enrolment.invitation-begun"
	EnrollInvitationLeft   Kind = "enrolment.invitation-left"
	EnrollInvitationUsed   Kind = "enrolment.invitation-used"
	EnrollFurther          Kind = "enrolment.further" // begun on the self-service pages by a user who has an authenticator
	EnrollFurtherLeft      Kind = "enrolment.further-left"
	AuthenticatorAdded     Kind = "authenticator.added"
	AuthenticatorLocked    Kind = "authenticator.locked"
	AuthenticatorUnlock    Kind = "authenticator.unlocked"
	AuthenticatorSuspended Kind = "authenticator.suspended"
	AuthenticatorResumed   Kind = "authenticator.resumed"
	AuthenticatorRevoked   Kind = "authenticator.revoked"
	AuthenticatorPush      Kind = "authenticator.push"
	AuthenticatorRenamed   Kind = "authenticator.renamed"
	AuthenticatorPIN       Kind = "authenticator.pin" // changed, or wrong
	AuthenticatorResync    Kind = "authenticator.resynchronised"

	AuthenticatorImported   Kind = "authenticator.imported" // a hardware token that belongs to nobody yet
	AuthenticatorAssigned   Kind = "authenticator.assigned"
	AuthenticatorUnassigned Kind = "authenticator.unassigned"
	AuthenticatorUnused     Kind = "authenticator.unused" // its user was warned that it will become inactive
	PasskeyRight            Kind = "passkey.success"
	PasskeyWrong            Kind = "passkey.failure"
	RecoveryCodesMade       Kind = "recovery-codes.made"
	RecoveryCodeRight       Kind = "recovery-code.success"
	RecoveryCodeWrong       Kind = "recovery-code.failure"
	TemporaryMade           Kind = "temporary-passcode.made"
	TemporaryEnded          Kind = "temporary-passcode.ended" // revoked, or too many wrong guesses
)

// Kinds of administration.
const (
	TenantAdded        Kind = "tenant.added"
	TenantChanged      Kind = "tenant.changed"
	TenantRemoved      Kind = "tenant.removed" // belongs to no tenant
	UserAdded          Kind = "user.added"
	UserChanged        Kind = "user.changed"
	UserDisabled       Kind = "user.disabled"
	UserEnabled        Kind = "user.enabled"
	UserRemoved        Kind = "user.removed"
	GroupAdded         Kind = "group.added"
	GroupRemoved       Kind = "group.removed"
	GroupMember        Kind = "group.member"
	ApplicationAdded   Kind = "application.added"
	ApplicationChanged Kind = "application.changed"
	ApplicationRemoved Kind = "application.removed"
	ClientSecretMade   Kind = "application.secret"
	MetadataSource     Kind = "application.metadata-source" // the address it is fetched from was set or removed
	MetadataFailed     Kind = "application.metadata-failure"
	PolicyChanged      Kind = "policy.changed"
	KeyMade            Kind = "key.made"
	MailSent           Kind = "mail.sent"
	MailFailed         Kind = "mail.failed"
	BackupMade         Kind = "backup.made"
	BackupRestored     Kind = "backup.restored"
	DatabasePromoted   Kind = "database.promoted" // a replica became the database
)

// Kinds is the set of all kinds. Events of other kinds are refused.
var Kinds = map[Kind]bool{
	LoginSucceeded: true, LoginFailed: true, LoginDenied: true, LoginCancelled: true,
	PasswordRight: true, PasswordWrong: true, ResetCodeSent: true, ResetCodeRight: true, ResetCodeWrong: true, PasscodeRight: true, PasscodeWrong: true,
	PushChallenge: true, PushApproved: true, PushRefused: true, OuterWindow: true,
	SessionEnded: true, DeviceAdded: true, DeviceRight: true, DeviceForgotten: true, UserLocked: true, UserUnlocked: true, PushLocked: true, PushUnlocked: true, PasscodesLocked: true,
	CodeReuse: true, RefreshReuse: true, TokenRefreshed: true, TokenRevoked: true,
	ShortCodeFlood: true, RequestRejected: true,
	EnrollOffered: true, EnrollCodeSent: true, EnrollCodeWrong: true, EnrollCodeRight: true,
	EnrollNoMail: true, EnrollPlatform: true, EnrollActivation: true, EnrollVoided: true,
	EnrollKey: true, EnrollFinished: true, EnrollAllowed: true,
	EnrollInvited: true, EnrollInvitationEnded: true, EnrollInvitationBegun: true, EnrollInvitationLeft: true, EnrollInvitationUsed: true, EnrollFurther: true, EnrollFurtherLeft: true,
	AuthenticatorAdded: true, AuthenticatorLocked: true, AuthenticatorUnlock: true, AuthenticatorSuspended: true,
	AuthenticatorResumed: true, AuthenticatorRevoked: true, AuthenticatorPush: true, AuthenticatorRenamed: true, AuthenticatorPIN: true, AuthenticatorResync: true,
	AuthenticatorImported: true, AuthenticatorAssigned: true, AuthenticatorUnassigned: true, AuthenticatorUnused: true,
	PasskeyRight: true, PasskeyWrong: true, RecoveryCodesMade: true, RecoveryCodeRight: true, RecoveryCodeWrong: true, TemporaryMade: true, TemporaryEnded: true,
	TenantAdded: true, TenantChanged: true, TenantRemoved: true, UserAdded: true, UserChanged: true, UserDisabled: true, UserEnabled: true, UserRemoved: true,
	GroupAdded: true, GroupRemoved: true, GroupMember: true,
	ApplicationAdded: true, ApplicationChanged: true, ApplicationRemoved: true, ClientSecretMade: true,
	MetadataSource: true, MetadataFailed: true, PolicyChanged: true, KeyMade: true,
	MailSent: true, MailFailed: true, BackupMade: true, BackupRestored: true, DatabasePromoted: true,
}

// An Event is one immutable record. Tenant, time, actor and address are set by the
// transaction that writes it, from its principal and clock.
type Event struct {
	ID            string
	Seq           int64 // position in the tenant's chain; 0 until it is added to the chain
	Tenant        string
	At            time.Time // to the millisecond
	Kind          Kind
	Actor         identity.Principal
	User          string // id of the user it is about
	Application   string
	Authenticator string
	Journey       string
	Reason        string            // a fixed text such as "rejected by user", "wrong number", "locked"
	Data          map[string]string // what happened, without personal data: old and new values, method, rule
	Personal      map[string]string // names, addresses and places, which are erased with the user
	Salt          []byte
	Erased        bool
}

// Salted returns the JSON of the personal data and a new salt for its hash. The
// salt prevents anyone who has the chain from guessing erased names.
func (e *Event) Salted() (salt, personal []byte, err error) {
	personal, err = json.Marshal(e.Personal) // keys are sorted, so equal content gives equal text
	if err != nil {
		return nil, nil, fmt.Errorf("audit: personal data of %s: %w", e.Kind, err)
	}
	salt = make([]byte, 16)
	rand.Read(salt)
	return salt, personal, nil
}

// Digest returns the hash of the personal data that the chain covers.
func Digest(salt, personal []byte) []byte {
	h := sha256.New()
	h.Write(salt)
	h.Write(personal)
	return h.Sum(nil)
}

// KindsOf returns the kind of a name or, where there is none, those that begin with
// the name and a dot, in order.
func KindsOf(name string) []Kind {
	if Kinds[Kind(name)] {
		return []Kind{Kind(name)}
	}
	var kinds []Kind
	for _, kind := range slices.Sorted(maps.Keys(Kinds)) {
		if strings.HasPrefix(string(kind), strings.TrimSuffix(name, ".")+".") {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}
