package policy

import (
	"slices"
	"testing"
)

// Settings are written as in the reference tables: push, codes, presence.
func settings(s string) PushSettings {
	presence := map[byte]Presence{'N': NoPresence, 'P': Pick, 'Y': Enter, 'E': Enter, 'S': SixDigits}
	return PushSettings{Enabled: s[0] == 'Y', CodesAllowed: s[1] == 'Y', Presence: presence[s[2]]}
}

// The truth table of group policies, and the example below it; "" is a group
// without settings. A group with push off refuses nobody passcodes because of
// settings that remain from when it was on.
func TestPUSH1_PUSH2_PUSH3_Merge(t *testing.T) {
	for _, tt := range []struct {
		tenant, g1, g2, want        string
		enabled, codes, presenceFor []string
	}{
		// The rows of the reference. Settings beside push that is off have no
		// effect, so these rows are tested with the strictest settings there.
		{"YYY", "YYN", "", "YYN", []string{"g1"}, []string{"g1"}, []string{"g1"}},
		{"YYY", "NNY", "", "NYN", []string{"g1"}, []string{"g1"}, []string{"g1"}},
		{"NYN", "NNY", "YYN", "YYN", []string{"g2"}, []string{"g2"}, []string{"g2"}},
		{"NYN", "NNY", "YNN", "YNN", []string{"g2"}, []string{"g2"}, []string{"g2"}},
		{"NYN", "YYN", "YNN", "YNN", []string{"g1", "g2"}, []string{"g2"}, []string{"g1", "g2"}},
		{"NYN", "YYY", "YYN", "YYY", []string{"g1", "g2"}, []string{"g1", "g2"}, []string{"g1"}},
		{"NYN", "YNN", "YYY", "YNY", []string{"g1", "g2"}, []string{"g1"}, []string{"g2"}},
		{"NYN", "YNY", "NNY", "YNY", []string{"g1"}, []string{"g1"}, []string{"g1"}},
		{"YNY", "NNY", "NNY", "NYN", []string{"g1", "g2"}, []string{"g1", "g2"}, []string{"g1", "g2"}},

		{"YYN", "", "", "YYN", nil, nil, nil},
		{"YNY", "", "", "YNY", nil, nil, nil},
		{"NNY", "", "", "NYN", nil, nil, nil},
		{"YNY", "YYN", "", "YYN", []string{"g1"}, []string{"g1"}, []string{"g1"}},
		{"YNY", "NNY", "", "NYN", []string{"g1"}, []string{"g1"}, []string{"g1"}},
		{"YNY", "NNY", "YYN", "YYN", []string{"g2"}, []string{"g2"}, []string{"g2"}},
		{"YYY", "NNY", "YNN", "YNN", []string{"g2"}, []string{"g2"}, []string{"g2"}},
		{"YYY", "YYN", "YNN", "YNN", []string{"g1", "g2"}, []string{"g2"}, []string{"g1", "g2"}},
		{"NYN", "YYY", "YYN", "YYY", []string{"g1", "g2"}, []string{"g1", "g2"}, []string{"g1"}},
		{"NYN", "YNN", "YYY", "YNY", []string{"g1", "g2"}, []string{"g1"}, []string{"g2"}},
		{"NYN", "YNY", "NYN", "YNY", []string{"g1"}, []string{"g1"}, []string{"g1"}},
		{"YNY", "NNY", "NYY", "NYN", []string{"g1", "g2"}, []string{"g1", "g2"}, []string{"g1", "g2"}},
		{"YNS", "YYP", "YYN", "YYP", []string{"g1", "g2"}, []string{"g1", "g2"}, []string{"g1"}},
		{"YNN", "YYP", "YYE", "YYE", []string{"g1", "g2"}, []string{"g1", "g2"}, []string{"g2"}},
		{"YNN", "YYS", "YYE", "YYS", []string{"g1", "g2"}, []string{"g1", "g2"}, []string{"g1"}},
	} {
		t.Run(tt.tenant+" "+tt.g1+" "+tt.g2, func(t *testing.T) {
			p := DefaultPush()
			p.PushSettings = settings(tt.tenant)
			p.Groups = map[string]PushSettings{"other": settings("YNS")}
			for id, s := range map[string]string{"g1": tt.g1, "g2": tt.g2} {
				if s != "" {
					p.Groups[id] = settings(s)
				}
			}
			got := p.Effective([]string{"g2", "g1", "without", "g2"})
			if got.PushSettings != settings(tt.want) {
				t.Errorf("got %+v, want %+v", got.PushSettings, settings(tt.want))
			}
			for _, by := range []struct {
				name      string
				got, want []string
			}{
				{"push", got.EnabledBy, tt.enabled}, {"codes", got.CodesBy, tt.codes}, {"presence", got.PresenceBy, tt.presenceFor},
			} {
				if !slices.Equal(by.got, by.want) {
					t.Errorf("PUSH-4: %s made so by %v, want %v", by.name, by.got, by.want)
				}
			}
		})
	}
}

