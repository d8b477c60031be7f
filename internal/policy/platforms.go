package policy

import (
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// Platforms says on which platforms users enrol, and with which app (ENR-8,
// ENR-16). One that is not in the table is not allowed. The privacyIDEA
// Authenticator has a row as platforms do; see [Platforms.PrivacyIDEA].
type Platforms map[identity.Platform]PlatformRule

// A PlatformRule is a tenant's wish for one platform.
type PlatformRule struct {
	Allowed bool   `json:"allowed"`
	Push    bool   `json:"push"`                   // has an effect only where allowed
	App     string `json:"app,omitempty"`          // WebApp, also if empty, or a store's link
	Windows string `json:"windows_link,omitempty"` // NoLink, also if empty, StoreLink, or an installer's link (ENR-17)
}

// WebApp is Latchkey's own web authenticator.
const WebApp = "web"

// What a page about Windows links to for installing the app, besides an
// installer's address.
const (
	NoLink    = "none"
	StoreLink = "store"
)

// DefaultPlatforms allows all but Windows mobile, with push and the web
// authenticator.
func DefaultPlatforms() Platforms {
	p := make(Platforms)
	for _, platform := range identity.Platforms {
		on := platform != identity.WindowsMobile
		p[platform] = PlatformRule{Allowed: on, Push: on, App: WebApp}
	}
	return p
}

// Kind returns KindPlatforms.
func (Platforms) Kind() Kind { return KindPlatforms }

// Validate reports all that is wrong.
func (p Platforms) Validate() error {
	var ps Problems
	for _, platform := range slices.Sorted(maps.Keys(p)) {
		rule, at := p[platform], string(platform)
		oneOf(&ps, at, platform, append(slices.Clone(identity.Platforms), identity.PrivacyIDEA)...)
		if rule.App != "" && rule.App != WebApp && !secureLink(rule.App) {
			ps.add(at+".app", "link")
		}
		switch {
		case rule.Windows == "":
		case platform != identity.Windows && platform != identity.WindowsMobile:
			ps.add(at+".windows_link", "platform")
		case rule.Windows == StoreLink && !secureLink(rule.App):
			ps.add(at+".windows_link", "store")
		case rule.Windows != NoLink && rule.Windows != StoreLink && !secureLink(rule.Windows):
			ps.add(at+".windows_link", "link")
		}
	}
	return ps.err()
}

// secureLink reports whether s is an address that can be shown as a link: not
// javascript:, nor http, where an installer could be swapped on its way.
func secureLink(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Scheme == "https" && u.Hostname() != "" && u.User == nil && len(s) <= 2048
}

// Allowed lists the platforms allowed, in the order in which people are shown
// them.
func (p Platforms) Allowed() []identity.Platform {
	var allowed []identity.Platform
	for _, platform := range identity.Platforms {
		if p[platform].Allowed {
			allowed = append(allowed, platform)
		}
	}
	return allowed
}

// Any reports whether authenticator apps are allowed at all: on one platform at
// least. While they are not, push cannot be switched on (PUSH-6).
func (p Platforms) Any() bool {
	for _, rule := range p {
		if rule.Allowed {
			return true
		}
	}
	return false
}

// PushOn reports whether authenticators on a platform get push. It is asked at
// every request, so that switching a platform's push off works at once (PUSH-6).
func (p Platforms) PushOn(platform identity.Platform) bool {
	rule := p[platform]
	return rule.Allowed && rule.Push
}

// Install returns the link under which the app of a platform is had; empty
// means that none is shown, as with the web authenticator.
func (p Platforms) Install(platform identity.Platform) string {
	rule := p[platform]
	store := rule.App
	if store == WebApp {
		store = ""
	}
	if platform != identity.Windows && platform != identity.WindowsMobile {
		return store
	}
	switch rule.Windows {
	case "", NoLink:
		return ""
	case StoreLink:
		return store
	}
	return rule.Windows
}

// An Offer is the choice of platform as the page shows it (ENR-7).
type Offer struct {
	Mobile      []identity.Platform // a mobile device
	Computer    []identity.Platform // this computer
	Preselected identity.Platform   // empty where the browser does not say for sure
}

// Has reports whether a platform is among those offered.
func (o Offer) Has(platform identity.Platform) bool {
	return slices.Contains(o.Mobile, platform) || slices.Contains(o.Computer, platform)
}

// Offer returns the choice of platform for a browser that sent these headers,
// User-Agent and Sec-CH-UA-Platform. "This computer" is the one the browser
// runs on; only where that does not help, because it is unknown or nothing else
// is left, it is any desktop allowed.
func (p Platforms) Offer(userAgent, hint string) Offer {
	var o Offer
	var desktops []identity.Platform
	own := Browsers(userAgent, hint)
	ownDesktop := slices.ContainsFunc(own, func(p identity.Platform) bool { return !p.Mobile() })
	for _, platform := range p.Allowed() {
		switch {
		case platform.Mobile():
			o.Mobile = append(o.Mobile, platform)
		case !ownDesktop || slices.Contains(own, platform):
			o.Computer = append(o.Computer, platform)
		default:
			desktops = append(desktops, platform)
		}
	}
	if len(o.Mobile)+len(o.Computer) == 0 {
		o.Computer = desktops
	}
	own = slices.DeleteFunc(own, func(p identity.Platform) bool { return !o.Has(p) })
	if len(own) == 1 {
		o.Preselected = own[0]
	}
	return o
}

// Browsers returns the platforms a browser may run on by its headers
// User-Agent and Sec-CH-UA-Platform: one, or none, or macOS and iOS, since
// Safari on an iPad says Macintosh and sends no hint. It is a guess for the
// reader's convenience; nothing is allowed or refused by it.
func Browsers(userAgent, hint string) []identity.Platform {
	switch strings.Trim(strings.TrimSpace(hint), `"`) {
	case "Android":
		return []identity.Platform{identity.Android}
	case "iOS":
		return []identity.Platform{identity.IOS}
	case "Windows":
		return []identity.Platform{identity.Windows}
	case "macOS", "Mac OS X":
		return []identity.Platform{identity.MacOS}
	case "Linux":
		return []identity.Platform{identity.Linux}
	case "Chrome OS", "Chromium OS":
		return []identity.Platform{identity.ChromeOS}
	}
	says := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(userAgent, w) })
	}
	// The order matters: Windows phones claim to be Android and iPhone,
	// Android claims to be Linux, and browsers on iPads claim to be Macintosh.
	switch {
	case says("Windows Phone"):
		return []identity.Platform{identity.WindowsMobile}
	case says("iPhone", "iPad", "iPod", "CriOS/", "FxiOS/", "EdgiOS/"):
		return []identity.Platform{identity.IOS}
	case says("Android"):
		return []identity.Platform{identity.Android}
	case says("CrOS "):
		return []identity.Platform{identity.ChromeOS}
	case says("Windows NT"):
		return []identity.Platform{identity.Windows}
	case says("Macintosh") && says("Chrome/", "Firefox/"):
		return []identity.Platform{identity.MacOS}
	case says("Macintosh"):
		return []identity.Platform{identity.MacOS, identity.IOS}
	case says("Linux"):
		return []identity.Platform{identity.Linux}
	}
	return nil
}
