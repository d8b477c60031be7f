package policy

import "time"

// Devices says for how long a device is remembered where an access rule allows
// that (JRN-9). The time is fixed when the device is remembered. Changing it
// affects devices remembered from then on.
type Devices struct {
	Days     int64 `json:"days"`      // since the login that remembered the device
	IdleDays int64 `json:"idle_days"` // since the device was last used
}

// DefaultDevices remembers a device for 30 days, or until 14 days after its last use.
func DefaultDevices() Devices { return Devices{Days: 30, IdleDays: 14} }

// Kind returns KindDevices.
func (Devices) Kind() Kind { return KindDevices }

// Validate reports everything that is wrong.
func (d Devices) Validate() error {
	var ps Problems
	ps.inRange("days", d.Days, 1, 365)
	ps.inRange("idle_days", d.IdleDays, 1, 365)
	return ps.err()
}

const day = 24 * time.Hour

// Lifetime returns for how long a device is remembered.
func (d Devices) Lifetime() time.Duration { return time.Duration(d.Days) * day }

// Idle returns for how long a device is remembered without being used.
func (d Devices) Idle() time.Duration { return time.Duration(d.IdleDays) * day }
