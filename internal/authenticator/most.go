package authenticator

import (
	"context"
	"fmt"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
)

// ReadCredentials reads a tenant's policy of what its users may have, as it stands
// now.
func ReadCredentials(ctx context.Context, r store.Reader, tenant string) (policy.Credentials, error) {
	row, err := r.Policies().Get(ctx, tenant, policy.KindCredentials)
	if err != nil {
		return policy.Credentials{}, err
	}
	c, err := policy.Read[policy.Credentials](row.Document)
	if err != nil {
		return c, fmt.Errorf("authenticator: %w", err)
	}
	return c, nil
}

// MayHave refuses, as a Conflict, what has just given a user an authenticator of a
// kind that policy does not allow (CRED-1), or more than it allows (CRED-15),
// passkeys apart, of which there is another bound. Those half made do not count:
// nothing came of them yet.
func MayHave(ctx context.Context, tx *store.Tx, u identity.User, kind identity.AuthenticatorKind) error {
	rules, err := ReadCredentials(ctx, tx.Reader, u.Tenant)
	if err != nil {
		return err
	}
	if !rules.Allows(kind) {
		return &identity.Error{Kind: identity.Conflict, Key: "error.authenticator.kind",
			Err: fmt.Errorf("authenticator: policy allows none of kind %s, only %v", kind, rules.Kinds)}
	}
	all, err := store.Collect(tx.Authenticators().OfUser(ctx, u.Tenant, u.ID))
	if err == nil && bounded(all) > rules.MaxAuthenticators {
		err = tooMany(u, rules)
	}
	return err
}

// RoomForAnother is that of MayHave before there is another, for who is about to begin;
// all are those that the user has.
func RoomForAnother(u identity.User, rules policy.Credentials, all []identity.Authenticator) error {
	if bounded(all) >= rules.MaxAuthenticators {
		return tooMany(u, rules)
	}
	return nil
}

// bounded counts those whose number policy bounds.
func bounded(all []identity.Authenticator) (n int64) {
	for _, a := range all {
		if counts(a) && a.Kind != identity.Passkey {
			n++
		}
	}
	return n
}

func tooMany(u identity.User, rules policy.Credentials) error {
	return &identity.Error{Kind: identity.Conflict, Key: "error.authenticator.most",
		Err: fmt.Errorf("authenticator: user %s has %d, which is the most", u.ID, rules.MaxAuthenticators)}
}
