package web

import (
	"net/http"
	"net/netip"
	"strings"
)

// ClientAddress is the address of the client: that of the peer or, if the peer
// is a trusted proxy, of the last hop that is not one (T-LOG-23). One that
// cannot be parsed is the zero address, which counts as unknown and is never
// trusted.
//
// Hops are read from one header alone, the one that the proxies write: the other one
// they pass on as anybody sent it.
func (s *Site) ClientAddress(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	from := peer.Addr().Unmap()
	var hops []string
	if s.UseForwarded {
		hops = forwardedFor(r.Header.Values("Forwarded"))
	} else {
		hops = strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	}
	for i := len(hops) - 1; i >= 0 && s.isTrustedProxy(from); i-- {
		hop := strings.TrimSpace(hops[i])
		if hop == "" && !s.UseForwarded {
			break
		}
		if from, err = parseHop(hop); err != nil {
			return netip.Addr{}
		}
	}
	return from.WithZone("")
}

func (s *Site) isTrustedProxy(a netip.Addr) bool {
	for _, p := range s.TrustedProxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// parseHop reads an address as proxies write it: bare, with a port, or in brackets, which
// an IPv6 address with a port needs (RFC 7239, section 6).
func parseHop(hop string) (netip.Addr, error) {
	if address, err := netip.ParseAddr(hop); err == nil {
		return address.Unmap(), nil
	}
	if inside, ok := strings.CutPrefix(hop, "["); ok {
		if inside, ok = strings.CutSuffix(inside, "]"); ok && strings.Contains(inside, ":") {
			address, err := netip.ParseAddr(inside)
			return address.Unmap(), err
		}
	}
	address, err := netip.ParseAddrPort(hop)
	return address.Addr().Unmap(), err
}

// forwardedFor reads the hops of Forwarded (RFC 7239, section 4): the parameter for of each
// element, as it stands there, and empty where a proxy does not say. A line that is not
// well formed is one hop that says nothing, since whoever reads half of another's list
// reads it wrong.
func forwardedFor(lines []string) []string {
	var hops []string
	for _, line := range lines {
		var inLine []string
		p := elements{rest: line}
		for more := true; more; {
			var pairs map[string]string
			var ok bool
			if pairs, more, ok = p.next(); !ok {
				inLine, more = []string{""}, false
			} else if pairs != nil {
				inLine = append(inLine, pairs["for"])
			}
		}
		hops = append(hops, inLine...)
	}
	return hops
}

// elements reads a list of elements, each of pairs of a token and a value.
type elements struct{ rest string }

// next reads an element. An empty one, which lists may have (RFC 9110, section 5.6.1), has
// nil pairs; more tells whether another follows.
func (e *elements) next() (pairs map[string]string, more, ok bool) {
	for {
		e.skipSpace()
		switch {
		case e.rest == "":
			return pairs, false, true
		case e.rest[0] == ',':
			e.rest = e.rest[1:]
			return pairs, true, true
		case e.rest[0] == ';':
			e.rest = e.rest[1:]
			continue
		}
		name := e.token()
		if name == "" || !strings.HasPrefix(e.rest, "=") {
			return nil, false, false
		}
		e.rest = e.rest[1:]
		value, ok := e.value()
		if !ok {
			return nil, false, false
		}
		if pairs == nil {
			pairs = make(map[string]string)
		}
		name = strings.ToLower(name)
		if _, twice := pairs[name]; twice {
			return nil, false, false
		}
		pairs[name] = value
		e.skipSpace()
		if e.rest != "" && e.rest[0] != ';' && e.rest[0] != ',' {
			return nil, false, false
		}
	}
}

func (e *elements) skipSpace() { e.rest = strings.TrimLeft(e.rest, " \t") }

// token reads a token (RFC 9110, section 5.6.2).
func (e *elements) token() string {
	end := 0
	for end < len(e.rest) && isTokenByte(e.rest[end]) {
		end++
	}
	token := e.rest[:end]
	e.rest = e.rest[end:]
	return token
}

func isTokenByte(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// value reads a token or a quoted string (RFC 9110, section 5.6.4). Some proxies leave out
// the quotes of an address with a port, which is read too.
func (e *elements) value() (string, bool) {
	if !strings.HasPrefix(e.rest, `"`) {
		end := strings.IndexAny(e.rest, ",; \t\"")
		if end < 0 {
			end = len(e.rest)
		}
		value := e.rest[:end]
		e.rest = e.rest[end:]
		return value, value != ""
	}
	var value strings.Builder
	for i := 1; i < len(e.rest); i++ {
		switch c := e.rest[i]; c {
		case '"':
			e.rest = e.rest[i+1:]
			return value.String(), true
		case '\\':
			if i++; i == len(e.rest) {
				return "", false
			}
			value.WriteByte(e.rest[i])
		default:
			value.WriteByte(c)
		}
	}
	return "", false
}
