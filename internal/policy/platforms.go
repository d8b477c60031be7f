package policy

import (
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// Platforms says on which platforms users may enrol, and with which app (ENR-8,
// ENR-16). A platform that is not in the map is not allowed. The privacyIDEA
// Authenticator has an entry like a platform; see [Platforms.PrivacyIDEA].
type Platforms map[identity.Platform]PlatformRule

// A PlatformRule is a tenant's configuration of one platform.
type PlatformRule struct {
	Allowed     bool   `json:"allowed"`
	Push        bool   `json:"push"`                   // has an effect only if Allowed is set
	App         string `json:"app,omitempty"`          // WebApp (also if empty) or an app store's link
	WindowsLink string `json:"windows_link,omitempty"` // NoLink (also if empty), StoreLink or an installer's link (ENR-17)
}

// WebApp is the value of PlatformRule.App for Latchkey's own web authenticator.
const WebApp = "web"

// Values of PlatformRule.WindowsLink beside an installer's link: what the page for
// Windows links to for installing the app.
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

// Validate reports everything that is wrong.
func (p Platforms) Validate() error {
	var ps Problems
	for _, platform := range slices.Sorted(maps.Keys(p)) {
		rule, at := p[platform], string(platform)
		oneOf(&ps, at, platform, append(slices.Clone(identity.Platforms), identity.PrivacyIDEA)...)
		if rule.App != "" && rule.App != WebApp && !secureLink(rule.App) {
			ps.add(at+".app", "link")
		}
		switch {
		case rule.WindowsLink == "":
		case platform != identity.Windows && platform != identity.WindowsMobile:
			ps.add(at+".windows_link", "platform")
		case rule.WindowsLink == StoreLink && !secureLink(rule.App):
			ps.add(at+".windows_link", "store")
		case rule.WindowsLink != NoLink && rule.WindowsLink != StoreLink && !secureLink(rule.WindowsLink):
			ps.add(at+".windows_link", "link")
		}
	}
	return ps.err()
}

// secureLink reports whether s can be shown as a link. It must be https: a
// javascript: link would run code, and over http an attacker could replace an
// installer.
func secureLink(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Scheme == "https" && u.Hostname() != "" && u.User == nil && len(s) <= 2048
}

// Allowed lists the allowed platforms in the order in which users see them.
func (p Platforms) Allowed() []identity.Platform {
	var allowed []identity.Platform
	for _, platform := range identity.Platforms {
		if p[platform].Allowed {
			allowed = append(allowed, platform)
		}
	}
	return allowed
}

// AnyAllowed reports whether authenticator apps are allowed on at least one
// platform. Push cannot be switched on while they are not (PUSH-6).
func (p Platforms) AnyAllowed() bool {
	for _, rule := range p {
		if rule.Allowed {
			return true
		}
	}
	return false
}

// PushOn reports whether authenticators on a platform get push. It is called for
// every request, so that switching off a platform's push takes effect at once
// (PUSH-6).
func (p Platforms) PushOn(platform identity.Platform) bool {
	rule := p[platform]
	return rule.Allowed && rule.Push
}

// InstallLink returns the link for installing a platform's app. It is empty if no
// link is shown, as with the web authenticator.
func (p Platforms) InstallLink(platform identity.Platform) string {
	rule := p[platform]
	store := rule.App
	if store == WebApp {
		store = ""
	}
	if platform != identity.Windows && platform != identity.WindowsMobile {
		return store
	}
	switch rule.WindowsLink {
	case "", NoLink:
		return ""
	case StoreLink:
		return store
	}
	return rule.WindowsLink
}

// An Offer is the choice of platforms that the page shows (ENR-7).
type Offer struct {
	Mobile      []identity.Platform // shown under "a mobile device"
	Computer    []identity.Platform // shown under "this computer"
	Preselected identity.Platform   // empty if the browser's platform is uncertain
}

// Has reports whether a platform is offered.
func (o Offer) Has(platform identity.Platform) bool {
	return slices.Contains(o.Mobile, platform) || slices.Contains(o.Computer, platform)
}

// Offer returns the choice of platforms for a browser that sent these headers,
// User-Agent and Sec-CH-UA-Platform. "This computer" is the platform the browser
// runs on. If that is unknown, or nothing else is left to offer, it is every
// allowed desktop platform.
func (p Platforms) Offer(userAgent, hint string) Offer {
	var o Offer
	var desktops []identity.Platform
	own := PlatformsOfBrowser(userAgent, hint)
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

// PlatformsOfBrowser returns the platforms a browser may run on, by its headers
// User-Agent and Sec-CH-UA-Platform: one, or none, or both macOS and iOS, because
// Safari on an iPad says Macintosh and sends no hint. The result is only used for
// convenience. Nothing is allowed or refused because of it.
func PlatformsOfBrowser(userAgent, hint string) []identity.Platform {
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
	// The order matters: Windows phones claim to be Android and iPhone, Android
	// claims to be Linux, and browsers on iPads claim to be Macintosh.
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
