// Package push is the life of a push request: asked for by a journey, shown on
// the user's phones, answered by one of them, claimed by the journey.
//
// Push is a doorbell. Nothing secret is rung with it: an app that is woken
// fetches what waits from the server, and an answer is a signed call, so a
// request that no notification announced can be answered all the same
// (PUSH-27). A transport therefore can fail without failing anything.
//
// A request ends once, in one conditional update, whatever races against what:
// two phones, an approval against *it wasn't me*, an answer against the clock
// or against the person who went back in the browser. At most one waits for a
// user, held by an index, so that no approval can be meant for another request
// than the one on the screen. An approval is not yet a login: the journey that
// asked, and no other, claims it once, and both times the user, the
// authenticator and the policy are looked at as they are then, not as they were
// when the request was sent (PUSH-26).
//
// The number of a presence check is shown by the browser and typed on the phone,
// or picked there out of three. Which of them is right never goes to the phone,
// nor into a log or an event, and is forgotten when the request ends.
//
// Requests that nobody approves are counted for their user, whatever browsers
// and phones they went between: one too many locks push for an hour, so that
// nobody is worn down to a yes (PUSH-9). Asking, answering, claiming and
// unlocking take the user's turn first (store's HoldPush), which makes the count
// exact and keeps any two of them from waiting for each other.
//
// The package knows no passcodes: who hands an answer in brings a function that
// checks the one that came with it, in the same transaction.
package push
