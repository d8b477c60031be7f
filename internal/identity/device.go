package identity

import "time"

// A RememberedDevice is a browser in which one user, after the password, is not
// asked for the one-time password for some days (JRN-9). It is no authenticator:
// it proves nothing, and stands for what was proved when it was remembered.
type RememberedDevice struct {
	Tenant      string
	ID          string
	User        string        // id
	Browser     string        // hash of the browser's cookie
	Agent       string        // what the browser called itself when last used, for people
	IP          string        // from where it was last used
	CreatedAt   time.Time     // when the second factor was given
	UsedAt      time.Time     // when it last stood for that
	Idle        time.Duration // after which it ends unused
	ExpiresAt   time.Time     // however often it is used
	ForgottenAt time.Time     // zero while it was not
}

// EndsAt is when it will not count any more if it is not used until then.
func (d RememberedDevice) EndsAt() time.Time {
	if idle := d.UsedAt.Add(d.Idle); idle.Before(d.ExpiresAt) {
		return idle
	}
	return d.ExpiresAt
}

// Counts reports whether it is remembered at a moment.
func (d RememberedDevice) Counts(now time.Time) bool {
	return d.ForgottenAt.IsZero() && now.Before(d.EndsAt())
}
