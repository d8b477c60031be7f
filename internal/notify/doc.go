// Package notify sends Web Push notifications to browsers with a web authenticator
// when a push request is waiting for an answer there (PUSH-24, transport a), and
// when the request was answered elsewhere.
//
// A notification to send is a row that is written in the transaction of the push
// request. It survives a restart and is sent by one of several nodes. It is sent
// once, as far as a push service allows that to be known. Nothing waits for it: the
// journey has continued long before a push service is called. If no push service
// can be reached, an app that is opened still finds the request (PUSH-27). No
// notification is sent for a request that has ended: before sending, each one is
// checked against the request, the authenticator and the policy as they are then,
// and its time to live is what remains of the request's.
//
// The text of a notification says who is asked, by which organisation and for which
// application, in the user's language. It contains neither the number of a presence
// check nor any secret (PUSH-25), and cannot be used to answer: the app fetches the
// request from the server. Push services cannot read the text. They learn which
// browser was notified, when, and by which installation.
package notify
