package outbound

import (
	"net/netip"
	"testing"
)

func TestQLT5_WhatIsTheInternet(t *testing.T) {
	for address, want := range map[string]bool{
		"1.1.1.1": true, "8.8.8.8": true, "100.63.255.255": true, "100.128.0.1": true, "172.15.0.1": true, "172.32.0.1": true,
		"192.167.0.1": true, "198.17.255.255": true, "198.20.0.1": true, "223.255.255.255": true, "9.255.255.255": true, "11.0.0.1": true,
		"2606:4700:4700::1111": true, "2a00:1450::1": true, "::ffff:8.8.8.8": true, "64:ff9b::8.8.8.8": true, "2002:808:808::1": true,

		"127.0.0.1": false, "127.255.255.254": false, "0.0.0.0": false, "0.1.2.3": false, "10.0.0.1": false, "10.255.255.255": false,
		"172.16.0.1": false, "172.31.255.255": false, "192.168.0.1": false, "169.254.169.254": false, "100.64.0.1": false,
		"100.127.255.255": false, "192.0.0.8": false, "192.0.2.1": false, "192.88.99.1": false, "198.18.0.1": false, "198.19.255.255": false,
		"198.51.100.1": false, "203.0.113.9": false, "224.0.0.1": false, "239.255.255.255": false, "240.0.0.1": false, "255.255.255.255": false,
		"::": false, "::1": false, "fe80::1": false, "fe80::1%eth0": false, "fec0::1": false, "fc00::1": false, "fd00:ec2::254": false,
		"ff02::1": false, "ff0e::1": false, "::127.0.0.1": false, "::8.8.8.8": false, "100::1": false, "2001:db8::1": false,
		"2001::1": false, "2001:0:7f00:1::": false, "2001:10::1": false, "3fff::1": false, "5f00::1": false, "4000::1": false,
		"::ffff:127.0.0.1": false, "::ffff:10.0.0.1": false, "::ffff:169.254.169.254": false, "::ffff:0.0.0.0": false,
		"64:ff9b::127.0.0.1": false, "64:ff9b::10.0.0.1": false, "64:ff9b::a9fe:a9fe": false, "64:ff9b:1::8.8.8.8": false,
		"2002:7f00:1::": false, "2002:a00:1::1": false, "2002:a9fe:a9fe::1": false, "2002:c0a8:1::": false,
	} {
		if got := isPublic(netip.MustParseAddr(address)); got != want {
			t.Errorf("public(%s) = %v, want %v", address, got, want)
		}
	}
	if isPublic(netip.Addr{}) {
		t.Error("no address at all is public")
	}
}

// Addresses outside the internet are never called, unless a network with them is allowed. Plain http
// is only possible in allowed networks.
func TestQLT5_Guard(t *testing.T) {
	some := prefixes("10.1.0.0/16", "fd00:1::/32")
	for _, tt := range []struct {
		address      string
		allowed      []netip.Prefix
		https, plain bool
	}{
		{"8.8.8.8", nil, true, false},
		{"::ffff:8.8.8.8", nil, true, false},
		{"10.1.2.3", nil, false, false},
		{"10.1.2.3", some, true, true},
		{"::ffff:10.1.2.3", some, true, true},
		{"10.2.0.1", some, false, false},
		{"fd00:1::5", some, true, true},
		{"fd00:1::5%eth0", some, true, true},
		{"fd00:2::5", some, false, false},
		{"127.0.0.1", some, false, false},
		{"64:ff9b::10.1.2.3", some, false, false}, // another network's way to it
		{"8.8.8.8", some, true, false},
	} {
		g, a := guard{allowed: tt.allowed}, netip.MustParseAddr(tt.address)
		if got := g.mayDial(a) == nil; got != tt.https {
			t.Errorf("%s by https: %v, want %v", a, got, tt.https)
		}
		if got := g.mayDialHTTP(a) == nil; got != tt.plain {
			t.Errorf("%s by plain http: %v, want %v", a, got, tt.plain)
		}
	}
}
