package phone

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"runtime"
	"strings"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// An activationCode is what an activation sends: the secret of a link, or a short code, and the
// server's address.
type activationCode struct {
	Base   string `json:"base"`
	Secret string `json:"secret,omitempty"`
	Short  string `json:"short_code,omitempty"`
}

var (
	secret    = regexp.MustCompile(`^[A-Za-z0-9_-]{26,128}$`)
	shortCode = regexp.MustCompile(`^[0-9A-HJKMNP-TV-Z]{8}$`)
	newerLink = regexp.MustCompile(`^v[0-9]+\.`)
)

// code reads the link, or the base and the short code (protocol, section 2).
func (a Activation) code() (activationCode, error) {
	malformed := func(key, why string) (activationCode, error) {
		return activationCode{}, &identity.Error{Kind: identity.Invalid, Key: key, Err: errors.New(why)}
	}
	address := a.Base
	if a.Link != "" {
		address = a.Link
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" {
		return malformed("phone.link", "not an address: "+strings.SplitN(address, "#", 2)[0])
	}
	loopback := u.Hostname() == "localhost" || net.ParseIP(u.Hostname()).IsLoopback()
	if u.Scheme != "https" && (u.Scheme != "http" || !loopback) {
		return malformed("phone.link.insecure", "neither https nor a loopback address: "+u.Scheme+"://"+u.Host)
	}
	c := activationCode{Base: u.Scheme + "://" + u.Host}
	if a.Link == "" {
		if u.Fragment != "" || strings.Trim(u.Path, "/") != "" {
			return malformed("phone.link", "a base is a scheme and a host")
		}
		c.Short = canonicalCode(a.Code)
		if !shortCode.MatchString(c.Short) {
			return malformed("phone.code", "a short code has eight letters and digits, such as 7KQ2-M9XF")
		}
		return c, nil
	}
	after, ok := strings.CutPrefix(u.Fragment, "v1.")
	switch {
	case !ok && newerLink.MatchString(u.Fragment):
		return activationCode{}, tooOld("a link of a newer version")
	case !ok || !secret.MatchString(after) || u.Path != "/authenticator/":
		return malformed("phone.link", "not an activation link: it looks like https://id.example.org/authenticator/#v1.…")
	}
	c.Secret = after
	return c, nil
}

// canonicalCode returns a short code as the server knows it, however it was typed.
func canonicalCode(typed string) string {
	typed = strings.ToUpper(strings.Join(strings.FieldsFunc(typed, func(r rune) bool { return r == ' ' || r == '-' || r == '\t' }), ""))
	return strings.NewReplacer("O", "0", "I", "1", "L", "1").Replace(typed)
}

// IsShortCode reports whether a text is a short code, as people type them.
func IsShortCode(text string) bool { return shortCode.MatchString(canonicalCode(text)) }

// authenticatorBase requests the web authenticator at a base address, and returns the base that it
// redirects to, where the API is too. A browser that opens a link is redirected in the same way. An
// address that could not be in a link is refused.
func (p *Phone) authenticatorBase(ctx context.Context, base string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/authenticator/", nil)
	if err != nil {
		return "", fmt.Errorf("phone: %w", err)
	}
	res, err := p.client().Do(req)
	if err != nil {
		return "", &identity.Error{Kind: identity.Unavailable, Key: "phone.unreachable", Err: err}
	}
	defer res.Body.Close()
	to, err := res.Location()
	if err != nil || res.StatusCode != http.StatusPermanentRedirect || to.Path != "/authenticator/" {
		return "", &identity.Error{Kind: identity.Invalid, Key: "phone.link", Err: errors.New("there is no Latchkey at " + base)}
	}
	code, err := Activation{Base: to.Scheme + "://" + to.Host, Code: "00000000"}.code()
	return code.Base, err
}

// platform returns the platform this program runs on, or "" if the protocol has no name for it.
func platform() identity.Platform {
	switch runtime.GOOS {
	case "linux":
		return identity.Linux
	case "darwin":
		return identity.MacOS
	case "windows":
		return identity.Windows
	case "android":
		return identity.Android
	}
	return ""
}
