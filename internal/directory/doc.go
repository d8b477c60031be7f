// Package directory is where users and groups come from. For now there is one
// source, our own tables: people added by an operator, with a password we keep.
//
// A password is the one secret here that people make up themselves, so it is
// kept as argon2id, which takes 19 MiB and tens of milliseconds a guess. What
// makes guessing dear makes checking dear too: a flood of logins would eat all
// memory. So no more hashes are computed at once than there are cores; others
// wait, two seconds at most, and are then told that we are busy and that
// nothing was checked.
//
// Time tells as much as words do. A name that is nobody's, a user without a
// password and one who is locked out all cost a hash, so that a stopwatch at
// the other end finds out nothing.
package directory
