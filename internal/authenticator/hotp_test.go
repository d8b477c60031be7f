package authenticator

import (
	"encoding/hex"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// hotpToken gives the user an HOTP token with the secret of RFC 4226, appendix D.
func hotpToken(t *testing.T, h *storetest.Fixture) identity.Authenticator {
	t.Helper()
	a := identity.Authenticator{Tenant: h.Tenant.ID, ID: identity.NewID(identity.AuthenticatorID), Serial: "LK-FOB0-0001", Kind: identity.HOTP,
		Name: "Fob", Seed: []byte("12345678901234567890"), Digits: 6, Template: []byte(`{}`), ActivatedAt: h.Clock.Now()}
	h.Do(t, func(tx *store.Tx) error { return tx.Authenticators().Add(t.Context(), a, h.User.ID) })
	return a
}

// tryPasscode checks a typed passcode under the default policy.
func tryPasscode(t *testing.T, h *storetest.Fixture, db *store.DB, typed string) (result Result) {
	t.Helper()
	rules := policy.DefaultLockout()
	err := db.InTx(t.Context(), h.Who, func(tx *store.Tx) (err error) {
		result, err = Check(t.Context(), tx, Attempt{Tenant: h.Tenant.ID, User: h.User.ID, Journey: "jrn_x", Typed: typed,
			Rules: rules})
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return result
}

func TestCRED10_LookAhead(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		a := hotpToken(t, h)
		for _, tt := range []struct {
			name    string
			counter int64
			want    Reason // empty: accepted
			invalid int64  // afterwards
		}{
			{"the first", 0, "", 0},
			{"the same again", 0, Replayed, 0},
			{"three in vain", 4, "", 0},
			{"one skipped, later", 2, Replayed, 0},
			{"four in vain, which the next must follow", 9, OuterWindow, 0},
			{"the last that is ahead", 8, "", 0},
			{"long spent", 0, Replayed, 0},
			{"beyond the outer window too", 200, Wrong, 1},
		} {
			got := tryPasscode(t, h, h.DB, otp.HOTP(a.Seed, otp.Params{}, tt.counter))
			if got.Reason != tt.want || got.OK != (tt.want == "") {
				t.Errorf("%s: %v %q, want %q", tt.name, got.OK, got.Reason, tt.want)
			}
			if invalid := row(t, h, a).Invalid; invalid != tt.invalid {
				t.Errorf("%s: %d wrong in a row, want %d", tt.name, invalid, tt.invalid)
			}
		}
		if got := row(t, h, a).LastStep; got != 8 {
			t.Errorf("last counter %d, want 8", got)
		}
	})
}

// A passcode of a counter works once, whatever the concurrency: a hundred times
// at once, on two nodes. Neither an older nor a skipped one works afterwards.
func TestCRED9_HOTPWorksOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		a := hotpToken(t, h)
		nodes := [...]*store.DB{h.DB, h.Node(t)}
		code := otp.HOTP(a.Seed, otp.Params{}, 2)
		won := storetest.Race(t, 100, func(i int) error {
			if tryPasscode(t, h, nodes[i%2], code).OK {
				return nil
			}
			return identity.Conflict
		})
		if won != 1 {
			t.Errorf("%d of 100 used the same passcode, want 1", won)
		}
		if got := row(t, h, a); got.Invalid != 0 || got.LastStep != 2 {
			t.Errorf("counter %d with %d wrong, want 2 with 0: replays are no guesses", got.LastStep, got.Invalid)
		}
		if got := tryPasscode(t, h, h.DB, otp.HOTP(a.Seed, otp.Params{}, 1)); got.OK {
			t.Error("a counter before the last accepted was accepted")
		}
	})
}

// Of passcodes of different counters at once, none is accepted that is older than one
// accepted before it.
func TestCRED9_HOTPOnlyGoesForward(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		a := hotpToken(t, h)
		storetest.Race(t, 40, func(i int) error {
			if tryPasscode(t, h, h.DB, otp.HOTP(a.Seed, otp.Params{}, int64(i%4))).OK {
				return nil
			}
			return identity.Conflict
		})
		accepted := len(events(t, h, audit.PasscodeRight))
		if accepted < 1 || accepted > 4 {
			t.Errorf("%d of four passcodes typed ten times each were accepted", accepted)
		}
		if got := row(t, h, a); got.LastStep != 3 || got.Invalid != 0 {
			t.Errorf("counter %d with %d wrong, want 3 with 0", got.LastStep, got.Invalid)
		}
	})
}

