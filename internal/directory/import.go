package directory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/csvfile"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
)

// ImportColumns are the column names of an import, in any order. Only name is required.
// In the column groups, names are separated by semicolons. A password is given as its
// hash, see [CheckHash].
var ImportColumns = []string{"name", "display_name", "mail", "language", "groups", "password_hash"}

// A Row is a line of an import: a user to be added. Without a hash the user has no
// password.
type Row struct {
	Line int // where it begins, counted from 1
	NewUser
	PasswordHash string // from another system; may be empty
}

// A Problem is one thing wrong with an import.
type Problem struct {
	Line   int    // 0 means the file as a whole
	Column string // empty means the line as a whole
	Err    error
}

func (p Problem) Error() string { return p.Where() + p.Err.Error() }

// Where returns the line and column as the beginning of a message, for example "line 3: mail: ".
func (p Problem) Where() string {
	where := ""
	if p.Line > 0 {
		where = fmt.Sprintf("line %d: ", p.Line)
	}
	if p.Column != "" {
		where += p.Column + ": "
	}
	return where
}

// Problems is everything that is wrong with an import, in the order of its lines.
type Problems []Problem

func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

func (ps Problems) err() error {
	if len(ps) == 0 {
		return nil
	}
	slices.SortStableFunc(ps, func(a, b Problem) int { return a.Line - b.Line })
	return &identity.Error{Kind: identity.Invalid, Key: "error.import.invalid", Err: ps}
}

// JoinProblems returns one error with the Problems of all errs. If one of them is another
// error, it returns that one.
func JoinProblems(errs ...error) error {
	var all Problems
	for _, err := range errs {
		if ps, ok := errors.AsType[Problems](err); ok {
			all = append(all, ps...)
		} else if err != nil {
			return err
		}
	}
	return all.err()
}

// ReadImport reads users from CSV with a header row, see package csvfile. If lines are
// wrong, it returns their [Problems] together with the rows that are right.
// [Directory.CheckImport] checks whether the names are free.
func ReadImport(data []byte) ([]Row, error) {
	table, wrong := csvfile.Read(data, csvfile.Columns{Names: ImportColumns, Required: []string{"name"}})
	var problems Problems
	for _, p := range wrong {
		problems = append(problems, Problem(p))
	}
	var rows []Row
	seen := make(map[string]int)
	for _, read := range table.Rows {
		row := rowOf(read)
		faults := row.faults()
		for _, f := range faults {
			problems = append(problems, Problem{row.Line, f.field, invalid(f.key)})
		}
		folded := identity.FoldName(row.Name)
		if first, twice := seen[folded]; twice && folded != "" {
			problems = append(problems, Problem{row.Line, "name", fmt.Errorf("%q is in line %d already", row.Name, first)})
			continue
		}
		if row.PasswordHash != "" {
			if err := CheckHash(row.PasswordHash); err != nil {
				problems = append(problems, Problem{row.Line, "password_hash", err})
				continue
			}
		}
		seen[folded] = row.Line
		if len(faults) == 0 {
			rows = append(rows, row)
		}
	}
	return rows, problems.err()
}

func rowOf(read csvfile.Row) Row {
	row := Row{Line: read.Line, PasswordHash: read.Cells["password_hash"]}
	row.Name, row.DisplayName, row.Mail, row.Language = read.Cells["name"], read.Cells["display_name"], read.Cells["mail"], read.Cells["language"]
	for name := range strings.SplitSeq(read.Cells["groups"], ";") {
		if name = strings.TrimSpace(name); name != "" {
			row.Groups = append(row.Groups, name)
		}
	}
	return row
}

