// Package enroll is self-provisioning (ENR-5 to ENR-11): a person without an
// authenticator becomes one with, alone, in the middle of a login. Its functions work
// inside a caller's transaction and change the journey they are given in place. The
// caller writes the journey in the same transaction, so that a code, its mail, its
// event and the journey's step commit together, or not at all. They know no HTTP and no
// pages.
//
//	offered → SendCode → CheckCode → ChoosePlatform → (the app) → Finish
//
// A journey whose name is nobody's goes the same way as far as the code, which
// is mailed to nobody and matches nothing: from outside, all names are alike
// (ENR-4). So that time does not tell them apart either, SendCode writes the same
// sealed row for every name, a request, and a [CodeMailer] makes and mails the code in
// a transaction of its own (T-LOG-02). The code is a row beside the journey, which
// nobody but the journey's own steps changes.
//
// [Provision] opens an activation outside a login, for an operator.
//
// An activation is open until a key uses it; it then has a pending authenticator until
// the app finishes or a quarter of an hour has passed. What apps call is in packages
// appapi and privacyideaapi, which find the activation and its app's key; the moment in
// which an authenticator becomes active is here, in [Finish] and [Adopt].
package enroll
