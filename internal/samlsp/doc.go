// Package samlsp is what we know of SAML service providers: it reads the metadata
// that an operator vouches for, keeps the part of it that we act on as an
// application's configuration, and says what differs between two readings.
//
// Operators' acts write that configuration, and package saml answers requests by
// it. Neither depends on the other: both stand on this package.
package samlsp