// CheckImport returns [Problems] that prevent rows from being imported into a tenant: names
// that are taken and groups that do not exist.
func (d *Directory) CheckImport(ctx context.Context, tenant string, rows []Row) error {
	groups, err := d.groups(ctx, tenant)
	if err != nil {
		return err
	}
	names := make([]string, len(rows))
	for i, row := range rows {
		names[i] = row.Name
	}
	taken, err := d.db.Users().Taken(ctx, tenant, names)
	if err != nil {
		return err
	}
	var problems Problems
	for _, row := range rows {
		if taken[identity.FoldName(row.Name)] {
			problems = append(problems, Problem{row.Line, "name", fmt.Errorf("there is a user %q already", row.Name)})
		}
		for _, name := range row.Groups {
			if _, ok := groups[identity.FoldName(name)]; ok {
				continue
			}
			unknown := fmt.Errorf("there is no group %q", name)
			if near := nearestGroup(name, groups); near != "" {
				unknown = fmt.Errorf("there is no group %q; did you mean %q?", name, near)
			}
			problems = append(problems, Problem{row.Line, "groups", unknown})
		}
	}
	return problems.err()
}

// groups returns a tenant's groups by folded name.
func (d *Directory) groups(ctx context.Context, tenant string) (map[string]identity.Group, error) {
	byName := make(map[string]identity.Group)
	for g, err := range d.db.Groups().All(ctx, tenant) {
		if err != nil {
			return nil, err
		}
		byName[identity.FoldName(g.Name)] = g
	}
	return byName, nil
}

func nearestGroup(name string, groups map[string]identity.Group) string {
	var all []string
	for _, g := range groups {
		all = append(all, g.Name)
	}
	slices.Sort(all)
	return identity.Nearest(name, all)
}

// importBatch is the number of users that an import adds in one transaction. Logins that
// happen at the same time wait for one batch at most.
const importBatch = 200

// Import adds the users of rows in batches, and calls done after each batch with the number
// added. It checks all rows before it adds the first. The number returned with an error is
// exact: the first n rows were added and no others.
func (d *Directory) Import(ctx context.Context, who identity.Principal, tenant string, rows []Row, done func(n int)) (int, error) {
	if err := d.CheckImport(ctx, tenant, rows); err != nil {
		return 0, err
	}
	groups, err := d.groups(ctx, tenant)
	if err != nil {
		return 0, err
	}
	added, analyzed := 0, 0
	// A batch that has begun is completed. If a commit were cancelled, it would be unknown
	// whether it happened.
	whole := context.WithoutCancel(ctx)
	for batch := range slices.Chunk(rows, importBatch) {
		if err := ctx.Err(); err != nil {
			return added, err
		}
		err := d.db.InTx(whole, who, func(tx *store.Tx) error { return addRows(whole, tx, tenant, batch, groups) })
		if err != nil {
			return added, err
		}
		added += len(batch)
		done(added)
		if added >= 2*analyzed {
			if err := d.db.Analyze(ctx); err != nil {
				return added, err
			}
			analyzed = added
		}
	}
	return added, nil
}

// addRows adds users and their memberships, ignoring duplicates of these, with the events
// of [add], in few statements.
func addRows(ctx context.Context, tx *store.Tx, tenant string, rows []Row, groups map[string]identity.Group) error {
	users := make([]identity.User, len(rows))
	var events []audit.Event
	var memberships []store.Membership
	for i, row := range rows {
		u := identity.User{Tenant: tenant, ID: identity.NewID(identity.UserID), Name: row.Name,
			DisplayName: row.DisplayName, Mail: row.Mail, Language: row.Language, Password: row.PasswordHash}
		users[i] = u
		events = append(events, userAdded(u))
		joined := make(map[string]bool)
		for _, name := range row.Groups {
			g := groups[identity.FoldName(name)]
			if joined[g.ID] {
				continue
			}
			joined[g.ID] = true
			memberships = append(memberships, store.Membership{Group: g.ID, User: u.ID})
			events = append(events, membership(g, u, "added"))
		}
	}
	conflicts, err := tx.Users().AddAll(ctx, users)
	if err != nil {
		return err
	}
	if len(conflicts) > 0 {
		i := slices.IndexFunc(users, func(u identity.User) bool { return u.ID == conflicts[0].ID })
		return fmt.Errorf("directory: line %d: %w", rows[i].Line,
			&identity.Error{Kind: identity.Conflict, Key: "error.taken", Err: fmt.Errorf("there is a user %q already", conflicts[0].Name)})
	}
	if err := tx.Groups().AddMembers(ctx, tenant, memberships); err != nil {
		return err
	}
	return tx.Events(ctx, events)
}
