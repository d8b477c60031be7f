package main

import (
	"context"

	"github.com/latchkey-id/latchkey/internal/admin"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
)

type policyApply struct {
	File string `arg:"" optional:"" help:"JSON document of documents. Default: standard input."`
	Yes  bool   `help:"Set them even if that leaves users without a way in, or makes authenticators inactive."`
}

func (policyApply) Help() string {
	return `A document has a member for each policy to be replaced, by its kind; "policy show --all" shows all there are. They are replaced together or, if anything is wrong, none of them is. What is wrong is said at once, each with its line and field. What they would do to people is said of all together.

Examples:

    latchkey policy apply policies.json

    echo '{"push": {"codes_allowed": false}, "devices": {"days": 7}}' | latchkey policy apply`
}

// Run replaces several policies in one transaction.
func (c *policyApply) Run(ctx context.Context, s *shell) error {
	data, err := s.readFile(c.File, policy.MaxSet+1)
	if err != nil {
		return err
	}
	documents, err := policy.DecodeSet(data)
	if err != nil {
		return located(err, data)
	}
	var changes admin.PolicyChanges
	for _, d := range documents {
		changes.Documents = append(changes.Documents, admin.PolicyChange{Kind: d.Kind, Path: string(d.Kind),
			Next: func(policy.Document) (policy.Document, error) { return policy.Decode(d.Kind, d.Document) }})
	}
	return s.inTenant(ctx, func(ts tenantScope) error {
		var set []store.Policy
		if set, err = s.changePolicies(ctx, ts, changes, c.Yes); err != nil {
			return located(err, data)
		}
		return s.policyRows(set)
	})
}

// policyRows lists policies by kind and version.
func (s *shell) policyRows(set []store.Policy) error {
	var rows []policyRow
	for _, p := range set {
		row, err := rowOfPolicy(p)
		if err != nil {
			return err
		}
		rows = append(rows, row)
	}
	return list(s, rows, []string{"KIND", "VERSION"}, policyRow.cells)
}
