package admin

import (
	"context"
	"slices"

	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
)

// maxPreviewNames is how many of the users who would be locked out are named.
const maxPreviewNames = 20

// A PolicyPreview is what changes of policies would do to people. It is made from
// a snapshot, for an operator to confirm.
type PolicyPreview struct {
	// Versions are those of the documents that the preview was made from.
	// [SetPolicies] refuses others.
	Versions Versions

	LockedOut policy.LockedOut // users who could not log in (PUSH-5)
	Named     []LockedOutUser  // the first of them, by name

	// Unused are the authenticators that a shorter time without use would make
	// inactive (CRED-15); nil where that time does not become shorter.
	Unused *UnusedPreview
}

// A LockedOutUser is a user who could not log in, and why.
type LockedOutUser struct {
	User        string        `json:"user"`
	Reason      policy.Reason `json:"reason"`
	Application string        `json:"application,omitempty"` // its name, where it is not any
}

// An UnusedPreview counts authenticators by the time for which they were not used.
type UnusedPreview struct {
	Days    int64 // after which an unused authenticator would become inactive
	Overdue int64 // not used for that long
	Due     int64 // within [authenticator.WarningPeriod] of it
}

// PreviewPolicies says what changes would do, in the state of the database that r
// reads: a snapshot, since it reads every user of the tenant. Its errors are those
// of [SetPolicies].
func PreviewPolicies(ctx context.Context, r store.Reader, tenant string, changes PolicyChanges) (PolicyPreview, error) {
	var p PolicyPreview
	plan, err := planPolicies(ctx, r, tenant, changes.Documents)
	if err != nil {
		return p, err
	}
	p.Versions = plan.documents.versions
	for _, c := range plan.changes {
		if next, ok := c.next.(policy.Credentials); ok {
			if p.Unused, err = previewUnused(ctx, r, tenant, c.present.(policy.Credentials), next); err != nil {
				return p, err
			}
		}
	}
	if slices.ContainsFunc(plan.changes, func(c plannedChange) bool { return slices.Contains(decisive, c.Kind) }) {
		total := slices.ContainsFunc(plan.changes, func(c plannedChange) bool { return c.Kind == policy.KindPush || c.Kind == policy.KindPlatforms })
		err = p.previewLockedOut(ctx, plan.documents, total)
	}
	return p, err
}

// decisive are the kinds of [policy.Documents].
var decisive = []policy.Kind{policy.KindAccess, policy.KindPush, policy.KindPlatforms, policy.KindCredentials, policy.KindSelfProvisioning,
	policy.KindTemplate, policy.KindLockout}

// previewLockedOut counts and names the users who have a way in now, and would have
// none; see [policy.Impact] for total.
func (p *PolicyPreview) previewLockedOut(ctx context.Context, all *documents, total bool) error {
	after, err := allInForce(ctx, all)
	if err != nil {
		return err
	}
	before, err := allInForce(ctx, &documents{r: all.r, tenant: all.tenant, versions: make(Versions)})
	if err != nil {
		return err
	}
	var applications []policy.ImpactApplication
	for a, err := range all.r.Applications().All(ctx, all.tenant) {
		if err != nil {
			return err
		}
		applications = append(applications, policy.ImpactApplication{ID: a.ID, Name: a.Name, CannotShow: a.CannotShowNumber, AllowPlain: a.PushWithoutPresence})
	}
	classes, err := all.r.Policies().UserClasses(ctx, all.tenant)
	if err != nil {
		return err
	}
	impact := policy.NewImpact(before, after, applications, all.r.Now())
	impact.Total = total
	if p.LockedOut = impact.Count(classes); p.LockedOut.Users == 0 {
		return nil
	}
	for u, err := range all.r.Policies().UsersWithClass(ctx, all.tenant) {
		if err != nil {
			return err
		}
		if why, application := impact.LockedOut(u.Class.Holder); why != "" {
			p.Named = append(p.Named, LockedOutUser{u.Name, why, application})
		}
		if len(p.Named) == maxPreviewNames {
			break
		}
	}
	return nil
}

// previewUnused counts the authenticators that a shorter time without use concerns.
func previewUnused(ctx context.Context, r store.Reader, tenant string, present, next policy.Credentials) (*UnusedPreview, error) {
	if next.UnusedDays == 0 || present.UnusedDays > 0 && next.UnusedDays >= present.UnusedDays {
		return nil, nil
	}
	p := &UnusedPreview{Days: next.UnusedDays}
	before := r.Now().Add(-next.UnusedPeriod())
	soon, err := r.Authenticators().CountUnused(ctx, tenant, before.Add(authenticator.WarningPeriod))
	if err != nil || soon == 0 {
		return nil, err
	}
	if p.Overdue, err = r.Authenticators().CountUnused(ctx, tenant, before); err != nil {
		return nil, err
	}
	p.Due = soon - p.Overdue
	return p, nil
}
