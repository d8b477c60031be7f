package idp_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

var (
	stepsShown = regexp.MustCompile(`(?s)<ol class="path">(.*?)</ol>`)
	stepShown  = regexp.MustCompile(`(?s)<li><span class="glyph">\s*<svg.*?</svg>.*?</span><span>(.*?)</span></li>`)
	qrShown    = regexp.MustCompile(`<svg class="qr"[^>]* role="img" aria-label="([^"]*)"><path d="([^"]+)"`)
	codeShown  = regexp.MustCompile(`id="short-code"[^>]*>([0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4})<`)
	linkShown  = regexp.MustCompile(`<a class="button plain" href="(https://apps\.example\.org/[^"]*)"`)
)

// For each platform the tenant says which app it is: our own, which the activation link
// leads to, or one of a store, whose link stands on the page. Each page has its steps
// with a picture each, the QR code with a text in its place, and the code to type. Each of
// these taken out of the page, or out of what the journey tells it, makes this fail.
func TestENR8_EachPlatformsAppAndPage(t *testing.T) {
	for _, tt := range []struct {
		name string
		rule func(p identity.Platform) policy.PlatformRule
		link func(p identity.Platform) string // to install; empty is none
	}{
		{"our own", func(identity.Platform) policy.PlatformRule {
			return policy.PlatformRule{Allowed: true, Push: true, App: policy.WebApp}
		}, func(identity.Platform) string { return "" }},
		{"a store's", func(p identity.Platform) policy.PlatformRule {
			rule := policy.PlatformRule{Allowed: true, Push: true, App: "https://apps.example.org/" + string(p)}
			if p == identity.Windows || p == identity.WindowsMobile {
				rule.WindowsLink = policy.StoreLink
			}
			return rule
		}, func(p identity.Platform) string { return "https://apps.example.org/" + string(p) }},
		{"an installer's on Windows", func(p identity.Platform) policy.PlatformRule {
			rule := policy.PlatformRule{Allowed: true, Push: true, App: policy.WebApp}
			if p == identity.Windows {
				rule.WindowsLink = "https://apps.example.org/setup.msi"
			}
			return rule
		}, func(p identity.Platform) string {
			if p == identity.Windows {
				return "https://apps.example.org/setup.msi"
			}
			return ""
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rules := make(policy.Platforms)
			for _, p := range identity.Platforms {
				rules[p] = tt.rule(p)
			}
			v := newcomer(t, storetest.SQLite(t), rules).toPlatform().sees(`name="platform"`)
			codes := make(map[string]bool)
			for _, p := range identity.Platforms {
				v.send("platform", string(p))
				steps := stepsShown.FindStringSubmatch(v.page)
				if steps == nil {
					t.Fatalf("%s: no steps on\n%s", p, v.page)
				}
				all := stepShown.FindAllStringSubmatch(steps[1], -1)
				want := 3
				if p == identity.WindowsMobile && tt.link(p) == "" {
					want = 2 // its browser makes no app of a page
				}
				if len(all) != want || strings.Count(steps[1], "<li>") != want {
					t.Errorf("%s: %d steps with a picture, want %d: %s", p, len(all), want, steps[1])
				}
				for _, step := range all {
					if len(step[1]) < 20 || strings.Contains(step[1], "enroll.how") {
						t.Errorf("%s: the step %q says nothing", p, step[1])
					}
				}
				if home := strings.Contains(steps[1], "Home Screen"); home != (p == identity.IOS && tt.link(p) == "") {
					t.Errorf("%s: the Home Screen is spoken of: %v", p, home)
				}
				qr := qrShown.FindStringSubmatch(v.page)
				if p == identity.WindowsMobile { // its camera reads no codes
					if qr != nil {
						t.Errorf("%s: a QR code", p)
					}
				} else if qr == nil || len(qr[1]) < 20 || len(qr[2]) < 500 {
					t.Errorf("%s: no QR code, or no text in its place: %.80q", p, qr)
				}
				code := codeShown.FindStringSubmatch(v.page)
				if code == nil || codes[code[1]] {
					t.Fatalf("%s: no code of its own to type: %q", p, code)
				}
				codes[code[1]] = true
				link := ""
				if found := linkShown.FindStringSubmatch(v.page); found != nil {
					link = found[1]
				}
				if want := tt.link(p); link != want {
					t.Errorf("%s: links to %q for installing, want %q", p, link, want)
				}
				v.send("do", "back").sees(`name="platform"`)
			}
		})
	}
}