// Both kinds count and lock alike, and a passcode of one does not count as a wrong one of
// the other (CRED-11).
func TestCRED11_HOTPBesideAnApp(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		a, b := hotpToken(t, h), h.Authenticator(t, "phone")
		bad := wrongPasscode(h, b)
		for range limit - 1 {
			tryPasscode(t, h, h.DB, bad)
		}
		if !tryPasscode(t, h, h.DB, passcode(h, b, 0)).OK {
			t.Fatal("the app's passcode was refused")
		}
		if got := tryPasscode(t, h, h.DB, bad); len(got.NowLocked) != 1 || got.NowLocked[0].ID != a.ID {
			t.Errorf("locked by the tenth: %v, want the fob alone", got.NowLocked)
		}
		if got := tryPasscode(t, h, h.DB, otp.HOTP(a.Seed, otp.Params{}, 0)); got.OK || got.Reason != Locked {
			t.Errorf("a right one of the locked fob: %v %q", got.OK, got.Reason)
		}
		held, err := summarise(t.Context(), h.DB.Reader, h.Tenant.ID, h.User.ID, policy.DefaultPlatforms(), policy.NoPresence)
		if err != nil || held.Assigned != 2 || held.Passcodes != 1 {
			t.Errorf("held: %+v, %v, want two of which one makes passcodes", held, err)
		}
	})
}

// Compares with another implementation, where it is installed.
func TestCRED10_HOTPOfOathtool(t *testing.T) {
	oathtool, err := exec.LookPath("oathtool")
	if err != nil {
		t.Skip("oathtool is not installed")
	}
	h := storetest.SQLite(t)
	a := hotpToken(t, h)
	for counter := range 12 {
		out, err := exec.CommandContext(t.Context(), oathtool, "--hotp", "--counter="+strconv.Itoa(counter), hex.EncodeToString(a.Seed)).Output()
		if err != nil {
			t.Fatal(err)
		}
		if code := strings.TrimSpace(string(out)); !tryPasscode(t, h, h.DB, code).OK {
			t.Errorf("counter %d: oathtool's %s was refused", counter, code)
		}
	}
}

// A token that is far ahead is resynchronised by the very next passcode, and by no other.
func TestCRED10_ACounterFarAhead(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		a := hotpToken(t, h)
		rules := policy.DefaultLockout()
		next := func(counter int64, first identity.Resync) (result Result) {
			t.Helper()
			h.Do(t, func(tx *store.Tx) (err error) {
				result, err = Check(t.Context(), tx, Attempt{Tenant: h.Tenant.ID, User: h.User.ID, Journey: "jrn_x", Rules: rules,
					Typed: otp.HOTP(a.Seed, otp.Params{}, counter), ResyncFirst: first, NoResync: first.Authenticator != ""})
				return err
			})
			return result
		}
		far := next(60, identity.Resync{})
		if far.OK || far.Reason != OuterWindow || far.ResyncFirst.Authenticator != a.ID || far.ResyncFirst.Step != 60 || !far.ResyncFirst.Until.Equal(h.Clock.Now().Add(5*time.Minute)) {
			t.Fatalf("far ahead: %+v", far)
		}
		for _, counter := range []int64{60, 62, 59} {
			if got := next(counter, far.ResyncFirst); got.OK || got.Reason != Wrong {
				t.Errorf("%d after 60: %v %q", counter, got.OK, got.Reason)
			}
		}
		if got := next(61, far.ResyncFirst); !got.OK {
			t.Errorf("61 after 60: %q", got.Reason)
		}
		if got := row(t, h, a); got.LastStep != 61 || got.Invalid != 0 {
			t.Errorf("counter %d, %d wrong in a row", got.LastStep, got.Invalid)
		}
	})
}
