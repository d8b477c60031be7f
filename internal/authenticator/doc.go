// Package authenticator is the life of what proves a second factor: it checks
// passcodes, counts the wrong ones, locks, unlocks and revokes.
//
// Somebody with several authenticators types a passcode without saying of
// which, so it is tried on all that are active. The one it belongs to takes it
// and starts counting anew; if it belongs to none, it counts against every one,
// since it may have been meant for any (CRED-11). One that is right and yet lets
// nobody in, because it was used before or its authenticator is locked, counts
// against none: nobody guessed. In every case the person reads the same words;
// why is for the events alone.
//
// A tenant may have wrong ones counted against the user instead (CRED-12). Then no
// authenticator locks because another is used; passcodes as a whole do, for a
// while that grows, and every other way stays open.
//
// A passcode works once (CRED-9). What decides that is not a look at the row
// but the update that uses the passcode up, so a hundred copies of one, on two
// nodes at the same moment, let one in.
package authenticator
