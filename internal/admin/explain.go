package admin

import (
	"context"
	"net/netip"
	"slices"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
)

// An Explanation is what the policies say to one user at one application, and
// why. Groups stand in it by id.
type Explanation struct {
	Groups   []string
	Disabled bool // the user is, and logs in to nothing, whatever the rest says
	Decision policy.Decision
	Trace    []policy.Trace // of every access rule, in their order

	MayEnroll bool
	WhyEnroll policy.Reason
	Platforms policy.Platforms
	Push      policy.EffectivePush
	PushNow   PushNow

	// Versions of the documents that were asked; 0 is the default, which
	// nobody has changed.
	Versions map[policy.Kind]int64
}

// Explain asks the policies what they would say if the user logged in now to
// the application, from an address; the zero address is one nobody knows. It
// asks the same functions a login asks, on the same rows.
func Explain(ctx context.Context, db *store.DB, u identity.User, application string, address netip.Addr) (Explanation, error) {
	e := Explanation{Disabled: !u.Enabled(), Versions: make(map[policy.Kind]int64)}
	access, err := inForce[policy.Access](ctx, db.Reader, u.Tenant, e.Versions)
	if err != nil {
		return e, err
	}
	enrollment, err := inForce[policy.SelfProvisioning](ctx, db.Reader, u.Tenant, e.Versions)
	if err != nil {
		return e, err
	}
	if e.Platforms, err = inForce[policy.Platforms](ctx, db.Reader, u.Tenant, e.Versions); err != nil {
		return e, err
	}
	push, err := inForce[policy.Push](ctx, db.Reader, u.Tenant, e.Versions)
	if err != nil {
		return e, err
	}
	template, err := inForce[policy.Template](ctx, db.Reader, u.Tenant, e.Versions)
	if err != nil {
		return e, err
	}
	for g, err := range db.Groups().OfUser(ctx, u.Tenant, u.ID) {
		if err != nil {
			return e, err
		}
		e.Groups = append(e.Groups, g.ID)
	}
	authenticators, err := store.Collect(db.Authenticators().OfUser(ctx, u.Tenant, u.ID))
	if err != nil {
		return e, err
	}
	var halfMade []string
	for _, a := range authenticators {
		if a.State() == identity.Pending {
			halfMade = append(halfMade, a.ID)
		}
	}
	e.Decision, e.Trace = access.Explain(policy.Subject{Groups: e.Groups, Application: application, Address: address})
	e.Push = push.Effective(e.Groups)
	e.MayEnroll, e.WhyEnroll = enrollment.MayEnroll(policy.Candidate{
		Known:           u.Enabled(),
		Groups:          e.Groups,
		SecondFactor:    !e.Decision.Deny && slices.Contains(e.Decision.Require, identity.SecondFactor),
		Authenticators:  authenticators,
		OwnPending:      halfMade,
		EverEnrolled:    !u.EverEnrolledAt.IsZero(),
		Permit:          !u.EnrollPermitAt.IsZero(),
		PlatformAllowed: len(e.Platforms.Allowed()) > 0 || enrollment.ThirdParty && e.Push.CodesAllowed || e.Platforms.PrivacyIDEA(e.Push.PushSettings, template),
	})
	app, err := db.Applications().Get(ctx, u.Tenant, application)
	if err != nil {
		return e, err
	}
	e.PushNow, err = pushNow(ctx, db, u, app, push, e, authenticators)
	return e, err
}

// inForce reads a document and notes which version it is of.
func inForce[D policy.Document](ctx context.Context, r store.Reader, tenant string, versions map[policy.Kind]int64) (D, error) {
	var d D
	row, err := r.Policies().Get(ctx, tenant, d.Kind())
	if err != nil {
		return d, err
	}
	versions[d.Kind()] = row.Version
	return policy.Read[D](row.Document)
}
