package oidcclient

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// unsafe finds what no address of ours contains: what is not printable ASCII,
// what browsers read otherwise than servers do, and wildcards, which would look
// as if they worked.
var unsafe = regexp.MustCompile(`[^!-~]|[\\"<>^{|}*]|` + "`")

// browserSchemes are what a browser does something with by itself: runs it, shows it,
// mails it, or sends it elsewhere. None of them can be the scheme of an application.
var browserSchemes = []string{"http", "https", "javascript", "data", "vbscript", "file", "blob", "about", "view-source", "ws", "wss",
	"ftp", "mailto", "intent"}

// address says why people must not be sent to uri; nil when they may be. Plain
// http is for loopback alone. A native application may also have a scheme of its own. It
// should be a domain name turned round (RFC 8252, section 7.1), but what an app store's
// build has, no operator can change.
func address(uri string, native bool) error {
	if len(uri) > 2048 {
		return errors.New("must not be longer than 2048 bytes")
	}
	if i := unsafe.FindStringIndex(uri); i != nil {
		return fmt.Errorf("must not contain %q", uri[i[0]:i[1]])
	}
	u, err := url.Parse(uri)
	switch {
	case err != nil:
		return errors.New("must be an absolute address")
	case strings.Contains(uri, "#"):
		return errors.New("must not have a fragment")
	case u.User != nil:
		return errors.New("must not have a user name")
	case u.Scheme == "":
		return errors.New("must be an absolute address")
	case native && !slices.Contains(browserSchemes, u.Scheme):
		return nil
	case native && u.Scheme != "https" && u.Scheme != "http":
		return fmt.Errorf("no application can have the scheme %s: it is the browsers' own", u.Scheme)
	case !slices.Contains(browserSchemes, u.Scheme):
		return errors.New("must begin with https://; a scheme of its own is for a native application, an installed program")
	case u.Host != "" && !host.MatchString(u.Host):
		// It goes into form-action, where ";" would begin another directive.
		return errors.New("must have a plain host name")
	case u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return errors.New("must begin with https://")
	case u.Scheme == "http" && !slices.Contains(loopback, strings.TrimSuffix(u.Host, ":"+u.Port())):
		return errors.New("must begin with https://; http:// is for localhost, 127.0.0.1 and [::1] alone")
	}
	return nil
}

// host is what a host and port may be made of.
var host = regexp.MustCompile(`^([A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*|\[[0-9A-Fa-f:.]+\])(:[0-9]+)?$`)

// loopback lists the hosts that are this machine.
var loopback = []string{"localhost", "127.0.0.1", "[::1]"}

// Allows reports whether uri is one of those registered: the same string, byte
// for byte. Whoever parses and compares parts is sooner or later cheated by a
// difference between parsers.
func (c *Config) Allows(registered []string, uri string) bool {
	if slices.Contains(registered, uri) {
		return true
	}
	bare, ok := portless(uri)
	return ok && c.Native && slices.ContainsFunc(registered, func(r string) bool {
		known, ok := portless(r)
		return ok && known == bare
	})
}

// portless returns a loopback address without its port, since a native
// application takes whatever port is free.
func portless(uri string) (string, bool) {
	for _, host := range loopback {
		rest, ok := strings.CutPrefix(uri, "http://"+host)
		if !ok {
			continue
		}
		if port, ok := strings.CutPrefix(rest, ":"); ok {
			rest = strings.TrimLeft(port, "0123456789")
			if n := len(port) - len(rest); n < 1 || n > 5 {
				return "", false
			}
		}
		if rest == "" || rest[0] == '/' || rest[0] == '?' {
			return "http://" + host + rest, !unsafe.MatchString(rest) && !strings.Contains(rest, "#")
		}
	}
	return "", false
}

// AllowsOrigin reports whether pages of an origin may call us from a browser: one that is
// registered or, where origins follow the redirect addresses, that of one of these. A
// native application takes any port of a loopback address here too.
func (c *Config) AllowsOrigin(origin string) bool {
	if slices.Contains(c.Origins, origin) {
		return true
	}
	if !c.FollowOrigins || origin == "" {
		return false
	}
	bare, loops := portless(origin)
	return slices.ContainsFunc(c.RedirectURIs, func(uri string) bool {
		own := originOf(uri)
		if own == origin {
			return true
		}
		known, ok := portless(own)
		return c.Native && loops && ok && known == bare
	})
}

// originOf is the origin of an address as browsers write it: in lower case, without the
// scheme's own port (RFC 6454, section 6.2). Of a scheme of one's own without a host it is
// what WebKit writes; browsers that write "null" are not told apart from anybody. It is
// empty for what is no address.
func originOf(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme == "" {
		return ""
	}
	host := strings.ToLower(u.Host)
	switch u.Scheme {
	case "https":
		host = strings.TrimSuffix(host, ":443")
	case "http":
		host = strings.TrimSuffix(host, ":80")
	}
	return u.Scheme + "://" + host
}
