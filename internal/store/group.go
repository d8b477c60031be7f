package store

import (
	"context"
	"iter"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// Groups reads and writes groups and their members.
type Groups struct {
	GroupReads
	tx *Tx
}

// Groups returns the view; what it writes is part of the transaction.
func (tx *Tx) Groups() Groups { return Groups{tx.Reader.Groups(), tx} }

// GroupReads are the reads of [Groups].
type GroupReads struct{ r Reader }

// Groups returns the view for reading.
func (r Reader) Groups() GroupReads { return GroupReads{r} }

const groupColumns = `g.tenant_id, g.id, g.name, g.created_at`

func scanGroup(row scanner) (g identity.Group, err error) {
	return g, row.Scan(&g.Tenant, &g.ID, &g.Name, nullTime{&g.CreatedAt})
}

// ByName returns the group of a name, ignoring case and the like (identity.FoldName).
func (v GroupReads) ByName(ctx context.Context, tenant, name string) (identity.Group, error) {
	g, err := scanGroup(v.r.q.QueryRowContext(ctx, `SELECT `+groupColumns+` FROM groups g WHERE g.tenant_id = $1 AND g.name_folded = $2`,
		tenant, identity.FoldName(name)))
	if err != nil {
		return g, notFound("group by name", err)
	}
	return g, nil
}

// All yields a tenant's groups in the order of names.
func (v GroupReads) All(ctx context.Context, tenant string) iter.Seq2[identity.Group, error] {
	return list(ctx, v.r, "groups", scanGroup, `SELECT `+groupColumns+` FROM groups g WHERE g.tenant_id = $1 ORDER BY g.name_folded`, tenant)
}

// OfUser yields the groups of a user in the order of names.
func (v GroupReads) OfUser(ctx context.Context, tenant, user string) iter.Seq2[identity.Group, error] {
	return list(ctx, v.r, "groups of "+user, scanGroup, `
		SELECT `+groupColumns+` FROM group_members m JOIN groups g ON g.tenant_id = m.tenant_id AND g.id = m.group_id
		WHERE m.tenant_id = $1 AND m.user_id = $2 ORDER BY g.name_folded`, tenant, user)
}

// IDsOfUser returns the ids of the groups of a user.
func (v GroupReads) IDsOfUser(ctx context.Context, tenant, user string) ([]string, error) {
	return Collect(list(ctx, v.r, "groups of "+user, scanID, `
		SELECT group_id FROM group_members WHERE tenant_id = $1 AND user_id = $2`, tenant, user))
}

// Members yields the members of a group in the order of names. The concatenation
// keeps SQLite from scanning all users by the index of their names, and looking for
// each in the group.
func (v GroupReads) Members(ctx context.Context, tenant, group string) iter.Seq2[identity.User, error] {
	return list(ctx, v.r, "members of "+group, scanUser, `
		SELECT `+userColumns+` FROM group_members m JOIN users u ON u.tenant_id = m.tenant_id AND u.id = m.user_id
		WHERE m.tenant_id = $1 AND m.group_id = $2 ORDER BY u.name_folded || ''`, tenant, group)
}

// Add adds a group. It returns a Conflict if the name is taken.
func (v Groups) Add(ctx context.Context, g identity.Group) error {
	n, err := v.tx.exec(ctx, "add group", `
		INSERT INTO groups (tenant_id, id, name, name_folded, created_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT DO NOTHING`, g.Tenant, g.ID, g.Name, identity.FoldName(g.Name), at(v.tx.now()))
	if err != nil {
		return err
	}
	if n == 0 {
		return taken("group", g.Name)
	}
	return nil
}

// AddMember adds a user to a group. It is no error if the user is a member already.
func (v Groups) AddMember(ctx context.Context, tenant, group, user string) error {
	_, err := v.tx.exec(ctx, "add member", `
		INSERT INTO group_members (tenant_id, group_id, user_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, tenant, group, user)
	return err
}

// RemoveMember removes a user from a group. It is no error if the user is no member.
func (v Groups) RemoveMember(ctx context.Context, tenant, group, user string) error {
	_, err := v.tx.exec(ctx, "remove member", `
		DELETE FROM group_members WHERE tenant_id = $1 AND group_id = $2 AND user_id = $3`, tenant, group, user)
	return err
}

// Remove deletes a group and its memberships.
func (v Groups) Remove(ctx context.Context, tenant, group string) error {
	if _, err := v.tx.exec(ctx, "remove members", `DELETE FROM group_members WHERE tenant_id = $1 AND group_id = $2`, tenant, group); err != nil {
		return err
	}
	_, err := v.tx.exec(ctx, "remove group", `DELETE FROM groups WHERE tenant_id = $1 AND id = $2`, tenant, group)
	return err
}
