package journey_test

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// Who signs in rightly takes nothing from those who come after from the same address: a
// shift begins behind one. Wrong ones are counted as before, passwords and passcodes
// each, and those of an exempt network are not.
//
// Tried without refundAddress: the third right recovery code was refused, and the
// eleventh right password.
func TestTLOG08_RightOnesAreGivenBackToTheirAddress(t *testing.T) {
	storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
		h := newFixture(t, empty)
		limits := policy.DefaultLimits()
		limits.PasswordAttemptsPerAddress = 10
		h.setPolicy(limits)
		lockout := policy.DefaultLockout()
		lockout.Threshold = 0
		h.setPolicy(lockout)
		from := func(ip string) client {
			c := h.withSession(nowhere)
			c.Who.IP = ip
			return c
		}
		enter := func(ip string, n int, typed string) (*journey.View, error) {
			t.Helper()
			return h.take(from(ip), h.named(fmt.Sprint("b", n), "berit.lie", journey.AskPassword), journey.EnterPassword{Password: typed})
		}
		codes := h.recoveryCodes()
		for n := range 8 {
			if _, err := h.take(from("192.0.2.17"), h.toRecovery(h.toChoice(fmt.Sprint("c", n))), journey.EnterRecoveryCode{Code: "0000-0000-0000-0000"}); err != nil {
				t.Fatalf("wrong recovery code %d: %v", n, err)
			}
		}
		for n, code := range codes[:5] {
			v, err := h.take(from("192.0.2.17"), h.toRecovery(h.toChoice(fmt.Sprint("d", n))), journey.EnterRecoveryCode{Code: code})
			h.want(v, err, journey.Done)
		}
		h.Clock.Advance(time.Hour)
		for n := range 15 {
			if _, err := enter("192.0.2.17", n, password); err != nil {
				t.Fatalf("right password %d: %v", n, err)
			}
		}
		refused := func(ip string) int {
			for n := range 15 {
				if _, err := enter(ip, n, "wrong password"); errors.Is(err, identity.Throttled) {
					return n
				} else if err != nil {
					t.Fatal(err)
				}
			}
			return -1
		}
		if n := refused("192.0.2.17"); n != 10 {
			t.Errorf("wrong one %d was refused, want the one after 10", n)
		}
		limits.ExemptNetworks = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
		h.setPolicy(limits)
		if n := refused("192.0.2.18"); n != -1 {
			t.Errorf("of an exempt network, wrong one %d was refused", n)
		}
		if n := refused("198.51.100.7"); n != 10 {
			t.Errorf("of another, wrong one %d was refused, want the one after 10", n)
		}
	})
}

// An address that has had too many is refused by a read: it waits for no place in the
// queue of hashes and not for the one writer, so that a flood keeps nobody else from
// either. The writer is held here until the refusal has come.
//
// Tried without checkAddress: it waited for the writer.
func TestTADM15_WhoHadTooManyWaitsForNothing(t *testing.T) {
	h := newFixture(t, storetest.SQLite(t))
	limits := policy.DefaultLimits()
	limits.PasswordAttemptsPerAddress = 10
	h.setPolicy(limits)
	lockout := policy.DefaultLockout()
	lockout.Threshold = 0
	h.setPolicy(lockout)
	for n := range 10 {
		v := h.named(fmt.Sprint("b", n), "berit.lie", journey.AskPassword)
		if _, err := h.take(h.withSession(nowhere), v, journey.EnterPassword{Password: "wrong password"}); err != nil {
			t.Fatal(err)
		}
	}
	v := h.named("late", "berit.lie", journey.AskPassword)
	h.Do(t, func(*store.Tx) error {
		answered := make(chan error, 1)
		go func() {
			_, err := h.take(h.withSession(nowhere), v, journey.EnterPassword{Password: "wrong password"})
			answered <- err
		}()
		select {
		case err := <-answered:
			if !errors.Is(err, identity.Throttled) {
				t.Errorf("got %v, want throttled", err)
			}
		case <-time.After(10 * time.Second):
			t.Error("it waits for the writer")
		}
		return nil
	})
}
