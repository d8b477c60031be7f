// Package privacyidea holds the words of the push protocol that the privacyIDEA
// Authenticator speaks, an app from the stores: the link it scans, the keys it
// registers and is given, what either side signs, and the JSON it reads. It
// follows the protocol's description and was tried with a client written from
// the same; docs/privacyidea-authenticator.md says what of it Latchkey speaks.
//
// Everything is a pure function of its arguments. Which enrolment is open, which
// request waits and what an answer does to it, is package enroll's.
//
// A signature is RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017, section 8.2) over
// fields joined by "|", written in Base32 (RFC 4648, section 6). Nothing keeps a
// "|" inside a field apart from one between two, so [Challenge] lets none into
// the texts it signs, and what an app signs are a nonce, a serial and digits of
// ours.
package privacyidea
