package policy

import (
	"slices"
	"testing"

	"github.com/latchkey-id/latchkey/internal/identity"
)

const (
	safariMac  = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15"
	chromeMac  = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"
	firefoxMac = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:143.0) Gecko/20100101 Firefox/143.0"
	chromeIPad = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/141 Version/11.1.1 Safari/605.1.15"
	iPhone     = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1"
	android    = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36"
	windows    = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36 Edg/141.0.0.0"
	lumia      = "Mozilla/5.0 (Windows Phone 10.0; Android 6.0.1; Microsoft; Lumia 950) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/52 Mobile Safari/537.36 Edge/15.15254"
	chromebook = "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"
	linux      = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"
)

func TestENR7_Browsers(t *testing.T) {
	type platforms = []identity.Platform
	for _, tt := range []struct {
		name, agent, hint string
		want              platforms
	}{
		{"iPhone", iPhone, "", platforms{identity.IOS}},
		{"Chrome on an iPad", chromeIPad, "", platforms{identity.IOS}},
		{"Safari on a Mac, or an iPad", safariMac, "", platforms{identity.MacOS, identity.IOS}},
		{"Chrome on a Mac", chromeMac, `"macOS"`, platforms{identity.MacOS}},
		{"Chrome on a Mac without a hint", chromeMac, "", platforms{identity.MacOS}},
		{"Firefox on a Mac", firefoxMac, "", platforms{identity.MacOS}},
		{"Android", android, `"Android"`, platforms{identity.Android}},
		{"Android without a hint", android, "", platforms{identity.Android}},
		{"Android asking for desktop sites", linux, `"Android"`, platforms{identity.Android}},
		{"Windows", windows, `"Windows"`, platforms{identity.Windows}},
		{"Windows without a hint", windows, "", platforms{identity.Windows}},
		{"Windows mobile", lumia, "", platforms{identity.WindowsMobile}},
		{"ChromeOS", chromebook, `"Chrome OS"`, platforms{identity.ChromeOS}},
		{"ChromeOS without a hint", chromebook, "", platforms{identity.ChromeOS}},
		{"Linux", linux, "", platforms{identity.Linux}},
		{"an unknown hint", windows, `"Unknown"`, platforms{identity.Windows}},
		{"curl", "curl/8.5.0", "", nil},
		{"nothing", "", "", nil},
		{"garbage", "\x00\xff{{7*7}}<script>", `";--`, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := PlatformsOfBrowser(tt.agent, tt.hint); !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestENR7_Offer(t *testing.T) {
	type platforms = []identity.Platform
	all := DefaultPlatforms()
	only := func(allowed ...identity.Platform) Platforms {
		p := make(Platforms)
		for _, platform := range allowed {
			p[platform] = PlatformRule{Allowed: true}
		}
		return p
	}
	phones := platforms{identity.IOS, identity.Android}
	desktops := platforms{identity.Windows, identity.MacOS, identity.Linux, identity.ChromeOS}
	for _, tt := range []struct {
		name             string
		policy           Platforms
		agent            string
		mobile, computer platforms
		preselected      identity.Platform
	}{
		{"on Linux", all, linux, phones, platforms{identity.Linux}, identity.Linux},
		{"on an iPhone", all, iPhone, phones, desktops, identity.IOS},
		{"on a Mac or an iPad", all, safariMac, phones, platforms{identity.MacOS}, ""},
		{"on a Mac or an iPad, of which one is allowed", only(identity.IOS, identity.Linux), safariMac, platforms{identity.IOS}, nil, identity.IOS},
		{"on who knows what", all, "?", phones, desktops, ""},
		{"not allowed here, phones are", only(identity.Android, identity.Windows), linux, platforms{identity.Android}, nil, ""},
		{"not allowed here, nothing else is left", only(identity.Windows), linux, nil, platforms{identity.Windows}, ""},
		{"nothing allowed", only(), linux, nil, nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.policy.Offer(tt.agent, "")
			if !slices.Equal(got.Mobile, tt.mobile) || !slices.Equal(got.Computer, tt.computer) || got.Preselected != tt.preselected {
				t.Errorf("got %+v, want %v, %v, %q", got, tt.mobile, tt.computer, tt.preselected)
			}
		})
	}
}

func TestENR16_Defaults(t *testing.T) {
	p := DefaultPlatforms()
	for _, platform := range identity.Platforms {
		want := platform != identity.WindowsMobile
		if got := slices.Contains(p.Allowed(), platform); got != want {
			t.Errorf("%s allowed: %t, want %t", platform, got, want)
		}
		if got := p.PushOn(platform); got != want {
			t.Errorf("%s push: %t, want %t", platform, got, want)
		}
	}
	if p.PushOn("toaster") {
		t.Error("push on a platform nobody knows")
	}
}

func TestENR17_WindowsLinks(t *testing.T) {
	const store, installer = "https://store.example/app", "https://files.example/app.msi"
	for _, tt := range []struct {
		name     string
		platform identity.Platform
		rule     PlatformRule
		want     string
		valid    bool
	}{
		{"web app", identity.Windows, PlatformRule{App: WebApp}, "", true},
		{"store app, no link", identity.Windows, PlatformRule{App: store, WindowsLink: NoLink}, "", true},
		{"store app, store's link", identity.Windows, PlatformRule{App: store, WindowsLink: StoreLink}, store, true},
		{"installer", identity.Windows, PlatformRule{App: store, WindowsLink: installer}, installer, true},
		{"installer by http", identity.Windows, PlatformRule{App: store, WindowsLink: "http://files.example/app.msi"}, "http://files.example/app.msi", false},
		{"store's link without a store", identity.Windows, PlatformRule{App: WebApp, WindowsLink: StoreLink}, "", false},
		{"a script for an app", identity.Android, PlatformRule{App: "javascript:alert(1)"}, "javascript:alert(1)", false},
		{"a name before the host", identity.Android, PlatformRule{App: "https://store.example@evil.example/"}, "https://store.example@evil.example/", false},
		{"elsewhere a store's app has its link", identity.IOS, PlatformRule{App: store}, store, true},
		{"elsewhere no link of its own", identity.IOS, PlatformRule{App: store, WindowsLink: installer}, store, false},
		{"an unknown platform", "toaster", PlatformRule{}, "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := Platforms{tt.platform: tt.rule}
			if got := p.InstallLink(tt.platform); got != tt.want {
				t.Errorf("link %q, want %q", got, tt.want)
			}
			if err := p.Validate(); (err == nil) != tt.valid {
				t.Errorf("Validate: %v, want valid %t", err, tt.valid)
			}
		})
	}
}
