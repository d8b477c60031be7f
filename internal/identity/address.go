package identity

import (
	"fmt"
	"net/mail"
	"strings"

	"golang.org/x/net/idna"
)

// maxMailAddress is the maximum number of bytes of a mail address as it is sent (RFC 5321,
// 4.5.3.1.3, without the angle brackets).
const maxMailAddress = 254

// A MailAddress is one mail address, as people write it.
type MailAddress struct{ local, domain, ascii string }

// domains makes A-labels of domains as IDNA 2008 has them, and refuses those longer than DNS
// allows.
var domains = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.BidiRule(), idna.CheckHyphens(true), idna.CheckJoiners(true),
	idna.VerifyDNSLength(true))

// ParseMailAddress reads one plain mail address. Anything else is an Invalid error: a display
// name would get into a header, and a line break could add headers, and recipients, to a mail
// (T-ADM-06). A domain with letters beyond ASCII must be one that can be sent to (RFC 5891).
func ParseMailAddress(text string) (MailAddress, error) {
	wrong := &Error{Kind: Invalid, Key: "error.user.mail", Err: fmt.Errorf("%q is no mail address", text)}
	parsed, err := mail.ParseAddress(text)
	if err != nil || parsed.Address != text || CleanTyped(text) != text {
		return MailAddress{}, wrong
	}
	at := strings.LastIndex(text, "@")
	a := MailAddress{local: text[:at], domain: text[at+1:]}
	ascii := a.domain
	if !isASCII(a.domain) {
		if ascii, err = domains.ToASCII(a.domain); err != nil {
			return MailAddress{}, wrong
		}
	}
	if a.ascii = a.local + "@" + ascii; len(a.ascii) > maxMailAddress {
		return MailAddress{}, wrong
	}
	return a, nil
}

// Sent returns the address as it is sent: with the domain in A-labels (RFC 5891), which every
// mail server takes.
func (a MailAddress) Sent() string { return a.ascii }

// NeedsSMTPUTF8 reports whether only servers with SMTPUTF8 can deliver to the address (RFC
// 6531): the part before the @ has no other form than its own letters.
func (a MailAddress) NeedsSMTPUTF8() bool { return !isASCII(a.local) }

// FoldMailAddress returns a mail address in the form by which addresses are compared: without
// case, and with the domain in its own letters, however it was typed. Of what is no address it
// returns "".
func FoldMailAddress(text string) string {
	a, err := ParseMailAddress(strings.TrimSpace(text))
	if err != nil {
		return ""
	}
	domain, err := idna.Lookup.ToUnicode(strings.ToLower(a.domain))
	if err != nil {
		domain = a.domain
	}
	return FoldName(a.local + "@" + domain)
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > 127 })
}
