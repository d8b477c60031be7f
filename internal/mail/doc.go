// Package mail is the outbox: a message is queued in the transaction of what it
// tells of, and sent afterwards, so that a crash or a dead mail server loses
// none (ADM-9).
//
// A row holds tenant, kind, recipient, the language fixed when queued, and the
// sealed arguments; it is rendered when sent. The arguments are wiped once the
// message is sent or has expired: a code stays in the database no longer than
// it is good for, and an expired code is never sent. Repeats are avoided by a
// key against duplicates, by a lease on each row, and by a Message-ID that stays
// the same over retries, by which a mail server recognises the one it has.
package mail
