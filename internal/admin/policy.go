package admin

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
)

// SetPolicy replaces a tenant's document of the kind of next's result, which is
// given the present one. Groups and applications may stand in it by name; what
// is kept are their ids, so that a rename changes no policy. Setting what is
// there already changes nothing, and is no event.
func SetPolicy(ctx context.Context, db *store.DB, who identity.Principal, tenant string, kind policy.Kind,
	next func(present policy.Document) (policy.Document, error)) (store.Policy, error) {
	var set store.Policy
	err := db.InTx(ctx, who, func(tx *store.Tx) (err error) {
		set, err = setPolicy(ctx, tx, tenant, kind, next)
		return err
	})
	return set, err
}

// withApps refuses to switch push on where no authenticator app is allowed that
// could have it (PUSH-6). What was on before stays as it is set: while no app is
// allowed, it means nothing.
func withApps(ctx context.Context, tx *store.Tx, tenant string, present []byte, next policy.Document) error {
	push, ok := next.(policy.Push)
	if !ok {
		return nil
	}
	before, err := policy.Read[policy.Push](present)
	if err != nil {
		return err
	}
	on := push.SwitchesOn(before)
	if len(on) == 0 {
		return nil
	}
	platforms, err := inForce[policy.Platforms](ctx, tx.Reader, tenant, make(map[policy.Kind]int64))
	if err != nil {
		return err
	}
	credentials, err := inForce[policy.Credentials](ctx, tx.Reader, tenant, make(map[policy.Kind]int64))
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

// SetPush is SetPolicy of the push policy, together with the addresses at which
// the tenant's operators are alerted. Of the two, nil leaves what is there.
func SetPush(ctx context.Context, db *store.DB, who identity.Principal, tenant string,
	next func(present policy.Document) (policy.Document, error), addresses []string) (store.Policy, error) {
	var set store.Policy
	err := db.InTx(ctx, who, func(tx *store.Tx) (err error) {
		if addresses != nil {
			if err = setAlerts(ctx, tx, tenant, addresses); err != nil {
				return err
			}
		}
		if next == nil {
			set, err = tx.Policies().Get(ctx, tenant, policy.KindPush)
			return err
		}
		set, err = setPolicy(ctx, tx, tenant, policy.KindPush, next)
		return err
	})
	return set, err
}

func setPolicy(ctx context.Context, tx *store.Tx, tenant string, kind policy.Kind,
	next func(present policy.Document) (policy.Document, error)) (store.Policy, error) {
	present, err := tx.Policies().Get(ctx, tenant, kind)
	if err != nil {
		return present, err
	}
	document, err := policy.Decode(kind, present.Document)
	if err != nil {
		return present, err
	}
	before, err := policy.Encode(document)
	if err != nil {
		return present, err
	}
	if document, err = next(document); err != nil {
		return present, err
	}
	if document, err = byID(ctx, tx.Reader, tenant, document); err != nil {
		return present, err
	}
	if err := withApps(ctx, tx, tenant, present.Document, document); err != nil {
		return present, err
	}
	if err := ownNames(ctx, tx, tenant, document); err != nil {
		return present, err
	}
	after, err := policy.Encode(document)
	if err != nil || present.Version > 0 && string(before) == string(after) {
		return present, err
	}
	if err := tx.Policies().Set(ctx, tenant, kind, present.Version, after); err != nil {
		return present, err
	}
	set := store.Policy{Kind: kind, Version: present.Version + 1, Document: after}
	return set, tx.Event(ctx, audit.Event{Tenant: tenant, Kind: audit.PolicyChanged, Data: map[string]string{"kind": string(kind),
		"version": strconv.FormatInt(set.Version, 10), "before": string(before), "after": string(after)}})
}

// ownNames refuses to give a token template the name of the standard one, or
// that the name of another: which of the two is meant could not be said.
func ownNames(ctx context.Context, tx *store.Tx, tenant string, next policy.Document) error {
	versions := make(map[policy.Kind]int64)
	switch doc := next.(type) {
	case policy.Template:
		templates, err := inForce[policy.Templates](ctx, tx.Reader, tenant, versions)
		if err != nil {
			return err
		}
		return templates.CheckStandardName(doc)
	case policy.Templates:
		standard, err := inForce[policy.Template](ctx, tx.Reader, tenant, versions)
		if err != nil {
			return err
		}
		return doc.CheckStandardName(standard)
	}
	return nil
}

// names finds groups or applications by what a document calls them.
type names struct {
	ids    map[string]string // by id, by folded name, by identifier
	twice  map[string]bool   // folded names that several have
	shown  []string          // names, for the nearest
	wrongs *policy.Problems
}

func newNames(wrongs *policy.Problems) *names {
	return &names{ids: make(map[string]string), twice: make(map[string]bool), wrongs: wrongs}
}

func (n *names) add(id, name string) {
	folded := identity.FoldName(name)
	if other, ok := n.ids[folded]; ok && other != id {
		n.twice[folded] = true
	}
	n.ids[id], n.ids[folded] = id, id
	n.shown = append(n.shown, name)
}

// resolve returns the id of what a document calls name at a field.
func (n *names) resolve(field, name string) string {
	folded := identity.FoldName(name)
	id, ok := n.ids[name]
	if !ok {
		id, ok = n.ids[folded]
	}
	near := identity.Nearest(name, n.shown)
	switch {
	case ok && !n.twice[folded]:
		return id
	case name == "": // said by the document's own Validate
	case !ok && near != "":
		*n.wrongs = append(*n.wrongs, policy.Problem{Field: field, Key: "policy.problem.nearest", Args: []any{"nearest", near}})
	default:
		*n.wrongs = append(*n.wrongs, policy.Problem{Field: field, Key: "policy.problem.unknown"})
	}
	return name
}

// list resolves a list in place of which it returns a new one.
func (n *names) list(field string, all []string) []string {
	var ids []string
	for i, name := range all {
		ids = append(ids, n.resolve(fmt.Sprintf("%s[%d]", field, i), name))
	}
	return ids
}

// byID puts ids where a document names groups and applications. All that the
// document itself gets wrong comes in the same list as names nobody has.
func byID(ctx context.Context, r store.Reader, tenant string, d policy.Document) (policy.Document, error) {
	var wrongs policy.Problems
	groups, applications := newNames(&wrongs), newNames(&wrongs)
	for g, err := range r.Groups().All(ctx, tenant) {
		if err != nil {
			return nil, err
		}
		groups.add(g.ID, g.Name)
	}
	for a, err := range r.Applications().All(ctx, tenant) {
		if err != nil {
			return nil, err
		}
		applications.add(a.ID, a.Name)
		applications.add(a.ID, a.Identifier)
	}
	switch doc := d.(type) {
	case policy.Access:
		doc.Rules = slices.Clone(doc.Rules)
		for i := range doc.Rules {
			rule := &doc.Rules[i]
			rule.Groups = groups.list(fmt.Sprintf("rules[%d].groups", i), rule.Groups)
			rule.Applications = applications.list(fmt.Sprintf("rules[%d].applications", i), rule.Applications)
		}
		d = doc
	case policy.SelfProvisioning:
		doc.Groups = groups.list("groups", doc.Groups)
		d = doc
	case policy.Push:
		settings := make(map[string]policy.PushSettings)
		for _, name := range slices.Sorted(maps.Keys(doc.Groups)) {
			settings[groups.resolve("groups."+name, name)] = doc.Groups[name]
		}
		if doc.Groups != nil {
			doc.Groups = settings
		}
		d = doc
	}
	err := d.Validate()
	if own, ok := errors.AsType[policy.Problems](err); ok {
		wrongs = append(own, wrongs...)
	} else if err != nil {
		return nil, err
	}
	if len(wrongs) > 0 {
		return nil, &identity.Error{Kind: identity.Invalid, Key: "error.policy.invalid", Err: wrongs}
	}
	return d, nil
}
