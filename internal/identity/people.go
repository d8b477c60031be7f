package identity

import "time"

// A Tenant is one organisation: its own users, groups, applications, policies
// and keys. Its slug is part of its addresses and never changes.
type Tenant struct {
	ID           string
	Slug         string
	Name         string
	Organisation string // shown on the phone with a push request; empty means Name
	Language     string // BCP 47, takes part in choosing a reader's language
	HelpContact  string // what people who cannot go on are told to turn to
	Alerts       []string
	CreatedAt    time.Time
}

// OrganisationName is what people know the tenant by.
func (t Tenant) OrganisationName() string {
	if t.Organisation != "" {
		return t.Organisation
	}
	return t.Name
}

// A User is a person who logs in.
type User struct {
	Tenant           string
	ID               string
	Name             string // the login name as given
	DisplayName      string
	Mail             string
	Language         string    // what the person picked; empty until then
	Password         string    // argon2id in PHC form; empty when there is none
	Failures         int64     // failed logins in a row (CRED-20)
	LockedUntil      time.Time // by failures, in browsers not known before
	LockedAt         time.Time // by an operator, until one unlocks
	PushLockedUntil  time.Time // too many push requests (PUSH-9)
	PasscodesLocked  time.Time // until when, by wrong ones counted against the user (CRED-12)
	PasscodeFailures int64     // wrong passcodes in a row, where they are counted against the user
	UnlockDue        bool      // was told by mail of a lock, and is to be told of its end (CRED-13)
	DisabledAt       time.Time
	RemovedAt        time.Time // nothing but the id is left
	MayEnrollAt      time.Time // an operator's leave to enrol again (ENR-1); zero means none
	EverEnrolledAt   time.Time // when the first authenticator became active; zero means never
	CreatedAt        time.Time
	PasswordChanged  time.Time
	PasswordDue      bool // an operator wants another chosen in the next login
}

// Enabled reports whether the user may log in at all.
func (u User) Enabled() bool { return u.DisabledAt.IsZero() }

// A Group is a named set of users.
type Group struct {
	Tenant    string
	ID        string
	Name      string
	CreatedAt time.Time
}
