// Package push is the life of a push request: one push sent for one journey,
// answered by at most one authenticator.
//
// At most one request of a user is unfinished at a time; the database promises
// it by a partial unique index. Each end is final and reached by one
// conditional update, so of an approval on one phone and a denial on another in
// the same millisecond exactly one counts (PUSH-26). At its time a request
// counts as expired even if nobody wrote that. An approval is claimed once, by
// the journey that asked, within a minute; at the approval and at the claim the
// live state is looked at again.
//
// Push is a doorbell: an app fetches everything when it opens, and every
// journey can finish without any push service (PUSH-27). The package knows no
// passcodes: who checks an answer does that, and ends the request here, in the
// same transaction.
package push
