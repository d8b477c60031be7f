package admin

import (
	"context"
	"net/netip"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
)

// An Explanation is what the policies decide for one user at one application, and
// why.
type Explanation struct {
	Groups     []string          // ids
	GroupNames map[string]string // names of these groups, by id
	Disabled   bool              // the user is, and logs in to nothing, whatever the rest says

	// LockedUntil is until when failed logins, or an operator, have locked the user;
	// zero where none have. An operator's lock has no end.
	LockedUntil time.Time

	Decision policy.Decision
	Trace    []policy.Trace // of every access rule, in their order

	Platforms policy.Platforms // as credentials restrict them
	Push      policy.EffectivePush
	Ways      policy.Ways // to confirm the login
	PushNow   PushPreview

	Versions Versions // of the documents that decided
}

// Explain says what the policies would decide if the user logged in now to the
// application, from an address; the zero address is one nobody knows. It asks the
// functions that a login asks, about the same rows, which r reads from a snapshot.
func Explain(ctx context.Context, r store.Reader, u identity.User, application string, address netip.Addr) (Explanation, error) {
	e := Explanation{Disabled: !u.Enabled(), GroupNames: make(map[string]string), Versions: make(Versions)}
	rules, err := allInForce(ctx, &documents{r: r, tenant: u.Tenant, versions: e.Versions})
	if err != nil {
		return e, err
	}
	for g, err := range r.Groups().OfUser(ctx, u.Tenant, u.ID) {
		if err != nil {
			return e, err
		}
		e.Groups = append(e.Groups, g.ID)
		e.GroupNames[g.ID] = g.Name
	}
	e.Decision, e.Trace = rules.Access.Explain(policy.Subject{Groups: e.Groups, Application: application, Address: address})
	e.Platforms, e.Push = rules.Platforms, rules.Push.Effective(e.Groups)
	app, err := r.Applications().Get(ctx, u.Tenant, application)
	if err != nil {
		return e, err
	}
	return e, e.explainWays(ctx, r, u, app, rules)
}

// allInForce returns the documents that decide about ways to confirm a login, as a
// login goes by them.
func allInForce(ctx context.Context, all *documents) (d policy.Documents, err error) {
	if d.Access, err = inForce[policy.Access](ctx, all); err != nil {
		return d, err
	}
	if d.Push, err = inForce[policy.Push](ctx, all); err != nil {
		return d, err
	}
	if d.Platforms, err = inForce[policy.Platforms](ctx, all); err != nil {
		return d, err
	}
	if d.Credentials, err = inForce[policy.Credentials](ctx, all); err != nil {
		return d, err
	}
	if d.SelfProvisioning, err = inForce[policy.SelfProvisioning](ctx, all); err != nil {
		return d, err
	}
	if d.Template, err = inForce[policy.Template](ctx, all); err != nil {
		return d, err
	}
	if d.Lockout, err = inForce[policy.Lockout](ctx, all); err != nil {
		return d, err
	}
	d.Platforms, d.SelfProvisioning = d.Credentials.Restrict(d.Platforms, d.SelfProvisioning)
	return d, nil
}
