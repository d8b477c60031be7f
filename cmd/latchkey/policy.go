package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
)

type policyRow struct {
	Kind     policy.Kind     `json:"kind"`
	Version  int64           `json:"version"` // 0 for the default
	Document json.RawMessage `json:"document"`
}

// rowOfPolicy describes the document in force: the one that was set, or the default.
func rowOfPolicy(p store.Policy) (policyRow, error) {
	document, err := policy.Decode(p.Kind, p.Document)
	if err != nil {
		return policyRow{}, fmt.Errorf("policy %s: %w", p.Kind, err)
	}
	text, err := policy.Encode(document)
	return policyRow{p.Kind, p.Version, text}, err
}

// cells are a policy in a table.
func (p policyRow) cells() []string {
	version := "the default"
	if p.Version > 0 {
		version = strconv.FormatInt(p.Version, 10)
	}
	return []string{string(p.Kind), version}
}

type policyShow struct {
	Kind policy.Kind `arg:"" optional:"" help:"Which policy; policy show lists them."`
	All  bool        `help:"Show every policy, in one document."`
}

func (policyShow) Help() string {
	return `What is shown can be changed and given to "policy set", and what --all shows to "policy apply". Groups and applications stand in it by id.

Examples:

    latchkey policy show access > access.json

    latchkey policy show --all > policies.json`
}

// Run shows one document or all of them, or lists the kinds.
func (c *policyShow) Run(ctx context.Context, s *shell) error {
	if c.All && c.Kind != "" {
		return usageErrorf("name one policy, or say --all")
	}
	return s.inTenant(ctx, func(ts tenantScope) error {
		kinds := policy.Kinds()
		if c.Kind != "" {
			if err := checkKind(c.Kind); err != nil {
				return err
			}
			kinds = []policy.Kind{c.Kind}
		}
		var rows []policyRow
		for _, kind := range kinds {
			set, err := ts.db.Policies().Get(ctx, ts.tenant.ID, kind)
			if err != nil {
				return err
			}
			row, err := rowOfPolicy(set)
			if err != nil {
				return err
			}
			rows = append(rows, row)
		}
		switch {
		case c.All:
			return s.documents(rows)
		case c.Kind == "":
			return list(s, rows, []string{"KIND", "VERSION"}, policyRow.cells)
		case s.flags.JSON:
			return s.encode(rows[0])
		}
		return s.document(rows[0])
	})
}

// document writes a policy as "policy set" takes it.
func (s *shell) document(p policyRow) error { return s.indented(p.Document) }

// documents writes policies as "policy apply" takes them.
func (s *shell) documents(rows []policyRow) error {
	var b bytes.Buffer
	for i, row := range rows {
		b.WriteString(map[bool]string{true: "{", false: ","}[i == 0])
		fmt.Fprintf(&b, "%q:%s", row.Kind, row.Document)
	}
	b.WriteByte('}')
	return s.indented(b.Bytes())
}

func (s *shell) indented(document []byte) error {
	var b bytes.Buffer
	if err := json.Indent(&b, document, "", "  "); err != nil {
		return err
	}
	b.WriteByte('\n')
	_, err := b.WriteTo(s.stdout)
	return err
}

// checkKind returns an error for an unknown kind, which names the nearest.
func checkKind(kind policy.Kind) error {
	var all []string
	for _, k := range policy.Kinds() {
		all = append(all, string(k))
	}
	if slices.Contains(all, string(kind)) {
		return nil
	}
	return withNearest(identity.NotFound, "policy", string(kind), slices.Values(all))
}
