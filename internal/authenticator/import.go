package authenticator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/pskc"
	"github.com/latchkey-id/latchkey/internal/store"
)

// importBatch is the number of tokens that an import adds in one transaction. Logins
// that happen at the same time wait for one batch at most.
const importBatch = 50

// Importable returns the tokens of a file that can be imported into a tenant, and the
// serials that exist already, of whatever kind. An interrupted import can therefore be
// completed by repeating it. If a token has expired or may not be used yet, or its user
// does not exist, the error is an identity.Error that wraps [pskc.Problems].
func Importable(ctx context.Context, db *store.DB, tenant string, keys []pskc.Key) (fresh []pskc.Key, known []string, err error) {
	var problems pskc.Problems
	for _, k := range keys {
		switch now := db.Now(); {
		case !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt):
			problems = append(problems, pskc.Problem{Line: k.Line, Serial: k.Serial, Err: fmt.Errorf("expired on %s", k.ExpiresAt.Format(time.DateOnly))})
			continue
		case now.Before(k.StartsAt):
			problems = append(problems, pskc.Problem{Line: k.Line, Serial: k.Serial,
				Err: fmt.Errorf("may not be used before %s; import it then", k.StartsAt.Format(time.DateOnly))})
			continue
		}
		if k.User != "" {
			_, err := db.Users().ByName(ctx, tenant, k.User)
			switch {
			case errors.Is(err, identity.NotFound):
				problems = append(problems, pskc.Problem{Line: k.Line, Serial: k.Serial,
					Err: fmt.Errorf("there is no user %q; leave that empty, and assign the token later", k.User)})
				continue
			case err != nil:
				return nil, nil, err
			}
		}
		switch _, err := db.Authenticators().BySerial(ctx, tenant, k.Serial); {
		case err == nil:
			known = append(known, k.Serial)
		case errors.Is(err, identity.NotFound):
			fresh = append(fresh, k)
		default:
			return nil, nil, err
		}
	}
	if len(problems) > 0 {
		return nil, nil, &identity.Error{Kind: identity.Invalid, Key: "error.import.invalid", Err: problems}
	}
	return fresh, known, nil
}

// Import adds hardware tokens, in batches, and calls done after each batch with the
// number added. They belong to nobody yet, unless the file says for whom they are. The number returned with an error is exact:
// the first n tokens were added and no others.
func Import(ctx context.Context, db *store.DB, who identity.Principal, tenant string, keys []pskc.Key, done func(n int)) (int, error) {
	// A batch that has begun is completed. If a commit were cancelled, it would be
	// unknown whether it happened.
	whole := context.WithoutCancel(ctx)
	added := 0
	for added < len(keys) {
		if err := ctx.Err(); err != nil {
			return added, err
		}
		batch := keys[added:min(added+importBatch, len(keys))]
		err := db.InTx(whole, who, func(tx *store.Tx) error {
			for _, k := range batch {
				if err := importKey(whole, tx, tenant, k); err != nil {
					return fmt.Errorf("authenticator: serial %s: %w", k.Serial, err)
				}
			}
			return nil
		})
		if err != nil {
			return added, err
		}
		added += len(batch)
		done(added)
	}
	return added, nil
}

func importKey(ctx context.Context, tx *store.Tx, tenant string, k pskc.Key) error {
	a := identity.Authenticator{Tenant: tenant, ID: identity.NewID(identity.AuthenticatorID), Serial: k.Serial, Kind: identity.TOTP,
		Name: k.Serial, Seed: k.Seed, Digits: k.Digits, Step: k.Period, LastStep: -1, Drift: k.Drift,
		Algorithm: cmp.Or(k.Algorithm, pskc.SHA1), Manufacturer: k.Manufacturer, ExpiresAt: k.ExpiresAt}
	if k.Event {
		a.Kind, a.LastStep = identity.HOTP, k.Counter-1
	}
	if err := tx.Authenticators().Import(ctx, a); err != nil {
		return err
	}
	err := tx.Event(ctx, audit.Event{Tenant: tenant, Kind: audit.AuthenticatorImported, Authenticator: a.ID,
		Data: map[string]string{"serial": a.Serial, "kind": string(a.Kind), "manufacturer": a.Manufacturer}})
	if err != nil || k.User == "" {
		return err
	}
	u, err := tx.Users().ByName(ctx, tenant, k.User)
	if err != nil {
		return err
	}
	return Assign(ctx, tx, a, u, "")
}

// expired reports whether a hardware token's key has expired.
func expired(a identity.Authenticator, now time.Time) bool {
	return !a.ExpiresAt.IsZero() && !now.Before(a.ExpiresAt)
}

// VerifyPossession checks a passcode that an unassigned hardware token shows, in the
// outer window. It proves that the operator has the right token, and sets its clock or
// counter. The passcode is used up. A wrong one is an Invalid error.
func VerifyPossession(ctx context.Context, tx *store.Tx, a identity.Authenticator, typed string) error {
	var err error
	if a.Seed, err = tx.Authenticators().Seed(ctx, a.Tenant, a.ID); err != nil {
		return err
	}
	far, ok, err := claimOuter(ctx, tx, a, otp.Canonical(typed))
	if err != nil {
		return err
	}
	if ok {
		ok, err = tx.Passcodes().SetClock(ctx, a.Tenant, a.ID, far)
	}
	if err == nil && !ok {
		err = &identity.Error{Kind: identity.Invalid, Key: "error.confirm.wrong",
			Err: fmt.Errorf("%s did not make that passcode just now, or it was used", a.Serial)}
	}
	return err
}
