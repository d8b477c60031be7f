// Package identity holds the nouns of the house: tenants, users, groups,
// authenticators, applications, journeys and sessions, and the errors every
// floor speaks. It does no I/O and knows no transport.
package identity
