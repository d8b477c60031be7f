package admin

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
)

// Versions are those of policy documents, by kind. Version 0 is the default, which
// nobody has changed.
type Versions map[policy.Kind]int64

// A PolicyChange is a change of one of a tenant's documents.
type PolicyChange struct {
	Kind policy.Kind
	// Next returns what is to be in force, given what is. Groups and applications
	// may stand in it by name; what is kept are their ids, so that a rename changes
	// no policy.
	Next func(present policy.Document) (policy.Document, error)
	// Path is where the document stands in the operator's file, such as "push". It
	// is put before the fields of problems; empty where the document is the file.
	Path string
}

// PolicyChanges are made together or not at all.
type PolicyChanges struct {
	Documents []PolicyChange // of different kinds
	Alerts    []string       // addresses at which the tenant's operators are alerted; nil leaves those there are
}

// SetPolicy is [SetPolicies] of one document, whatever version is in force, in a
// transaction of its own.
func SetPolicy(ctx context.Context, db *store.DB, who identity.Principal, tenant string, kind policy.Kind,
	next func(present policy.Document) (policy.Document, error)) (set store.Policy, err error) {
	err = db.InTx(ctx, who, func(tx *store.Tx) error {
		set, err = setPolicy(ctx, tx, tenant, kind, next)
		return err
	})
	return set, err
}

func setPolicy(ctx context.Context, tx *store.Tx, tenant string, kind policy.Kind,
	next func(present policy.Document) (policy.Document, error)) (store.Policy, error) {
	set, err := SetPolicies(ctx, tx, tenant, PolicyChanges{Documents: []PolicyChange{{Kind: kind, Next: next}}}, nil)
	if err != nil {
		return store.Policy{}, err
	}
	return set[0], nil
}

// SetPolicies changes a tenant's documents and returns them as they are then, in
// the order of the changes. Setting what is there already changes nothing, and is
// no event.
//
// versions are those of a [PolicyPreview]: if one of these documents has another
// version by now, what the operator was shown is not what would happen, and the
// error is a Conflict. Nil refuses no version. All that is wrong with the documents
// is an Invalid around [policy.Problems].
func SetPolicies(ctx context.Context, tx *store.Tx, tenant string, changes PolicyChanges, versions Versions) ([]store.Policy, error) {
	// One change of a tenant's policies at a time: the versions and the documents
	// that this one goes by are not written to, so nothing else would hold them.
	if err := tx.Policies().Lock(ctx, tenant); err != nil {
		return nil, err
	}
	for kind, version := range versions {
		row, err := tx.Policies().Get(ctx, tenant, kind)
		if err != nil {
			return nil, err
		}
		if row.Version != version {
			return nil, &identity.Error{Kind: identity.Conflict, Key: "error.conflict",
				Err: fmt.Errorf("the policy %s was changed meanwhile; look again at what this would do", kind)}
		}
	}
	if changes.Alerts != nil {
		if err := setAlerts(ctx, tx, tenant, changes.Alerts); err != nil {
			return nil, err
		}
	}
	plan, err := planPolicies(ctx, tx.Reader, tenant, changes.Documents)
	if err != nil {
		return nil, err
	}
	var all []store.Policy
	for _, c := range plan.changes {
		set, err := c.write(ctx, tx, tenant)
		if err != nil {
			return nil, err
		}
		all = append(all, set)
	}
	return all, nil
}

// documents are a tenant's policies as they will be after a change.
type documents struct {
	r        store.Reader
	tenant   string
	changed  map[policy.Kind]policy.Document
	versions Versions // now, of those that were looked at
}

// inForce returns the document of a kind, and notes its version.
func inForce[D policy.Document](ctx context.Context, all *documents) (D, error) {
	var d D
	if next, ok := all.changed[d.Kind()]; ok {
		return next.(D), nil
	}
	row, err := all.r.Policies().Get(ctx, all.tenant, d.Kind())
	if err != nil {
		return d, err
	}
	all.versions[d.Kind()] = row.Version
	return policy.Read[D](row.Document)
}

// A policyPlan is what changes come to in one state of the database.
type policyPlan struct {
	changes   []plannedChange
	documents *documents
}

type plannedChange struct {
	PolicyChange
	row           store.Policy // now
	present, next policy.Document
}

