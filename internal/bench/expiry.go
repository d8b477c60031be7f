package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
)

// How many authenticators the daily look for unused ones reads, and how many of
// these it changes: every hundredth user is to be told, and as many become
// inactive, which is more than a usual day has.
const (
	looked      = 200_000
	lookedQuick = 2_000
	dueEvery    = 50
	heldEach    = 4 // authenticators of a user
)

// expiring is the daily look for unused authenticators, beside the running server.
// What is timed by itself is the longest of the transactions in which some are
// changed: on SQLite nobody else writes meanwhile.
func expiring(ctx context.Context, r *rig, o options, s scenario) (Row, error) {
	row := Row{Scenario: s.name, Title: s.title, Browsers: 1}
	keys, err := r.config.Keys()
	if err != nil {
		return row, err
	}
	n := looked
	if o.quick {
		n = lookedQuick
	}
	rules := policy.DefaultCredentials()
	rules.UnusedDays = 90
	now := time.Now()
	open := func(ago time.Duration) (*store.DB, error) {
		return store.Open(ctx, store.Options{Source: r.config.Source(), Keys: keys, Now: func() time.Time { return now.Add(-ago) }})
	}
	long, err := open(200 * 24 * time.Hour)
	if err != nil {
		return row, err
	}
	before, err := open(8 * 24 * time.Hour)
	if err != nil {
		return row, errors.Join(err, long.Close())
	}
	today, err := open(0)
	if err != nil {
		return row, errors.Join(err, long.Close(), before.Close())
	}
	// Half of the unused ones are told of a week before, the others come to it now.
	err = hold(ctx, long, r.tenant.ID, "told", n/dueEvery/2)
	if err == nil {
		_, err = authenticator.ExpireUnused(ctx, before, r.tenant.ID, rules)
	}
	if err == nil {
		err = errors.Join(hold(ctx, long, r.tenant.ID, "idle", n/dueEvery/2), hold(ctx, today, r.tenant.ID, "used", n-n/dueEvery))
	}
	var m reading
	if err == nil {
		began := time.Now()
		var done authenticator.ExpiryReport
		done, err = authenticator.ExpireUnused(ctx, today, r.tenant.ID, rules)
		m.took = time.Since(began)
		if want := n / dueEvery / 2; err == nil && (done.Warned != want || done.Inactive != want) {
			err = fmt.Errorf("%d users were told and %d authenticators became inactive, of %d each", done.Warned, done.Inactive, want)
		}
		m.each = append(m.each, done.Longest)
	}
	if err = errors.Join(err, long.Close(), before.Close(), today.Close()); err != nil {
		return row, err
	}
	row.note(m)
	row.times(m)
	row.TookSeconds = m.took.Seconds()
	_, row.PeakMiB, err = r.memory()
	return row, err
}

// hold gives users of a tenant n authenticators.
func hold(ctx context.Context, db *store.DB, tenant, name string, n int) error {
	who := identity.Principal{Tenant: tenant, Kind: identity.CommandLine, Name: "bench"}
	seed := otp.NewSecret(otp.SHA1)
	for first := 0; first < n; first += 2000 {
		err := db.InTx(ctx, who, func(tx *store.Tx) error {
			var u identity.User
			for i := first; i < min(first+2000, n); i++ {
				if (i-first)%heldEach == 0 {
					u = identity.User{Tenant: tenant, ID: identity.NewID(identity.UserID), Name: fmt.Sprintf("%s %d", name, i), Mail: fmt.Sprintf("%s%d@example.org", name, i)}
					if err := tx.Users().Add(ctx, u); err != nil {
						return err
					}
				}
				a := identity.Authenticator{Tenant: tenant, ID: identity.NewID(identity.AuthenticatorID), Serial: fmt.Sprintf("%s-%d", name, i),
					Kind: identity.TOTP, Name: "Bench", Seed: seed, Digits: 6, Step: 30, Template: []byte(`{}`), ActivatedAt: tx.Now()}
				if err := tx.Authenticators().Add(ctx, a, u.ID); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
