package enroll

import (
	"context"
	"errors"
	"time"

	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
)

// Rules are those of a tenant's documents that self-provisioning goes by.
type Rules struct {
	Limits           policy.Limits
	SelfProvisioning policy.SelfProvisioning
	Platforms        policy.Platforms
	Template         policy.Template // the standard one
	Templates        policy.Templates
}

// template is the one in force on a platform.
func (r Rules) template(platform identity.Platform) policy.Template {
	return r.Templates.ForPlatform(platform, r.Template)
}

// Allow reports whether something may be enrolled on a platform. The
// privacyIDEA Authenticator can nothing but push, and asks for no PIN that we
// would know of.
func (r Rules) Allow(platform identity.Platform) bool {
	if platform == identity.PrivacyIDEA {
		return r.Platforms.PushOn(platform) && !r.Template.VerifiesUser()
	}
	return r.Platforms[platform].Allowed
}

// ReadRules reads a tenant's rules as they stand now.
func ReadRules(ctx context.Context, r store.Reader, tenant string) (Rules, error) {
	var rules Rules
	var err error
	if rules.Limits, err = store.ReadPolicy[policy.Limits](ctx, r, tenant); err != nil {
		return rules, err
	}
	if rules.SelfProvisioning, err = store.ReadPolicy[policy.SelfProvisioning](ctx, r, tenant); err != nil {
		return rules, err
	}
	if rules.Platforms, err = store.ReadPolicy[policy.Platforms](ctx, r, tenant); err != nil {
		return rules, err
	}
	if rules.Template, err = store.ReadPolicy[policy.Template](ctx, r, tenant); err != nil {
		return rules, err
	}
	if rules.Templates, err = store.ReadPolicy[policy.Templates](ctx, r, tenant); err != nil {
		return rules, err
	}
	credentials, err := authenticator.ReadCredentials(ctx, r, tenant)
	rules.Platforms, rules.SelfProvisioning = credentials.Restrict(rules.Platforms, rules.SelfProvisioning)
	return rules, err
}

// afterwards is what a journey keeps at least after its authenticator is ready,
// for the push or the passcode that follows.
const afterwards = 5 * time.Minute

// extend lets a journey live for a while yet, as a finished step of the wizard
// does, but never longer than ninety minutes in all (JRN-4).
func extend(j *identity.Journey, now time.Time, life time.Duration) {
	until := now.Add(life)
	if most := j.StartedAt.Add(policy.MaxJourneyLifetime * time.Second); until.After(most) {
		until = most
	}
	if until.After(j.ExpiresAt) {
		j.ExpiresAt = until
	}
}

// seconds is a policy's number of seconds as a duration.
func seconds(n int64) time.Duration { return time.Duration(n) * time.Second }

// limited gives a Throttled error the key of what was too often; other errors
// pass.
func limited(err error, key string) error {
	if e, ok := errors.AsType[*identity.Error](err); ok && e.Kind == identity.Throttled {
		return &identity.Error{Kind: identity.Throttled, Key: key, RetryAfter: e.RetryAfter, Err: err}
	}
	return err
}
