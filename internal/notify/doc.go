// Package notify rings browsers that have a web authenticator, by their push
// services, when a push request waits for an answer there (PUSH-24, transport
// a), and lets the others know when it was answered.
//
// What is to be rung is a row, written in the transaction of the request: it
// outlives a restart, leaves from one of several nodes, and once, as far as
// once can be had from somebody else's server. Nothing waits for it. A journey
// has gone on long before a push service is called, and with every push service
// unreachable the request is there all the same for an app that is opened
// (PUSH-27). A request that is over is never rung: before it is sent each
// notification is held against the request, the authenticator and the policy as
// they are then, and it leaves with no more time to live than the request has.
//
// The notification says who is asked, by whom and for what, in the person's
// language. It has no number and no secret (PUSH-25), and answers nothing: the
// app fetches what waits. The push service reads nothing of it; what it learns
// is that a browser was rung, when, and by which installation.
package notify
