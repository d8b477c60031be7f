package webpush

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// Services are the hosts of the allowed push services: "example.org",
// "*.example.org" for all subdomains, or "example.org:8443" for a port other than
// 443.
type Services []string

// knownServices are the push services of the common browsers: Chrome, Chromium as
// built by distributions, Firefox, Safari and Edge.
var knownServices = Services{"fcm.googleapis.com", "jmt17.google.com", "updates.push.services.mozilla.com", "*" + apple, "*.notify.windows.com"}

const apple = ".push.apple.com"

// NewServices returns the known push services and those that an operator configured.
func NewServices(more []string) (Services, error) {
	all := slices.Clone(knownServices)
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

// Origin returns the origin of an endpoint, which is the audience of a token for it
// (RFC 8292, section 2). It returns ErrEndpoint if the endpoint has another scheme
// than https, a host that is not one of the services, a user name, a fragment, or
// a host name that ends in a dot. The address that the host name resolves to is
// checked when the endpoint is called (package outbound).
func (ss Services) Origin(endpoint string) (string, error) {
	u, err := url.Parse(endpoint)
	switch {
	case err != nil:
		return "", fmt.Errorf("%w: no address", ErrEndpoint) // the parser's error would contain the endpoint
	case len(endpoint) > maxEndpoint:
		return "", fmt.Errorf("%w: an address of %d bytes", ErrEndpoint, len(endpoint))
	case u.Scheme != "https", u.User != nil, u.Fragment != "", u.Opaque != "":
		return "", fmt.Errorf("%w: not a plain https address", ErrEndpoint)
	}
	host := strings.TrimSuffix(strings.ToLower(u.Host), ":443")
	if !slices.ContainsFunc(ss, func(service string) bool { return service == host || matchesWildcard(service, host) }) {
		return "", fmt.Errorf("%w: %q", ErrEndpoint, host)
	}
	return "https://" + host, nil
}

// matchesWildcard reports whether a host is a subdomain of a service "*.example.org".
func matchesWildcard(service, host string) bool {
	parent, wild := strings.CutPrefix(service, "*")
	return wild && strings.HasSuffix(host, parent) && len(host) > len(parent) && !strings.HasPrefix(host, ".")
}

// AllowsSilent reports whether the push service at a host allows messages that
// show no new notification. Apple ends an app's subscription after three of them.
func AllowsSilent(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	return !strings.HasSuffix(name, apple)
}
