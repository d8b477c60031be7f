// Package doctor checks a server and reports what is in order, what will cause problems, and what
// prevents users from logging in, each with its meaning and what to do.
//
// It changes nothing and sends no mail. The checks are independent, so that an unreachable database
// does not hide an expired certificate. Findings are written for operators who are called at night:
// they name the configuration key or the command to use.
package doctor
