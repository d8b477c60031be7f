// Package otp makes and recognises one-time passwords: HOTP (RFC 4226), counted
// by events, and TOTP (RFC 6238), counted by time; these and the links that carry
// their secrets to apps are made by github.com/pquerna/otp. Which passcodes are
// looked at, and that each counts once, is ours. It also reads what people type for
// a passcode or a secret, and makes the responses of OCRA (RFC 6287).
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
