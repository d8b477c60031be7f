// Package push implements push requests: a journey starts a request, the user's
// phones show it, one of them answers it, and the journey claims the approval.
//
// A push notification is only a hint. It contains no secret: an app that is woken
// fetches the waiting request from the server, and its answer is a signed request
// to the server. A request can therefore be answered even if no notification
// arrived (PUSH-27), and a transport can fail without making anything else fail.
//
// A request ends exactly once, by one conditional update, whatever happens at the
// same time: answers from two phones, an approval and *it wasn't me*, an answer and
// the expiry, or an answer and a user who goes back in the browser. A user has at
// most one open request, which an index guarantees, so that no approval can be
// meant for another request than the one on the screen. An approval is not a login
// yet. Only the journey that asked can claim it, once. User, authenticator and
// policy are checked as they are at the time of the approval and again at the time
// of the claim, not as they were when the request was sent (PUSH-26).
//
// The browser shows the number of a presence check. The user types it on the phone
// or picks it there from three. The phone is not told which number is right, nor is
// any log or event, and the number is deleted when the request ends.
//
// Requests without an approval are counted per user, across browsers and phones.
// One too many locks push for an hour, so that an attacker cannot send requests
// until the user gives in (PUSH-9). Starting, answering, claiming and unlocking
// lock the same row of the user first. This makes the count exact and prevents
// deadlocks.
//
// The package does not know how passcodes are checked. The caller of TakeAnswer
// passes a function that checks the passcode of an answer in the same transaction.
package push
