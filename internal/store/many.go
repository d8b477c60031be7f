package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// rowsAtOnce is how many rows one INSERT writes for those who write many: on a server
// each statement is a round trip, while SQLite's driver looks for each parameter among
// all. Queries are constants, so it is always this number, and the rest is written one by
// one.
const rowsAtOnce = 20

// insertRows is an INSERT of n rows of so many columns, with what comes behind its values.
func insertRows(into string, columns, n int, behind string) string {
	var b strings.Builder
	b.WriteString("INSERT INTO " + into + " VALUES ")
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("(" + numbered(1+i*columns, columns) + ")")
	}
	b.WriteString(" " + behind)
	return b.String()
}

// insertMany inserts rows, rowsAtOnce at a time, and returns what the statement returns of
// each row that was inserted.
func (tx *Tx) insertMany(ctx context.Context, what, into, behind string, rows [][]any) (returned []string, err error) {
	for batch := range slices.Chunk(rows, rowsAtOnce) {
		size := len(batch)
		if size < rowsAtOnce {
			size = 1
		}
		for some := range slices.Chunk(batch, size) {
			ids, err := Collect(list(ctx, tx.Reader, what, scanID, insertRows(into, len(some[0]), size, behind), slices.Concat(some...)...))
			if err != nil {
				return nil, err
			}
			returned = append(returned, ids...)
		}
	}
	return returned, nil
}

// AddAll adds users. It returns those who were not added because the name is taken.
func (v Users) AddAll(ctx context.Context, users []identity.User) (conflicts []identity.User, err error) {
	rows := make([][]any, len(users))
	for i, u := range users {
		rows[i] = []any{u.Tenant, u.ID, u.Name, identity.FoldName(u.Name), u.DisplayName, u.Mail, u.Language, u.Password, flag(u.PasswordDue),
			at(v.tx.now()), at(v.tx.now())}
	}
	ids, err := v.tx.insertMany(ctx, "add users",
		`users (tenant_id, id, name, name_folded, display_name, mail, language, password, password_due, password_changed_at, created_at)`,
		`ON CONFLICT DO NOTHING RETURNING id`, rows)
	if err != nil {
		return nil, err
	}
	added := make(map[string]bool, len(ids))
	for _, id := range ids {
		added[id] = true
	}
	return slices.DeleteFunc(slices.Clone(users), func(u identity.User) bool { return added[u.ID] }), nil
}

// Analyze has the planner know how large the tables of users have become, for those who
// add many. PostgreSQL takes a table that it has never looked at for small, and looks for
// a user among all of the tenant: each foreign key then costs as much as there are users.
func (db *DB) Analyze(ctx context.Context) error {
	for _, table := range []string{"users", "groups", "group_members", "events"} {
		statement := db.dialect.analyze(table)
		if statement == "" {
			continue
		}
		if _, err := db.q.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("store: analyze %s: %w", table, classify(err))
		}
	}
	return nil
}

// A Membership is a user's in a group.
type Membership struct{ Group, User string }

// AddMembers adds users to groups. It is no error if one is a member already.
func (v Groups) AddMembers(ctx context.Context, tenant string, all []Membership) error {
	rows := make([][]any, len(all))
	for i, m := range all {
		rows[i] = []any{tenant, m.Group, m.User}
	}
	_, err := v.tx.insertMany(ctx, "add members", `group_members (tenant_id, group_id, user_id)`, `ON CONFLICT DO NOTHING RETURNING user_id`, rows)
	return err
}

// takenAtOnce is how many names Taken asks for by one query.
const takenAtOnce = 500

// Taken returns which of some names users have, folded (identity.FoldName).
func (v UserReads) Taken(ctx context.Context, tenant string, names []string) (map[string]bool, error) {
	taken := make(map[string]bool)
	for some := range slices.Chunk(names, takenAtOnce) {
		args := []any{tenant}
		for i := range takenAtOnce { // the same query for fewer: a name more than once does no harm
			args = append(args, identity.FoldName(some[min(i, len(some)-1)]))
		}
		for name, err := range list(ctx, v.r, "names", scanID, `
			SELECT name_folded FROM users WHERE tenant_id = $1 AND removed_at IS NULL AND name_folded IN (`+numbered(2, takenAtOnce)+`)`, args...) {
			if err != nil {
				return nil, fmt.Errorf("store: names: %w", err)
			}
			taken[name] = true
		}
	}
	return taken, nil
}