func TestPUSH20_StricterPresenceHolds(t *testing.T) {
	for i, a := range presences {
		for j, b := range presences {
			if got, want := Stricter(a, b), presences[max(i, j)]; got != want {
				t.Errorf("Stricter(%s, %s) = %s, want %s", a, b, got, want)
			}
		}
		if got := Stricter(a, ""); got != a {
			t.Errorf("Stricter(%s, nothing) = %s", a, got)
		}
	}
}

func TestPUSH7_NoPushWithoutAProof(t *testing.T) {
	for _, tt := range []struct {
		name                     string
		settings                 string
		before, proved, rejected bool
		want                     Presence
		ok                       bool
	}{
		{"off", "NYE", true, true, false, NoPresence, false},
		{"nothing proved", "YYE", false, false, false, NoPresence, false},
		{"proved", "YYE", false, true, false, Enter, true},
		{"proved, plain", "YYN", false, true, false, NoPresence, true},
		{"before the password, never plain", "YYN", true, false, false, Enter, true},
		{"before the password, as set", "YYS", true, false, false, SixDigits, true},
		{"before the password, as set", "YYP", true, false, false, Pick, true},
		{"PUSH-14 rejected lately, never plain", "YYN", false, true, true, Enter, true},
		{"PUSH-14 rejected lately, as set", "YYP", false, true, true, Pick, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := DefaultPush()
			p.BeforePassword = tt.before
			got, ok := p.Check(settings(tt.settings), PushContext{Proved: tt.proved, Rejected: tt.rejected})
			if got != tt.want || ok != tt.ok {
				t.Errorf("got %s, %t, want %s, %t", got, ok, tt.want, tt.ok)
			}
		})
	}
}

func TestPUSH1_PUSH15_Defaults(t *testing.T) {
	p := DefaultPush()
	if p.PushSettings != settings("YYE") || p.BeforePassword || p.Lifetime != 60 || p.Spacing != 15 || p.PerJourney != 3 ||
		p.Limit != 5 || p.Lock != 3600 || p.PickDigits != 3 || p.Alerts != (Alerts{}) {
		t.Errorf("got %+v", p)
	}
	for _, lifetime := range []int64{29, 301, -1} {
		if p.Lifetime = lifetime; p.Validate() == nil {
			t.Errorf("a lifetime of %d seconds was accepted", lifetime)
		}
	}
}

func TestPUSH9_PUSH18_Bounds(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Push)
		valid  bool
	}{
		{"one request", func(p *Push) { p.Limit = 1 }, true},
		{"twenty", func(p *Push) { p.Limit = 20 }, true},
		{"none", func(p *Push) { p.Limit = 0 }, false},
		{"more", func(p *Push) { p.Limit = 21 }, false},
		{"five minutes", func(p *Push) { p.Lock = 300 }, true},
		{"a day", func(p *Push) { p.Lock = 86400 }, true},
		{"less", func(p *Push) { p.Lock = 299 }, false},
		{"longer", func(p *Push) { p.Lock = 86401 }, false},
		{"two digits", func(p *Push) { p.PickDigits = 2 }, true},
		{"four", func(p *Push) { p.PickDigits = 4 }, false},
	} {
		p := DefaultPush()
		if tt.change(&p); (p.Validate() == nil) != tt.valid {
			t.Errorf("%s: %v, want valid %v", tt.name, p.Validate(), tt.valid)
		}
	}
}

// What is offered to every name is what applies to any user, with the strictest
// presence check of all. Neither reveals whose name it is.
func TestPUSH7_Anybody(t *testing.T) {
	p := DefaultPush()
	p.PushSettings = settings("YYN")
	if presence, push, codes := p.ForAnyUser(); presence != Enter || push || !codes {
		t.Errorf("got %s, %v, %v", presence, push, codes)
	}
	p.BeforePassword, p.Groups = true, map[string]PushSettings{"g": settings("YNS"), "off": settings("NNS")}
	if presence, push, codes := p.ForAnyUser(); presence != SixDigits || !push || !codes {
		t.Errorf("with a stricter group: got %s, %v, %v", presence, push, codes)
	}
}
