package policy

// Limits says how often and for how long. Times are in seconds.
type Limits struct {
	MailCodesPerUser          int64 `json:"mail_codes_per_user"`           // sent in an hour (ENR-6)
	MailCodesPerAddress       int64 `json:"mail_codes_per_address"`        // in an hour, without a proved password
	MailCodesPerAddressProved int64 `json:"mail_codes_per_address_proved"` // in an hour, after one
	MailCodeResend            int64 `json:"mail_code_resend"`              // between two codes of a journey
	MailCodeLife              int64 `json:"mail_code_life"`
	MailCodeTries             int64 `json:"mail_code_tries"` // then a new code is needed
	ActivationLife            int64 `json:"activation_life"` // ENR-9
	JourneyLife               int64 `json:"journey_life"`    // JRN-4
	SessionIdle               int64 `json:"session_idle"`
	SessionLife               int64 `json:"session_life"`
	PasswordTriesPerAddress   int64 `json:"password_tries_per_address"` // in five minutes, by anybody
}

// Limits that are not a tenant's to set. A short code is looked up before its
// tenant is known, so guessing it is counted for all tenants together (ENR-9a).
const (
	WrongShortCodesPerAddress = 10   // in an hour
	WrongShortCodesInAll      = 1000 // in an hour
	PendingLife               = 15 * 60
	JourneyMost               = 90 * 60 // however often self-provisioning extends it (JRN-4)
)

// DefaultLimits returns the values the specification names.
func DefaultLimits() Limits {
	return Limits{
		MailCodesPerUser:          5,
		MailCodesPerAddress:       20,
		MailCodesPerAddressProved: 500,
		MailCodeResend:            30,
		MailCodeLife:              10 * 60,
		MailCodeTries:             5,
		ActivationLife:            10 * 60,
		JourneyLife:               15 * 60,
		SessionIdle:               3600,
		SessionLife:               12 * 3600,
		PasswordTriesPerAddress:   300,
	}
}

// Kind returns KindLimits.
func (Limits) Kind() Kind { return KindLimits }

// Validate reports all that is wrong. The upper ends keep a code from being
// worth guessing; the lower ends keep people from being unable to finish.
func (l Limits) Validate() error {
	var ps Problems
	ps.within("mail_codes_per_user", l.MailCodesPerUser, 1, 20)
	ps.within("mail_codes_per_address", l.MailCodesPerAddress, 1, 1000)
	ps.within("mail_codes_per_address_proved", l.MailCodesPerAddressProved, 1, 10000)
	ps.within("mail_code_resend", l.MailCodeResend, 10, 600)
	ps.within("mail_code_life", l.MailCodeLife, 60, 10*60)
	ps.within("mail_code_tries", l.MailCodeTries, 1, 10)
	ps.within("activation_life", l.ActivationLife, 5*60, 60*60)
	ps.within("journey_life", l.JourneyLife, 5*60, 60*60)
	ps.within("session_idle", l.SessionIdle, 60, 24*3600)
	ps.within("session_life", l.SessionLife, 300, 30*24*3600)
	if l.SessionIdle > l.SessionLife {
		ps.add("session_idle", "idle")
	}
	ps.within("password_tries_per_address", l.PasswordTriesPerAddress, 10, 100000)
	return ps.err()
}
