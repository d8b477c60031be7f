// Package journey is the engine of signing in: one attempt, from the request of
// an application to its answer.
//
// The heart is [Next]: a pure function of the journey, what is known about the
// user, and the time. It says what comes next and, for an end, why. It has no
// clock and does no I/O, so all of signing in can be read and tested as a table,
// and random sequences of inputs prove that none reaches success without every
// required validation (JRN-1).
//
// Around it stands the [Engine] with four methods:
//
//   - [Engine.Begin] begins a journey by one of three starts: an application's
//     request, an invitation, a further authenticator.
//   - [Engine.Look] returns the present [Prompt]: the step, who executes it, what
//     is asked, what went wrong.
//   - [Engine.Take] takes one [Input] of a client. It counts, prepares and commits:
//     what costs attempts is counted before anything is compared, hashes are
//     computed outside every transaction, and the step with all its effects is one
//     transaction, at whose end Next is asked again.
//   - [Engine.Wait] waits until the phone has changed something.
//
// No other package changes a journey. Browser, journey API and RADIUS are faces
// of the same engine: each turns what it receives into an Input, and a Prompt
// into what it sends. None of them decides anything (JRN-2), and the engine knows
// no HTTP.
//
// The journey API and RADIUS are not there yet; [ReadInput] and the JSON of prompts,
// docs/protocol-journey.md, are what they will stand on.
//
// A new way to confirm needs: a method and its step (identity, next.go with
// askingSteps), when it is a way (policy.Documents.Ways) and what anybody is offered
// (flow.go), an input (input.go) and its place in dispatch (take.go), what it asks
// (prompt.go, describe.go), choosing (method.go),
// rememberingSteps (device.go) and the methods of acr.go; in idp a case of readInput
// and of body, and a page.
//
// Where to find what: next.go has the order of steps, take.go the dispatch of
// inputs, flow.go what is read for a decision, describe.go how a prompt is made;
// one file a factor has what its inputs do.
package journey
