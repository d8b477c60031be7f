package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
)

// How many passcodes are checked one after the other, and against how many
// authenticators each.
const (
	checked      = 3000
	checkedQuick = 50
	checkedOf    = 5
)

// checking is the transaction in which a passcode is checked against all that a
// user has, counted and recorded. It is of the one that is looked at last, so that
// every other is looked at in vain; and a token that counts, whose passcodes need
// not be waited for.
func checking(ctx context.Context, r *rig, o options, s scenario) (Row, error) {
	row := Row{Scenario: s.name, Title: s.title, Browsers: 1}
	keys, err := r.config.Keys()
	if err != nil {
		return row, err
	}
	db, err := store.Open(ctx, store.Options{Source: r.config.Source(), Keys: keys})
	if err != nil {
		return row, err
	}
	n := checked
	if o.quick {
		n = checkedQuick
	}
	var m reading
	who := identity.Principal{Tenant: r.tenant.ID, Kind: identity.CommandLine, Name: "bench"}
	user, seed, err := heavy(ctx, db, who)
	began := time.Now()
	for counter := int64(0); err == nil && counter < int64(n); counter++ {
		code := otp.HOTP(seed, otp.Params{}, counter)
		last := time.Now()
		err = db.InTx(ctx, who, func(tx *store.Tx) error {
			result, err := authenticator.Check(ctx, tx, authenticator.Attempt{Tenant: r.tenant.ID, User: user, Typed: code, Rules: policy.DefaultLockout()})
			if err == nil && !result.OK {
				err = fmt.Errorf("passcode %d is %s", counter, result.Reason)
			}
			return err
		})
		m.each = append(m.each, time.Since(last))
	}
	m.took = time.Since(began)
	if err = errors.Join(err, db.Close()); err != nil {
		return row, err
	}
	slices.Sort(m.each)
	row.note(m)
	row.times(m)
	row.PerSecond = float64(row.Done) / m.took.Seconds()
	_, row.PeakMiB, err = r.memory()
	return row, err
}

// heavy adds a user with many authenticators, of which the last counts, and
// returns the user's id and that one's seed.
func heavy(ctx context.Context, db *store.DB, who identity.Principal) (user string, seed []byte, err error) {
	u := identity.User{Tenant: who.Tenant, ID: identity.NewID(identity.UserID), Name: "five tokens"}
	err = db.InTx(ctx, who, func(tx *store.Tx) error {
		if err := tx.Users().Add(ctx, u); err != nil {
			return err
		}
		for i := range checkedOf {
			// All are enrolled in one second: their ids say which is looked at last.
			a := identity.Authenticator{Tenant: who.Tenant, ID: fmt.Sprintf("%s_bench%d", identity.AuthenticatorID, i), Serial: fmt.Sprintf("BENCH-%d", i),
				Kind: identity.TOTP, Name: "Bench", Seed: otp.NewSecret(otp.SHA1), Digits: 6, Step: 30, Template: []byte(`{}`), ActivatedAt: tx.Now()}
			if i == checkedOf-1 {
				a.Kind, a.Step, seed = identity.HOTP, 0, a.Seed
			}
			if err := tx.Authenticators().Add(ctx, a, u.ID); err != nil {
				return err
			}
		}
		return nil
	})
	return u.ID, seed, err
}
