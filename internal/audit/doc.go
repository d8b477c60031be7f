// Package audit defines the events that are recorded, and how reports read them.
//
// One table holds both the audit log (who changed what, ADM-5) and the
// authentication activity (who logged in and how, ADM-6). An event is written in
// the transaction of the change it describes, so that both happen or neither
// does. The list of event kinds is closed.
//
// Names, addresses and places are kept apart from the rest of an event, so that a
// person's data can be erased later. Events form a hash chain per tenant, which
// proves that nothing else was changed. The chain covers a salted hash of the
// personal data, not the data, so erasing them does not break it.
package audit
