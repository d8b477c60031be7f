package policy

import (
	"fmt"
	"net/netip"
	"slices"
)

// Limits says how often and for how long things may happen. Times are in seconds.
type Limits struct {
	MailCodesPerUser           int64 `json:"mail_codes_per_user"`           // per hour (ENR-6)
	MailCodesPerAddress        int64 `json:"mail_codes_per_address"`        // per hour, without a proved password
	MailCodesPerAddressProved  int64 `json:"mail_codes_per_address_proved"` // per hour, after a proved password
	MailCodeResend             int64 `json:"mail_code_resend"`              // minimum time between two codes of a journey
	MailCodeLifetime           int64 `json:"mail_code_life"`
	MailCodeAttempts           int64 `json:"mail_code_tries"` // wrong entries after which a new code is needed
	ActivationLifetime         int64 `json:"activation_life"` // ENR-9
	JourneyLifetime            int64 `json:"journey_life"`    // JRN-4
	SessionIdle                int64 `json:"session_idle"`
	SessionLifetime            int64 `json:"session_life"`
	PasswordAttemptsPerAddress int64 `json:"password_tries_per_address"` // wrong ones in five minutes, for all users together

	// ExemptNetworks are not counted by address, such as the one behind which a whole
	// hospital signs in.
	ExemptNetworks []netip.Prefix `json:"exempt_networks,omitempty"`
}

// Exempts reports whether what is done from an address is not counted against it.
func (l Limits) Exempts(address netip.Addr) bool {
	address = address.Unmap().WithZone("")
	return slices.ContainsFunc(l.ExemptNetworks, func(n netip.Prefix) bool { return n.Contains(address) })
}

// Limits that tenants cannot change. A short code is looked up before its tenant
// is known, so wrong ones are counted across all tenants (ENR-9a).
const (
	WrongShortCodesPerAddress = 10      // per hour
	WrongShortCodesTotal      = 1000    // per hour
	PendingLifetime           = 15 * 60 // seconds
	MaxJourneyLifetime        = 90 * 60 // seconds, however often self-provisioning extends the journey (JRN-4)
)

// DefaultLimits returns the values that the specification names.
func DefaultLimits() Limits {
	return Limits{
		MailCodesPerUser:           5,
		MailCodesPerAddress:        20,
		MailCodesPerAddressProved:  500,
		MailCodeResend:             30,
		MailCodeLifetime:           10 * 60,
		MailCodeAttempts:           5,
		ActivationLifetime:         10 * 60,
		JourneyLifetime:            15 * 60,
		SessionIdle:                3600,
		SessionLifetime:            12 * 3600,
		PasswordAttemptsPerAddress: 300,
	}
}

// Kind returns KindLimits.
func (Limits) Kind() Kind { return KindLimits }

// Validate reports everything that is wrong. The upper bounds keep codes from
// being guessed. The lower bounds leave users enough time to finish.
func (l Limits) Validate() error {
	var ps Problems
	ps.inRange("mail_codes_per_user", l.MailCodesPerUser, 1, 20)
	ps.inRange("mail_codes_per_address", l.MailCodesPerAddress, 1, 1000)
	ps.inRange("mail_codes_per_address_proved", l.MailCodesPerAddressProved, 1, 10000)
	ps.inRange("mail_code_resend", l.MailCodeResend, 10, 600)
	ps.inRange("mail_code_life", l.MailCodeLifetime, 60, 10*60)
	ps.inRange("mail_code_tries", l.MailCodeAttempts, 1, 10)
	ps.inRange("activation_life", l.ActivationLifetime, 5*60, 60*60)
	ps.inRange("journey_life", l.JourneyLifetime, 5*60, 60*60)
	ps.inRange("session_idle", l.SessionIdle, 60, 24*3600)
	ps.inRange("session_life", l.SessionLifetime, 300, 30*24*3600)
	if l.SessionIdle > l.SessionLifetime {
		ps.add("session_idle", "idle")
	}
	ps.inRange("password_tries_per_address", l.PasswordAttemptsPerAddress, 10, 100000)
	for i, n := range l.ExemptNetworks {
		ps.checkNetwork(fmt.Sprintf("exempt_networks[%d]", i), n)
	}
	return ps.err()
}
