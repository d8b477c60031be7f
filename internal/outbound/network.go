package outbound

import "net/netip"

// reserved lists the address ranges that do not belong to the internet, from the two registries
// of special addresses (RFC 6890; the IANA IPv4 and IPv6 Special-Purpose Address Registries), and
// multicast. isPublic itself excludes IPv6 addresses outside global unicast (2000::/3).
var reserved = prefixes(
	"0.0.0.0/8",       // this network; 0.0.0.0 is this machine
	"10.0.0.0/8",      // private
	"100.64.0.0/10",   // behind a carrier's NAT
	"127.0.0.0/8",     // loopback
	"169.254.0.0/16",  // link-local; the clouds' metadata services
	"172.16.0.0/12",   // private
	"192.0.0.0/24",    // protocol assignments
	"192.0.2.0/24",    // documentation
	"192.88.99.0/24",  // 6to4 relays
	"192.168.0.0/16",  // private
	"198.18.0.0/15",   // benchmarks
	"198.51.100.0/24", // documentation
	"203.0.113.0/24",  // documentation
	"224.0.0.0/4",     // multicast
	"240.0.0.0/4",     // reserved, and broadcast
	"2001::/23",       // protocol assignments, Teredo among them
	"2001:db8::/32",   // documentation
	"3fff::/20",       // documentation
)

// Prefixes of IPv6 addresses: global unicast, and those that embed an IPv4 address.
var (
	unicast   = netip.MustParsePrefix("2000::/3")
	nat64     = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052
	sixToFour = netip.MustParsePrefix("2002::/16")    // RFC 3056
)

func prefixes(texts ...string) []netip.Prefix {
	all := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		all[i] = netip.MustParsePrefix(text)
	}
	return all
}

// contains reports whether one of the networks contains an address.
func contains(networks []netip.Prefix, a netip.Addr) bool {
	for _, n := range networks {
		if n.Contains(a) {
			return true
		}
	}
	return false
}

// canonical returns an address in the form that rules are compared with: an IPv4-mapped address
// as IPv4, so that it cannot evade the rules for IPv4, and without the zone.
func canonical(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// isPublic reports whether an address belongs to the internet. An address that embeds an IPv4
// address, to which it is translated on the way, is checked as that one.
func isPublic(a netip.Addr) bool {
	a = canonical(a)
	b := a.As16()
	switch {
	case nat64.Contains(a):
		return isPublic(netip.AddrFrom4([4]byte(b[12:])))
	case sixToFour.Contains(a):
		return isPublic(netip.AddrFrom4([4]byte(b[2:6])))
	case a.Is6() && !unicast.Contains(a):
		return false // loopback, link-local, unique local, multicast, IPv4-compatible, local NAT64 …
	}
	return a.IsValid() && !contains(reserved, a)
}
