// Package otp makes and recognises one-time passwords: HOTP (RFC 4226), counted
// by events, and TOTP (RFC 6238), counted by time. It also reads what people
// type for a passcode, and the secrets and links authenticator apps exchange.
//
// Everything is a pure function of its arguments. To recognise a passcode is
// not yet to accept it: a passcode works once, so [Match] and [MatchCounter]
// report the step or counter it belongs to, and the caller records that as used
// in one conditional update, before anything else happens on its strength
// (RFC 6238, section 5.2).
//
// Passcodes are compared in constant time. Six digits are guessed in half a
// million tries, so what keeps them safe is the counting of wrong ones, which
// is the caller's, and a narrow window, which is bounded here.
package otp
