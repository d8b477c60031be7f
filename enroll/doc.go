// Package enroll turns a person without an authenticator into one with, alone,
// in the middle of logging in; and it is what authenticator apps talk to.
//
// Its first half is self-provisioning (ENR-5 to ENR-11): functions that work
// inside a caller's transaction and change the journey they are given in place.
// The caller writes the journey with StepJourney in the same transaction, so a
// code, its mail, its event and the journey's step commit together, or not at
// all. They know no HTTP; what a page shows is the caller's.
//
//	offered → SendCode → CheckCode → ChoosePlatform → (the app) → Finished
//
// A journey whose name is nobody's goes the same way as far as the code, which
// is mailed to nobody and matches nothing: from outside, all names are alike
// (ENR-4).
//
// Its second half is the authenticator apps' API, [API], as
// docs/protocol-authenticator.md has it. Every call is signed with the key the
// app made for itself when it activated. Nothing but that signature proves who
// calls, so the checks of signature.go come before everything else, and what a
// call changes happens in one transaction with the use of its jti.
//
// Two state machines meet here. An activation is open until a key uses it; it
// then stands for a pending authenticator until the app finishes or a quarter
// of an hour has passed. A push request is open until one answer ends it; this
// package checks the answer, package authenticator the passcode in it, package
// push ends the request, all in the one transaction.
package enroll