// planPolicies works the changes out and checks them, each for itself and all of
// them together.
func planPolicies(ctx context.Context, r store.Reader, tenant string, changes []PolicyChange) (*policyPlan, error) {
	plan := &policyPlan{documents: &documents{r: r, tenant: tenant, changed: make(map[policy.Kind]policy.Document), versions: make(Versions)}}
	var wrongs policy.Problems
	for _, c := range changes {
		if _, twice := plan.documents.versions[c.Kind]; twice {
			return nil, invalid("the policy %s would be changed twice at once", c.Kind)
		}
		planned, err := planChange(ctx, r, tenant, c)
		if err = c.problems(&wrongs, err); err != nil {
			return nil, err
		}
		plan.changes = append(plan.changes, planned)
		plan.documents.versions[c.Kind], plan.documents.changed[c.Kind] = planned.row.Version, planned.next
	}
	if len(wrongs) == 0 {
		for _, c := range plan.changes {
			if err := c.problems(&wrongs, c.checkOthers(ctx, plan.documents)); err != nil {
				return nil, err
			}
		}
	}
	if len(wrongs) > 0 {
		return nil, &identity.Error{Kind: identity.Invalid, Key: "error.policy.invalid", Err: wrongs}
	}
	return plan, nil
}

// planChange works one change out.
func planChange(ctx context.Context, r store.Reader, tenant string, c PolicyChange) (p plannedChange, err error) {
	p.PolicyChange = c
	if p.row, err = r.Policies().Get(ctx, tenant, c.Kind); err != nil {
		return p, err
	}
	if p.present, err = policy.Decode(c.Kind, p.row.Document); err != nil {
		return p, err
	}
	if p.next, err = c.Next(p.present); err != nil {
		return p, err
	}
	p.next, err = byID(ctx, r, tenant, p.next)
	return p, err
}

// problems adds what is wrong with the document to a list, and returns any other
// error.
func (c PolicyChange) problems(wrongs *policy.Problems, err error) error {
	own, ok := errors.AsType[policy.Problems](err)
	if !ok {
		return err
	}
	for _, p := range own {
		switch {
		case c.Path != "" && p.Field != "":
			p.Field = c.Path + "." + p.Field
		case c.Path != "":
			p.Field = c.Path
		}
		*wrongs = append(*wrongs, p)
	}
	return nil
}

// checkOthers checks a document against the others that will be in force with it.
func (c plannedChange) checkOthers(ctx context.Context, all *documents) error {
	switch next := c.next.(type) {
	case policy.Push:
		return checkApps(ctx, all, c.present.(policy.Push), next)
	case policy.Template:
		templates, err := inForce[policy.Templates](ctx, all)
		if err != nil {
			return err
		}
		return templates.CheckStandardName(next)
	case policy.Templates:
		standard, err := inForce[policy.Template](ctx, all)
		if err != nil {
			return err
		}
		return next.CheckStandardName(standard)
	}
	return nil
}

// checkApps refuses to switch push on where no authenticator app is allowed that
// could have it (PUSH-6). What was on before may stay: while no app is allowed, it
// has no effect.
func checkApps(ctx context.Context, all *documents, before, next policy.Push) error {
	on := next.SwitchesOn(before)
	if len(on) == 0 {
		return nil
	}
	platforms, err := inForce[policy.Platforms](ctx, all)
	if err != nil {
		return err
	}
	credentials, err := inForce[policy.Credentials](ctx, all)
	if err != nil {
		return err
	}
	if platforms, _ = credentials.Restrict(platforms, policy.SelfProvisioning{}); platforms.AnyAllowed() {
		return nil
	}
	var wrongs policy.Problems
	for _, field := range on {
		wrongs = append(wrongs, policy.Problem{Field: field, Key: "policy.problem.no-apps"})
	}
	return &identity.Error{Kind: identity.Invalid, Key: "error.policy.invalid", Err: wrongs}
}

// write writes a change with its event, unless it changes nothing.
func (c plannedChange) write(ctx context.Context, tx *store.Tx, tenant string) (store.Policy, error) {
	before, err := policy.Encode(c.present)
	if err != nil {
		return c.row, err
	}
	after, err := policy.Encode(c.next)
	if err != nil || c.row.Version > 0 && string(before) == string(after) {
		return c.row, err
	}
	if err := tx.Policies().Set(ctx, tenant, c.Kind, c.row.Version, after); err != nil {
		return c.row, err
	}
	set := store.Policy{Kind: c.Kind, Version: c.row.Version + 1, Document: after}
	return set, tx.Event(ctx, audit.Event{Tenant: tenant, Kind: audit.PolicyChanged, Data: map[string]string{"kind": string(c.Kind),
		"version": strconv.FormatInt(set.Version, 10), "before": string(before), "after": string(after)}})
}
