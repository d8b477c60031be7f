package webpush

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// Services are the hosts of push services that may be called: "example.org",
// "*.example.org" for all below it, or "example.org:8443" where it is not the
// port of https.
type Services []string

// known are those that browsers subscribe at: Chrome's, that of Chromium as
// distributions build it, Firefox's, Safari's and Edge's.
var known = Services{"fcm.googleapis.com", "jmt17.google.com", "updates.push.services.mozilla.com", "*" + apple, "*.notify.windows.com"}

const apple = ".push.apple.com"

// NewServices returns the known push services and those an operator adds.
func NewServices(more []string) (Services, error) {
	all := slices.Clone(known)
	for _, host := range more {
		bare, below := strings.CutPrefix(host, "*.")
		u, err := url.Parse("https://" + bare)
		switch _, notIP := netip.ParseAddr(strings.Trim(bare, "[]")); {
		case err != nil || u.Host != bare || bare != strings.ToLower(bare) || u.Hostname() == "" || strings.HasSuffix(u.Hostname(), ".") || strings.Contains(bare, "*"):
			return nil, fmt.Errorf(`%q is no host such as "push.example.org", "*.example.org" or "push.example.org:8443"`, host)
		case below && (!strings.Contains(bare, ".") || notIP == nil):
			return nil, fmt.Errorf("%q: all hosts below %s are too many", host, bare)
		}
		all = append(all, strings.TrimSuffix(host, ":443"))
	}
	return all, nil
}

// Origin returns the origin of an endpoint of one of the services, what a token
// for it is made out to (RFC 8292, section 2). Anything else is an ErrEndpoint:
// another scheme or host, a user name, a fragment, a name with a dot behind.
// Where the name leads is decided later, when it is called (package outbound).
func (ss Services) Origin(endpoint string) (string, error) {
	u, err := url.Parse(endpoint)
	switch {
	case err != nil:
		return "", fmt.Errorf("%w: no address", ErrEndpoint) // the error would repeat it
	case len(endpoint) > maxEndpoint:
		return "", fmt.Errorf("%w: an address of %d bytes", ErrEndpoint, len(endpoint))
	case u.Scheme != "https", u.User != nil, u.Fragment != "", u.Opaque != "":
		return "", fmt.Errorf("%w: not a plain https address", ErrEndpoint)
	}
	host := strings.TrimSuffix(strings.ToLower(u.Host), ":443")
	if !slices.ContainsFunc(ss, func(service string) bool { return service == host || below(service, host) }) {
		return "", fmt.Errorf("%w: %q", ErrEndpoint, host)
	}
	return "https://" + host, nil
}

// below reports whether a host is below one written with an asterisk.
func below(service, host string) bool {
	parent, wild := strings.CutPrefix(service, "*")
	return wild && strings.HasSuffix(host, parent) && len(host) > len(parent) && !strings.HasPrefix(host, ".")
}

// Silent reports whether the push service of a host lets a notification be
// replaced in silence. Apple counts a message that shows nothing new against
// the app, and after three ends its subscription.
func Silent(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	return !strings.HasSuffix(name, apple)
}
