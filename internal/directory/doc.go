// Package directory manages users and groups, checks passwords and locks users. There is
// one source of users so far: the database, with users added by operators.
//
// Passwords are chosen by people and can be guessed, so they are stored as argon2id hashes.
// Each guess costs 19 MiB and tens of milliseconds. So does each check, and many concurrent
// logins could exhaust the memory. Therefore at most as many hashes are computed at the
// same time as there are cores. Others wait for at most two seconds and then get an error
// which says that the server is busy and that nothing was checked.
//
// Checks take equally long for an unknown name, a user without a password and a locked
// user, because each computes a hash. Measuring the time therefore reveals nothing about a
// name.
package directory
