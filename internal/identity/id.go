package identity

import (
	"crypto/rand"
	"encoding/base32"
	"regexp"
)

// Prefixes of ids. Each says what kind of object the id belongs to.
const (
	TenantID        = "ten"
	UserID          = "usr"
	GroupID         = "grp"
	ApplicationID   = "app"
	AuthenticatorID = "aut"
	JourneyID       = "jrn"
	RequestID       = "req"
	SessionID       = "ses"
	ActivationID    = "act"
	PushID          = "psh"
	MessageID       = "msg"
	EventID         = "evt"
	KeyID           = "key"
	GrantID         = "grt"
	TokenID         = "tok"
	InvitationID    = "inv"
	DeviceID        = "dev" // of a remembered device
)

var lowerBase32 = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// NewID returns a random id of 128 bits with a prefix, such as "usr_m5qk3c…". Ids are not
// secrets, although they cannot be guessed.
func NewID(prefix string) string {
	var b [16]byte
	rand.Read(b[:])
	return prefix + "_" + lowerBase32.EncodeToString(b[:])
}

// NewSecret returns a random secret of 256 bits in lower-case base32, for
// cookies, codes and tokens. Only its SHA-256 is stored.
func NewSecret() string {
	var b [32]byte
	rand.Read(b[:])
	return lowerBase32.EncodeToString(b[:])
}

var wellFormedID = regexp.MustCompile(`^[a-z]{3}_[a-z2-7]{26}$`)

// IsID reports whether s has the format of an id with the prefix. Clients send ids in addresses;
// anything else must not reach a query.
func IsID(prefix, s string) bool {
	return len(s) == len(prefix)+27 && s[:len(prefix)] == prefix && wellFormedID.MatchString(s)
}

// IsSecret reports whether s has the format of [NewSecret], so that other cookie values do not
// reach a query.
func IsSecret(s string) bool {
	if len(s) != 52 {
		return false
	}
	for _, c := range s {
		if (c < 'a' || c > 'z') && (c < '2' || c > '7') {
			return false
		}
	}
	return true
}
