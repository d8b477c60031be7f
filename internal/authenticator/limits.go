package authenticator

import (
	"context"
	"fmt"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
)

// ReadCredentials reads a tenant's present policy for credentials.
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

// CheckLimits is called after a user got an authenticator. It returns a Conflict if
// policy does not allow its kind (CRED-1) or the user now has too many (CRED-15).
// Passkeys have a separate limit. Pending authenticators do not count.
func CheckLimits(ctx context.Context, tx *store.Tx, u identity.User, kind identity.AuthenticatorKind) error {
	rules, err := ReadCredentials(ctx, tx.Reader, u.Tenant)
	if err != nil {
		return err
	}
	if !rules.Allows(kind) {
		return &identity.Error{Kind: identity.Conflict, Key: "error.authenticator.kind",
			Err: fmt.Errorf("authenticator: policy allows none of kind %s, only %v", kind, rules.Kinds)}
	}
	all, err := store.Collect(tx.Authenticators().OfUser(ctx, u.Tenant, u.ID))
	if err == nil && countLimited(all) > rules.MaxAuthenticators {
		err = tooMany(u, rules)
	}
	return err
}

// CheckCanAdd returns the error that CheckLimits would return for a further
// authenticator, before it is enrolled. all are the user's authenticators.
func CheckCanAdd(u identity.User, rules policy.Credentials, all []identity.Authenticator) error {
	if countLimited(all) >= rules.MaxAuthenticators {
		return tooMany(u, rules)
	}
	return nil
}

// countLimited returns the number of authenticators that the policy's limit applies to.
func countLimited(all []identity.Authenticator) (n int64) {
	for _, a := range all {
		if a.CountsAsEnrolled() && a.Kind != identity.Passkey {
			n++
		}
	}
	return n
}

func tooMany(u identity.User, rules policy.Credentials) error {
	return &identity.Error{Kind: identity.Conflict, Key: "error.authenticator.most",
		Err: fmt.Errorf("%s has %d authenticators, which is the most", u.Name, rules.MaxAuthenticators)}
}
