package identity

import "time"

// A RememberedDevice is a browser in which one user is not asked for the second factor for some
// days (JRN-9). It is not an authenticator: it proves nothing, and stands for what was proved
// when it was remembered.
type RememberedDevice struct {
	Tenant      string
	ID          string
	User        string        // id
	Browser     string        // hash of the browser's cookie
	Agent       string        // User-Agent of the last use, for display
	IP          string        // address of the last use
	CreatedAt   time.Time     // when the second factor was proved
	UsedAt      time.Time     // when it was last used instead
	Idle        time.Duration // time without use after which it ends
	ExpiresAt   time.Time     // when it ends in any case
	ForgottenAt time.Time     // zero unless it was forgotten
}

// EndsAt returns when it ends if it is not used before.
func (d RememberedDevice) EndsAt() time.Time {
	if idle := d.UsedAt.Add(d.Idle); idle.Before(d.ExpiresAt) {
		return idle
	}
	return d.ExpiresAt
}

// ValidAt reports whether it is remembered at a time.
func (d RememberedDevice) ValidAt(now time.Time) bool {
	return d.ForgottenAt.IsZero() && now.Before(d.EndsAt())
}
