// Bench measures how fast Latchkey is: it makes an installation in a temporary folder,
// fills it with people, starts the real binary on loopback, and lets browsers
// that it plays itself sign in to applications that it plays too.
//
// Nothing is pretended on the server's side: pages are fetched and posted as a
// browser would, passcodes are made from seeds, the ID token of every login is
// checked down to its signature. A login that fails is counted, and makes the
// run fail.
//
// Load and server share one machine, so a rate alone says little. Beside every
// rate stands what the server's process itself spent, in milliseconds of CPU a
// login; and beside all of it what this machine can do at best, measured in the
// same minute: the password hash, RSA, XML and ES256 signatures. The targets
// are ratios between the two, since those hold on other machines as well.
//
// The applications have their ID tokens signed with ES256, as the figures always had
// them. With RS256, the default, a login costs one signature by RSA-2048 more.
//
// It reads /proc, so it runs on Linux.
package main
