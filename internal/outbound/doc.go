// Package outbound makes all HTTP calls that Latchkey makes on its own initiative: for an
// application's metadata, and to push services. An attacker may be able to choose the address
// of such a call, and choose one that only this machine can reach, such as a database behind a
// firewall or a cloud's metadata service (server-side request forgery). So there is one client
// (QLT-5). It only calls the internet, unless the configuration allows a network.
//
// The client checks the IP address that is actually dialled. The dialer looks up the host name,
// and each address is checked immediately before connecting, for every connection and every
// redirect. Looking up the name first and calling it afterwards would be two lookups, and the
// owner of the name could answer the second one differently (DNS rebinding).
//
// A call uses https, unless the configuration allows its network. It follows at most three
// redirects, with the same checks. It takes at most ten seconds and reads at most as many bytes
// as the caller permits. It sends no cookies and no Referer, and uses no proxy.
package outbound
