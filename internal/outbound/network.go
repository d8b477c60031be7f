package outbound

import "net/netip"

// reserved lists what is not the internet, of the two registries of special
// addresses (RFC 6890; the IPv4 and IPv6 Special-Purpose Address Registries),
// with multicast. Of IPv6, all beyond global unicast (2000::/3) is left out
// by public itself.
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
	"240.0.0.0/4",     // for ever reserved, and broadcast
	"2001::/23",       // protocol assignments, Teredo among them
	"2001:db8::/32",   // documentation
	"3fff::/20",       // documentation
)

// Prefixes of IPv6 addresses that stand for IPv4 ones.
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

// contains reports whether one of networks has an address.
func contains(networks []netip.Prefix, a netip.Addr) bool {
	for _, n := range networks {
		if n.Contains(a) {
			return true
		}
	}
	return false
}

// plain is an address in its shortest form: an IPv4-mapped one as IPv4, so that
// it cannot slip past the rules for IPv4, and without the zone, which says only
// by which interface.
func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// public reports whether an address is of the internet. One that stands for an
// IPv4 address, and is turned into that on its way, is judged as that one.
func public(a netip.Addr) bool {
	a = plain(a)
	b := a.As16()
	switch {
	case nat64.Contains(a):
		return public(netip.AddrFrom4([4]byte(b[12:])))
	case sixToFour.Contains(a):
		return public(netip.AddrFrom4([4]byte(b[2:6])))
	case a.Is6() && !unicast.Contains(a):
		return false // loopback, link-local, unique local, multicast, IPv4-compatible, local NAT64 …
	}
	return a.IsValid() && !contains(reserved, a)
}
