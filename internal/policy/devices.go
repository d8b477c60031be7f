package policy

import "time"

// Devices says for how long a device is remembered where an access rule lets it
// be (JRN-9). It is fixed when the device is remembered; a shorter time set later
// holds for those remembered from then on.
type Devices struct {
	Days     int64 `json:"days"`      // from the login that remembered it
	IdleDays int64 `json:"idle_days"` // since it was last used
}

// DefaultDevices remembers for thirty days, and for fourteen unused.
func DefaultDevices() Devices { return Devices{Days: 30, IdleDays: 14} }

// Kind returns KindDevices.
func (Devices) Kind() Kind { return KindDevices }

// Validate reports all that is wrong.
func (d Devices) Validate() error {
	var ps Problems
	ps.within("days", d.Days, 1, 365)
	ps.within("idle_days", d.IdleDays, 1, 365)
	return ps.err()
}

const day = 24 * time.Hour

// Life is how long a device is remembered.
func (d Devices) Life() time.Duration { return time.Duration(d.Days) * day }

// Idle is how long one is that is not used.
func (d Devices) Idle() time.Duration { return time.Duration(d.IdleDays) * day }
