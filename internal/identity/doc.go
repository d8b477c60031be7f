// Package identity defines the types that all other packages share: tenants, users, groups,
// authenticators, applications, journeys and sessions, ids and names, and the kinds of errors. It
// does no I/O and does not depend on any protocol.
package identity
