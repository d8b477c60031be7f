package storetest

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/latchkey-id/latchkey/internal/store"
)

// mayScan marks a query of package store, as a comment in its text, that may read all
// rows of a tenant: a list or a count of all, or something that is done very rarely.
const mayScan = "/* full scan */"

// smallTables are tables of which a tenant has only a few rows.
var smallTables = []string{"tenants", "policies", "applications", "groups", "epochs", "data_keys", "signing_keys", "meta",
	"sqlite_master"}

var (
	statement = regexp.MustCompile(`^\s*(/\*.*?\*/)?\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b`)
	parameter = regexp.MustCompile(`\$\d+`)
	// scanStep matches a step of a plan that reads a whole table, or all rows of a
	// tenant.
	scanStep = regexp.MustCompile(`^SCAN \w+( USING.*)?$|\(tenant_id=\?\)$`)
	// through matches the table in the name of the index of such a step.
	through = regexp.MustCompile(`INDEX (?:sqlite_autoindex_)?(\w+)`)
	sources = regexp.MustCompile(`(?:FROM|JOIN|UPDATE|INTO) (\w+)(?: AS)? (\w+)`)
)

// scanned has the full scans of all queries whose plan was read so far, so that it
// is read once in a test program, not once in a test.
var scanned sync.Map // query → []string

// queries are the queries that a database on SQLite was asked.
type queries struct{ seen sync.Map }

func (q *queries) observe(_ context.Context, s store.Statement) { q.seen.Store(s.Query, true) }

// fullScans lists those that read a whole table, or all rows of a tenant, though
// they should find their rows by an index. The tables of tests are so small that such
// a query does not show; with a million users it takes a second.
func (q *queries) fullScans(ctx context.Context, source string) (all []string, err error) {
	db, err := sql.Open("sqlite", source)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	q.seen.Range(func(key, _ any) bool {
		query := key.(string)
		found, known := scanned.Load(query)
		if !known {
			scans, problem := fullScans(ctx, db, query)
			if err = problem; err != nil {
				return false
			}
			found = scans
			scanned.Store(query, found)
		}
		for _, step := range found.([]string) {
			all = append(all, step+": "+strings.Join(strings.Fields(query), " "))
		}
		return true
	})
	return all, err
}

// fullScans lists the steps of a query's plan that are full scans.
func fullScans(ctx context.Context, db *sql.DB, query string) (found []string, err error) {
	if strings.Contains(query, mayScan) || strings.Contains(query, "goose_db_version") || !statement.MatchString(query) {
		return nil, nil
	}
	steps, err := planOf(ctx, db, query)
	if err != nil || paged(query, steps) {
		return nil, err
	}
	for _, step := range steps {
		if scanStep.MatchString(step) && !smallScan(ctx, db, query, step) {
			found = append(found, step)
		}
	}
	return found, nil
}

// paged reports whether a query reads a limited number of rows in the order of its
// index.
func paged(query string, steps []string) bool {
	sorts := slices.ContainsFunc(steps, func(step string) bool { return strings.Contains(step, "TEMP B-TREE") })
	return strings.Contains(query, "LIMIT ") && !sorts
}

func planOf(ctx context.Context, db *sql.DB, query string) (steps []string, err error) {
	most := 0
	for _, p := range parameter.FindAllString(query, -1) {
		n, err := strconv.Atoi(p[1:])
		if err != nil {
			return nil, err
		}
		most = max(most, n)
	}
	rows, err := db.QueryContext(ctx, "EXPLAIN QUERY PLAN "+query, make([]any, most)...)
	if err != nil {
		return nil, fmt.Errorf("plan of %s: %w", query, err)
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
func smallScan(ctx context.Context, db *sql.DB, query, step string) bool {
	if index := through.FindStringSubmatch(step); index != nil {
		for _, table := range smallTables {
			if strings.HasPrefix(index[1], table+"_") {
				return true
			}
		}
		var partial int
		err := db.QueryRowContext(ctx, `SELECT COUNT(*) FROM sqlite_master WHERE name = $1 AND sql LIKE '%WHERE%'`, index[1]).Scan(&partial)
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
