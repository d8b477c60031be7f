package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// fullScan marks a query, as a comment in its text, that may read all rows of a
// tenant: a list or a count of all, or something that is done very rarely.
const fullScan = "/* full scan */"

// smallTables are tables of which a tenant has only a few rows.
var smallTables = []string{"tenants", "policies", "applications", "groups", "epochs", "data_keys", "signing_keys", "meta", "sqlite_master"}

var (
	parameter = regexp.MustCompile(`\$\d+`)
	// scanStep matches a step of a plan that reads a whole table, or all rows of a
	// tenant.
	scanStep = regexp.MustCompile(`^SCAN \w+( USING.*)?$|\(tenant_id=\?\)$`)
	// through matches the table in the name of the index of such a step.
	through = regexp.MustCompile(`INDEX (?:sqlite_autoindex_)?(\w+)`)
	sources = regexp.MustCompile(`(?:FROM|JOIN|UPDATE|INTO) (\w+)(?: AS)? (\w+)`)
)

// FullScans lists the queries run so far that read a whole table, or all rows of a
// tenant, though they should find their rows by an index, each with the step of its
// plan. It knows the queries of SQLite only.
//
// It is for tests. Their tables are so small that a full scan does not show; with a
// million users it takes a second.
func (db *DB) FullScans(ctx context.Context) (found []string, err error) {
	for _, s := range []*statements{db.prepared, db.preparedWrites} {
		if s == nil {
			return nil, nil
		}
		s.kept.Range(func(query, _ any) bool {
			text := query.(string)
			if strings.Contains(text, fullScan) {
				return true
			}
			steps, problem := planOf(ctx, s.pool, text)
			if err = errors.Join(err, problem); paged(text, steps) {
				return true
			}
			for _, step := range steps {
				if scanStep.MatchString(step) && !smallScan(ctx, s.pool, text, step) {
					found = append(found, step+": "+strings.Join(strings.Fields(text), " "))
				}
			}
			return true
		})
	}
	slices.Sort(found)
	return slices.Compact(found), err
}

// paged reports whether a query reads a limited number of rows in the order of its
// index.
func paged(query string, steps []string) bool {
	sorts := slices.ContainsFunc(steps, func(step string) bool { return strings.Contains(step, "TEMP B-TREE") })
	return strings.Contains(query, "LIMIT ") && !sorts
}

func planOf(ctx context.Context, pool *sql.DB, query string) (steps []string, err error) {
	most := 0
	for _, p := range parameter.FindAllString(query, -1) {
		n := 0
		fmt.Sscanf(p, "$%d", &n)
		most = max(most, n)
	}
	rows, err := pool.QueryContext(ctx, "EXPLAIN QUERY PLAN "+query, make([]any, most)...)
	if err != nil {
		return nil, fmt.Errorf("store: plan of %s: %w", query, err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			return nil, err
		}
		steps = append(steps, step)
	}
	return steps, rows.Err()
}

// smallScan reports whether a step reads a table of few rows, a partial index (such
// as of the rows that wait, among all), or the result of another step.
func smallScan(ctx context.Context, pool *sql.DB, query, step string) bool {
	if index := through.FindStringSubmatch(step); index != nil {
		for _, table := range smallTables {
			if strings.HasPrefix(index[1], table+"_") {
				return true
			}
		}
		var partial int
		err := pool.QueryRowContext(ctx, `SELECT COUNT(*) FROM sqlite_master WHERE name = $1 AND sql LIKE '%WHERE%'`, index[1]).Scan(&partial)
		return err == nil && partial == 1
	}
	name := strings.Fields(step)[1]
	for _, source := range sources.FindAllStringSubmatch(query, -1) {
		if source[2] == name || source[1] == name {
			return slices.Contains(smallTables, source[1])
		}
	}
	return true
}
