// Package mail is the outbox: a message is queued in the transaction of the
// change that it reports, and sent afterwards, so that neither a crash nor a
// failing mail server loses one (ADM-9).
//
// A row holds tenant, kind, recipient, the language fixed when queued, and the
// sealed arguments; it is rendered when sent. The arguments are wiped once the
// message is sent or has expired: a code stays in the database no longer than
// it is valid, and an expired code is never sent. A message is not sent twice
// because of a key against duplicates, a lease on each row, and a Message-ID
// that stays the same over retries, so that a mail server can recognise a
// message it already has.
package mail
