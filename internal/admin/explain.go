package admin

import (
	"context"
	"net/netip"
	"slices"

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
	Decision   policy.Decision
	Trace      []policy.Trace // of every access rule, in their order

	MayEnroll bool
	WhyEnroll policy.Reason
	Platforms policy.Platforms
	Push      policy.EffectivePush
	PushNow   PushPreview

	Versions Versions // of the documents that decided
}

// Explain says what the policies would decide if the user logged in now to the
// application, from an address; the zero address is one nobody knows. It asks the
// functions that a login asks, about the same rows, which r reads from a snapshot.
func Explain(ctx context.Context, r store.Reader, u identity.User, application string, address netip.Addr) (Explanation, error) {
	e := Explanation{Disabled: !u.Enabled(), GroupNames: make(map[string]string), Versions: make(Versions)}
	documents := &documents{r: r, tenant: u.Tenant, versions: e.Versions}
	access, err := inForce[policy.Access](ctx, documents)
	if err != nil {
		return e, err
	}
	enrollment, err := inForce[policy.SelfProvisioning](ctx, documents)
	if err != nil {
		return e, err
	}
	if e.Platforms, err = inForce[policy.Platforms](ctx, documents); err != nil {
		return e, err
	}
	push, err := inForce[policy.Push](ctx, documents)
	if err != nil {
		return e, err
	}
	template, err := inForce[policy.Template](ctx, documents)
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
	authenticators, err := store.Collect(r.Authenticators().OfUser(ctx, u.Tenant, u.ID))
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
	app, err := r.Applications().Get(ctx, u.Tenant, application)
	if err != nil {
		return e, err
	}
	e.PushNow, err = previewPush(ctx, r, u, app, push, e, authenticators)
	return e, err
}
