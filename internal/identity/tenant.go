package identity

import "time"

// A Tenant is one organisation with its own users, groups, applications, policies and keys. Its slug
// is part of its addresses and never changes.
type Tenant struct {
	ID           string
	Slug         string
	Name         string
	Organisation string // shown on the phone with a push request; empty means Name
	Language     string // BCP 47; used in choosing a user's language
	HelpContact  string // whom users are told to ask for help
	NoMailNames  bool   // a typed mail address does not stand for the user who has it
	NameLabel    string // what the field for the user name is called; empty means as the language has it
	Alerts       []string
	CreatedAt    time.Time
}

// OrganisationName returns the name by which users know the tenant.
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
	Language         string    // chosen by the user; may be empty
	Password         string    // hash in PHC format; empty without a password
	Failures         int64     // consecutive failed logins (CRED-20)
	LockedUntil      time.Time // because of failures, in unknown browsers
	LockedAt         time.Time // by an operator, until one unlocks
	PushLockedUntil  time.Time // too many push requests (PUSH-9)
	PasscodesLocked  time.Time // until when; because of wrong passcodes counted against the user (CRED-12)
	PasscodeFailures int64     // consecutive wrong passcodes, if they are counted against the user
	UnlockDue        bool      // was notified of a lock by mail, and must be notified of its end (CRED-13)
	DisabledAt       time.Time
	RemovedAt        time.Time // only the id remains
	EnrollPermitAt   time.Time // when an operator permitted to enrol again (ENR-1); zero without a permit
	EverEnrolledAt   time.Time // when the first authenticator became active; zero means never
	CreatedAt        time.Time
	PasswordChanged  time.Time
	PasswordDue      bool // must be changed in the next login
}

// Enabled reports whether the user may log in.
func (u User) Enabled() bool { return u.DisabledAt.IsZero() }

// A Group is a named set of users.
type Group struct {
	Tenant    string
	ID        string
	Name      string
	CreatedAt time.Time
}
