// Package authenticator manages authenticators: it checks passcodes, counts wrong
// ones, assigns, locks, unlocks and revokes authenticators, and handles passkeys,
// recovery codes and temporary passcodes.
//
// A user with several authenticators types a passcode without saying which one made
// it. It is therefore compared with all of them. If it belongs to one, that one
// accepts it and its count of wrong passcodes is reset. If it belongs to none, it
// counts against every active one, because it could have been meant for any of them
// (CRED-11). A right passcode that is refused, because it was used before or its
// authenticator is locked, counts against none, because nobody guessed. Users get the
// same message in all cases; only events have the reason.
//
// A tenant can count wrong passcodes per user instead (CRED-12). Then using one
// authenticator never locks another. Instead, all the user's passcodes are locked for
// a time that grows with each lock, and other methods remain available.
//
// A passcode works once (CRED-9). This is decided by the conditional update that uses
// it up and not by reading the row first. Of a hundred copies of a passcode that
// arrive at two nodes at the same time, one is accepted.
package authenticator
