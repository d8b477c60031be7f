package web

import "testing"

func FuzzForwarded(f *testing.F) {
	f.Add(`for=203.0.113.9;proto=https, for="[2001:db8::9]:4711"`)
	f.Add(`for="a\"b";by=_x`)
	f.Fuzz(func(t *testing.T, line string) {
		for _, hop := range forwardedFor([]string{line}) {
			if len(hop) > len(line) {
				t.Errorf("%q has the hop %q", line, hop)
			}
			if address, err := parseHop(hop); err == nil && !address.IsValid() {
				t.Errorf("%q is an address that is none", hop)
			}
		}
		// What a proxy writes in a line of its own is read whatever a client sent before.
		hops := forwardedFor([]string{line, "for=192.0.2.7"})
		if hops[len(hops)-1] != "192.0.2.7" {
			t.Errorf("after %q: %q", line, hops)
		}
	})
}
