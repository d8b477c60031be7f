// Package journey is one attempt to log in, from the request of an application
// to its end.
//
// The heart is [Next]: a pure function of the journey, what is known about the
// user, and the time, that says what comes next. It has no clock and does no
// I/O, so that the whole of logging in can be read, and tested, as a table, and
// random walks over it prove that no order of inputs reaches success without
// every required validation (JRN-1).
//
// Around it stands the [Engine]: each step loads the journey, does one thing in
// one transaction (two where a password is hashed), asks Next, and if the
// journey is done writes its session in that same transaction. Browser, journey
// API and RADIUS are faces of the same engine; none of them decides anything
// (JRN-2), and the engine knows no HTTP.
package journey
