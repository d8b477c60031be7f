package push

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
)

// optionCount is the number of options that a phone shows to pick from.
const optionCount = 3

// setNumber sets the number of a request's presence check and, with Pick, the
// options that the phone shows (PUSH-18). The number differs from the one that
// this browser showed before, so that a page left open shows no valid number.
func setNumber(ctx context.Context, tx *store.Tx, p *store.PushRequest, rules policy.Push) error {
	if p.Presence == policy.NoPresence {
		return nil
	}
	digits := Digits(p.Presence, rules)
	if digits == 0 {
		return fmt.Errorf("push: no presence check %q", p.Presence)
	}
	before, err := shownBefore(ctx, tx, *p)
	if err != nil {
		return err
	}
	for p.Number == "" || p.Number == before {
		p.Number = randomNumber(digits)
	}
	if p.Presence != policy.Pick {
		return nil
	}
	elsewhere, err := tx.Push().ShownNumbers(ctx, p.Tenant, maxAvoided)
	if err != nil {
		return err
	}
	p.Options = options(p.Number, elsewhere)
	return nil
}

// Digits returns the number of digits of a presence check's number, or 0 if it has
// none.
func Digits(presence policy.Presence, rules policy.Push) int {
	switch presence {
	case policy.Pick:
		return int(rules.PickDigits)
	case policy.Enter:
		return 2
	case policy.SixDigits:
		return 6
	}
	return 0
}

// shownBefore returns the number of the request that a new one is about to replace.
func shownBefore(ctx context.Context, tx *store.Tx, p store.PushRequest) (string, error) {
	open, err := tx.Push().Open(ctx, p.Tenant, p.User)
	if errors.Is(err, identity.NotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return tx.Push().Number(ctx, p.Tenant, open.ID)
}

// maxAvoided is the maximum number of other requests whose numbers are avoided as
// decoys. If many users log in at once, all numbers are in use.
const maxAvoided = 100

// options returns a number and its decoys in random order. Each decoy differs from
// the number in at least two digits, so that misreading one digit does not pick it.
// No decoy is shown by another open request, so that a user who looks at the wrong
// screen does not find its number among the options.
func options(number string, elsewhere []string) []string {
	var far, unseen []string
	for n := range powerOfTen(len(number)) {
		decoy := fmt.Sprint(n)
		if len(decoy) != len(number) || differingDigits(decoy, number) < 2 {
			continue
		}
		far = append(far, decoy)
		if !slices.Contains(elsewhere, decoy) {
			unseen = append(unseen, decoy)
		}
	}
	if len(unseen) < optionCount-1 {
		unseen = far
	}
	all := []string{number}
	for len(all) < optionCount {
		i := randomBelow(len(unseen))
		all = append(all, unseen[i])
		unseen = slices.Delete(unseen, i, i+1)
	}
	for i := len(all) - 1; i > 0; i-- {
		j := randomBelow(i + 1)
		all[i], all[j] = all[j], all[i]
	}
	return all
}

// differingDigits returns the number of positions in which two numbers differ.
func differingDigits(a, b string) (n int) {
	for i := range len(a) {
		if a[i] != b[i] {
			n++
		}
	}
	return n
}

// randomNumber returns a random number with this many digits. The first is not 0,
// so that users need not wonder whether to type it.
func randomNumber(digits int) string {
	least := powerOfTen(digits - 1)
	return fmt.Sprint(least + randomBelow(9*least))
}

func powerOfTen(digits int) int {
	n := 1
	for range digits {
		n *= 10
	}
	return n
}

// randomBelow returns a random number from 0 to n-1.
func randomBelow(n int) int {
	r, err := rand.Int(rand.Reader, big.NewInt(int64(n)))
	if err != nil {
		panic(err) // crypto/rand does not fail
	}
	return int(r.Int64())
}

// minVersions has the version of each app in which it first had a capability.
// Capabilities that are not listed have existed since the first version.
var minVersions = map[string]map[string]string{
	"latchkey-web": {policy.Pick.Capability(): "1.1.0", policy.SixDigits.Capability(): "1.1.0", "pin:app": "1.1.0",
		"pin:server": "1.2.0", "challenge": "1.2.0", "counter": "1.2.0"},
	"latchkey-phone": {policy.Pick.Capability(): "1.1.0", policy.SixDigits.Capability(): "1.1.0", "pin:app": "1.1.0",
		"pin:server": "1.2.0", "challenge": "1.2.0", "counter": "1.2.0"},
}

// MinVersion returns the first version of an app that has a capability, or "" if it
// is unknown (PUSH-22). app is the app's own declaration ("name/version").
func MinVersion(app, capability string) string {
	name, _, _ := strings.Cut(app, "/")
	return minVersions[name][capability]
}
