// Package doctor looks a server over and says what it finds: what is well, what
// will be trouble, and what keeps people from logging in, each with what it
// means and what to do.
//
// It changes nothing and mails nothing. Each examination stands alone, so that
// a dead database does not hide an expired certificate. It is written for who
// is called at night: a finding names the key or the command to turn to.
package doctor
