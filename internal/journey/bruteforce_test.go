package journey_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// Ten thousand tries, from one machine of many addresses and from many machines, at
// two nodes and after they are started anew, by every way there is: no more are
// looked at than an address and a user are allowed, to the last one.
//
// Tried without Hit in Passcode: every try was recorded. Tried with
// the whole address in store.Network: so was every one of the /64's. Tried without
// Reserve: as many secrets were looked at as addresses came.
func TestTLOG08_GuessingIsBounded(t *testing.T) {
	storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
		h := newFixture(t, empty)
		h.withoutPassword(nil)
		h.recoveryCodes()
		other := h.Node(t)
		engines := []*journey.Engine{h.engine, h.newEngine(other)}
		tries := guesses
		if t.Name() != "TestTLOG08_GuessingIsBounded/sqlite" {
			tries = min(tries, 1_000)
		}
		from := func(ip string) client {
			v := h.withSession(nowhere)
			v.Who.IP = ip
			return v
		}

		// One machine: every address of its /64.
		var looked, throttled atomic.Int64
		var all sync.WaitGroup
		for worker := range 2 {
			v := h.toPasscode(fmt.Sprint("b", worker), "berit.lie")
			e := engines[worker]
			all.Go(func() {
				for i := range tries / 2 {
					after, err := h.takeOn(e, from(fmt.Sprintf("2001:db8::%x:%x", worker, i)), v, journey.EnterPasscode{Passcode: "000000"})
					switch {
					case errors.Is(err, identity.Throttled), errors.Is(err, identity.Unavailable):
						throttled.Add(1)
					case err != nil:
						t.Error(err)
						return
					default:
						looked.Add(1)
						v = after
					}
				}
			})
		}
		all.Wait()
		most := policy.DefaultLimits().PasswordAttemptsPerAddress
		if looked.Load() != most || looked.Load()+throttled.Load() != int64(tries) {
			t.Errorf("%d tries were taken and %d refused, want %d and the rest", looked.Load(), throttled.Load(), most)
		}
		threshold := int(policy.DefaultLockout().Threshold)
		evaluated := func() int {
			return reasons(h.events(audit.PasscodeWrong))["wrong"] + reasons(h.events(audit.RecoveryCodeWrong))["wrong"]
		}
		if n := evaluated(); n != threshold+1 {
			t.Errorf("%d were looked at, want %d, of %v", n, threshold+1, reasons(h.events(audit.PasscodeWrong)))
		}

		// Many machines, at nodes started anew: the count and the lock are rows.
		anew := h.Node(t)
		engines = append(engines, h.newEngine(anew))
		for i := range 60 {
			e, client := engines[i%3], from(fmt.Sprintf("198.51.%d.7", i))
			v, err := h.begin(fmt.Sprint("c", i), nowhere, nil)
			v = h.want(v, err, journey.Identify)
			v, err = h.takeOn(e, client, v, journey.EnterName{Name: "berit.lie"})
			v = h.want(v, err, journey.Choose)
			way := []identity.Method{identity.ByPasscode, identity.ByRecoveryCode}[i%2]
			v, err = h.takeOn(e, client, v, journey.ChooseMethod{Method: way})
			if err != nil {
				t.Fatal(err)
			}
			if way == identity.ByPasscode {
				_, err = h.takeOn(e, client, v, journey.EnterPasscode{Passcode: h.passcode(0)}) // the right one
			} else {
				_, err = h.takeOn(e, client, v, journey.EnterRecoveryCode{Code: "AAAA-AAAA-AAAA-AAAA"})
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if n := evaluated(); n != threshold+1 || h.grants.Load() != 0 {
			t.Errorf("%d were looked at while locked, %d let in", n-threshold-1, h.grants.Load())
		}
		if all := h.events(audit.PasscodeRight); len(all) != 0 {
			t.Errorf("%d right ones while locked", len(all))
		}
	})
}
