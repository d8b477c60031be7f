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

// choices is how many numbers a phone shows to pick from.
const choices = 3

// number makes the number of a request's presence check, and, where it is to be
// picked, what the phone shows (PUSH-18). It is never the one that this browser
// was shown a moment ago: a page that was left open shows nothing of use.
func number(ctx context.Context, tx *store.Tx, p *store.PushRequest, rules policy.Push) error {
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
	elsewhere, err := tx.Push().ShownNumbers(ctx, p.Tenant, mostShown)
	if err != nil {
		return err
	}
	p.Options = options(p.Number, elsewhere)
	return nil
}

// Digits is how many digits the number of a presence check has; 0 where there is
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

// shownBefore is the number of the request that a new one is about to replace.
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

// mostShown bounds how many other requests' numbers are kept out of the decoys.
// There are only so many numbers; a crowd that logs in at once shows them all.
const mostShown = 100

// options returns a number with its decoys, in random order. No decoy differs
// from it in one digit alone, so that a slip of the eye picks none; nor is one
// shown in another open request, so that who looks at another screen than the
// right one finds nothing there to pick.
func options(number string, elsewhere []string) []string {
	var far, unseen []string
	for n := range tenTo(len(number)) {
		decoy := fmt.Sprint(n)
		if len(decoy) != len(number) || differing(decoy, number) < 2 {
			continue
		}
		far = append(far, decoy)
		if !slices.Contains(elsewhere, decoy) {
			unseen = append(unseen, decoy)
		}
	}
	if len(unseen) < choices-1 {
		unseen = far
	}
	all := []string{number}
	for len(all) < choices {
		i := below(len(unseen))
		all = append(all, unseen[i])
		unseen = slices.Delete(unseen, i, i+1)
	}
	for i := len(all) - 1; i > 0; i-- {
		j := below(i + 1)
		all[i], all[j] = all[j], all[i]
	}
	return all
}

// differing counts the digits in which two numbers of one length differ.
func differing(a, b string) (n int) {
	for i := range len(a) {
		if a[i] != b[i] {
			n++
		}
	}
	return n
}

// randomNumber returns a number of so many digits, the first of which is not 0:
// nobody has to wonder whether to type it.
func randomNumber(digits int) string {
	least := tenTo(digits - 1)
	return fmt.Sprint(least + below(9*least))
}

func tenTo(digits int) int {
	n := 1
	for range digits {
		n *= 10
	}
	return n
}

// below returns a random number from 0 to n-1.
func below(n int) int {
	r, err := rand.Int(rand.Reader, big.NewInt(int64(n)))
	if err != nil {
		panic(err) // crypto/rand does not fail
	}
	return int(r.Int64())
}

// leastVersions says since which version an app of ours can do what it must
// declare. What is not here was there from the first.
var leastVersions = map[string]map[string]string{
	"latchkey-web": {policy.Pick.Capability(): "1.1.0", policy.SixDigits.Capability(): "1.1.0", "pin:app": "1.1.0",
		"pin:server": "1.2.0", "challenge": "1.2.0", "counter": "1.2.0"},
	"latchkey-phone": {policy.Pick.Capability(): "1.1.0", policy.SixDigits.Capability(): "1.1.0", "pin:app": "1.1.0",
		"pin:server": "1.2.0", "challenge": "1.2.0", "counter": "1.2.0"},
}

// Least returns the least version of an app, given as it declares itself
// ("name/version"), that has a capability; empty where nobody knows one
// (PUSH-22).
func Least(app, capability string) string {
	name, _, _ := strings.Cut(app, "/")
	return leastVersions[name][capability]
}
