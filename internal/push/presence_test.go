package push

import (
	"slices"
	"testing"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// Three options, all different, in any order. No decoy differs from the right
// number in only one digit.
//
// With any other number as a decoy, 19 was offered beside 89.
func TestPUSH18_Options(t *testing.T) {
	for _, digits := range []int{2, 3} {
		places := make(map[int]int)
		for range 600 {
			number := randomNumber(digits)
			got := options(number, nil)
			places[slices.Index(got, number)]++
			if len(got) != 3 || got[0] == got[1] || got[1] == got[2] || got[0] == got[2] {
				t.Fatalf("options %v", got)
			}
			for _, o := range got {
				if o != number && (len(o) != digits || o[0] == '0' || differingDigits(o, number) < 2) {
					t.Fatalf("%s is a decoy for %s", o, number)
				}
			}
		}
		for place := range 3 {
			if n := places[place]; n < 120 || n > 280 {
				t.Errorf("%d digits: the right one stands in place %d in %d of 600", digits, place, n)
			}
		}
	}
}

// Numbers shown on other screens are no decoys, as long as there are others.
//
// Without avoiding them, the test fails at once.
func TestPUSH18_NoDecoyIsShownElsewhere(t *testing.T) {
	var elsewhere []string
	for n := 10; n < 90; n++ {
		elsewhere = append(elsewhere, string(rune('0'+n/10))+string(rune('0'+n%10)))
	}
	for range 100 {
		for _, o := range options("12", elsewhere) {
			if o != "12" && o[0] != '9' {
				t.Fatalf("%s is shown elsewhere", o)
			}
		}
	}
	if got := options("95", append(elsewhere, "90", "91", "92", "93", "94", "96", "97", "98", "99")); len(got) != 3 {
		t.Errorf("where every number is shown: %v", got)
	}

	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		p := mustStart(t, h, h.Journey(t, "browser"), policy.Pick)
		got, err := h.DB.Push().ShownNumbers(t.Context(), h.Tenant.ID, 10)
		if err != nil || !slices.Equal(got, []string{p.Number}) {
			t.Errorf("shown now: %v, %v, want %s", got, err, p.Number)
		}
	})
}

// Pick and six digits, from start to claim: the phone gets the options but not the
// number.
func TestPUSH18_PickAndSixDigits(t *testing.T) {
	for _, tt := range []struct {
		presence policy.Presence
		digits   int
		options  int
	}{{policy.Pick, 3, 3}, {policy.SixDigits, 6, 0}, {policy.Enter, 2, 0}, {policy.NoPresence, 0, 0}} {
		t.Run(string(tt.presence), func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
				a, j := capableAuthenticator(t, h), h.Journey(t, "browser")
				p := mustStart(t, h, j, tt.presence)
				options, err := h.DB.Push().Options(t.Context(), p.Tenant, p.ID)
				if err != nil || len(options) != tt.options || len(p.Number) != tt.digits || tt.options > 0 && !slices.Contains(options, p.Number) {
					t.Errorf("number %q, options %v, %v", p.Number, options, err)
				}
				if waits := pending(t, h); waits.Number != "" || waits.Options != nil {
					t.Errorf("PUSH-19: read with the request: %q, %v", waits.Number, waits.Options)
				}
				if end, err := answer(t, h, h.DB, a, approval(p)); err != nil || end.Outcome != store.PushApproved {
					t.Fatalf("approval: %+v, %v", end, err)
				}
				if options, err := h.DB.Push().Options(t.Context(), p.Tenant, p.ID); err != nil || options != nil {
					t.Errorf("options after the end: %v, %v", options, err)
				}
				if _, err := claim(t, h, h.DB, j, p.ID); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// A wrong choice ends the request, whether or not it was offered.
//
// Without sameNumber, each of them approved.
func TestPUSH17_AWrongPickIsFinal(t *testing.T) {
	for name, pick := range map[string]func(p store.PushRequest, options []string) string{
		"a decoy": func(p store.PushRequest, options []string) string {
			return slices.DeleteFunc(options, func(o string) bool { return o == p.Number })[0]
		},
		"one not offered": func(store.PushRequest, []string) string { return "000" },
		"nothing":         func(store.PushRequest, []string) string { return "" },
		"its place":       func(store.PushRequest, []string) string { return "1" },
	} {
		t.Run(name, func(t *testing.T) {
			h := storetest.SQLite(t)
			a := capableAuthenticator(t, h)
			p := mustStart(t, h, h.Journey(t, "browser"), policy.Pick)
			with := approval(p)
			with.Number = pick(p, slices.Clone(p.Options))
			if end, err := answer(t, h, h.DB, a, with); err != nil || end.Outcome != store.PushWrongNumber || !end.Failed {
				t.Errorf("picked %q: %+v, %v", with.Number, end, err)
			}
			if _, err := answer(t, h, h.DB, a, approval(p)); refused(err) != "ended wrong-number" {
				t.Errorf("a second try: %v", err)
			}
		})
	}
}

// An app that is too old is told the first version that has the capability.
func TestPUSH22_Least(t *testing.T) {
	for _, tt := range []struct{ app, capability, want string }{
		{"latchkey-web/1.0.0", "presence:pick", "1.1.0"},
		{"latchkey-phone/1.0.0", "presence:six-digits", "1.1.0"},
		{"latchkey-web/1.0.0", "presence:enter", ""},
		{"somebodys/1.0.0", "presence:pick", ""},
		{"", "presence:pick", ""},
	} {
		if got := MinVersion(tt.app, tt.capability); got != tt.want {
			t.Errorf("%s, %s: %q, want %q", tt.app, tt.capability, got, tt.want)
		}
	}
	err := CheckCapability(identity.Authenticator{AppVersion: "latchkey-web/1.0.0", Capabilities: []string{"presence:enter"}}, policy.Pick)
	if r, _ := refusalOf(err); r.Code != "capability" || r.Capability != "presence:pick" || r.MinVersion != "1.1.0" {
		t.Errorf("refused with %+v", r)
	}
}

// The number of a replaced request does not work for the newer one.
func TestPUSH19_ANewNumberEachTime(t *testing.T) {
	h := storetest.SQLite(t)
	rules := policy.DefaultPush()
	rules.Limit, rules.Spacing = 1000, 0
	before := ""
	for range 300 {
		j := h.Journey(t, "browser")
		h.Do(t, func(tx *store.Tx) error {
			p, err := Start(t.Context(), tx, j, shown, policy.Enter, rules)
			if p.Number == before {
				t.Errorf("%s again", before)
			}
			before = p.Number
			return err
		})
	}
}

// capableAuthenticator returns an authenticator whose app can do every check.
func capableAuthenticator(t *testing.T, h *storetest.Fixture) identity.Authenticator {
	t.Helper()
	a := h.Authenticator(t, "phone")
	a.Capabilities = []string{"presence:none", "presence:enter", "presence:pick", "presence:six-digits"}
	h.Do(t, func(tx *store.Tx) error {
		return tx.Authenticators().SetApp(t.Context(), a.Tenant, a.ID, "latchkey-web/1.1.0", a.Capabilities)
	})
	return a
}
