// Package outbound is the one way Latchkey calls other servers on its own
// account: for an application's metadata, to a push service. Whoever chooses
// the address of such a call may be a stranger, and may choose one that only
// this machine can reach: a database behind the firewall, the cloud's metadata
// service (server-side request forgery). So there is one client (QLT-5), and
// it calls the internet alone, unless the configuration allows a network.
//
// What counts is the address that is really dialled. A name is looked up by
// the dialer, and each address it got is looked at just before the connection
// is made, on every connection and every redirect. To look the name up first and
// call it then would ask twice, and the name's owner could answer differently
// the second time (DNS rebinding).
//
// A call takes https, unless the network it goes to is allowed by name; at most
// three redirects, each held to the same rules; ten seconds; and as many bytes
// of an answer as the caller said. It carries no cookie, no address of where it
// came from, and goes through no proxy.
package outbound
