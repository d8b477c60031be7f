package store

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strings"

	"github.com/latchkey-id/latchkey/internal/policy"
)

// userClassColumns are the columns that say of a user u whether a push policy leaves a classRow
// in. They read each user's groups and authenticators by their indexes.
const userClassColumns = `COALESCE((SELECT string_agg(m.group_id, ' ') FROM group_members m
		WHERE m.tenant_id = u.tenant_id AND m.user_id = u.id), '') AS groups,
	COALESCE((SELECT string_agg('{"platform":"' || a.platform || '","capabilities":' || a.capabilities || '}', ',')
		FROM authenticator_users o JOIN authenticators a ON a.tenant_id = o.tenant_id AND a.id = o.authenticator_id
		WHERE o.tenant_id = u.tenant_id AND o.user_id = u.id AND a.kind = 'app' AND a.push_on_at IS NOT NULL AND ` + active + `), '') AS apps,
	CASE WHEN EXISTS (SELECT 1 FROM authenticator_users o JOIN authenticators a ON a.tenant_id = o.tenant_id AND a.id = o.authenticator_id
		WHERE o.tenant_id = u.tenant_id AND o.user_id = u.id AND ` + assigned + `) THEN 1 ELSE 0 END AS holds`

const enabledUsers = ` FROM users u WHERE u.tenant_id = $1 AND u.disabled_at IS NULL AND u.removed_at IS NULL`

// UserClasses returns a tenant's enabled users by what decides whether a push policy
// leaves them a way in. It is one statement.
func (v PolicyReads) UserClasses(ctx context.Context, tenant string) ([]policy.Class, error) {
	return Collect(list(ctx, v.r, "ways in", func(row scanner) (policy.Class, error) {
		var w classRow
		var users int64
		err := row.Scan(&w.groups, &w.apps, &w.holds, &users)
		return w.userClass(users, err)
	}, `SELECT `+fullScan+` groups, apps, holds, COUNT(*) FROM (SELECT `+userClassColumns+enabledUsers+`) AS w GROUP BY groups, apps, holds`, tenant))
}

// A WayIn is one user by name, and the class that user is in.
type UserWithClass struct {
	Name  string
	Class policy.Class
}

// UsersWithClass yields the users that WaysIn counts, by name.
func (v PolicyReads) UsersWithClass(ctx context.Context, tenant string) iter.Seq2[UserWithClass, error] {
	return list(ctx, v.r, "ways in of users", func(row scanner) (u UserWithClass, err error) {
		var w classRow
		err = row.Scan(&u.Name, &w.groups, &w.apps, &w.holds)
		u.Class, err = w.userClass(1, err)
		return u, err
	}, `SELECT `+fullScan+` u.name, `+userClassColumns+enabledUsers+` ORDER BY u.name, u.id`, tenant)
}

// A way is the columns of wayIn as they come.
type classRow struct {
	groups, apps string
	holds        int64
}

// userClass reads a way that so many users have in common; err is how reading the
// row went.
func (w classRow) userClass(users int64, err error) (policy.Class, error) {
	c := policy.Class{Groups: strings.Fields(w.groups), Holds: w.holds > 0, Users: users}
	if err != nil {
		return c, err
	}
	// A platform is a word of ours, and capabilities are kept as JSON.
	if err := json.Unmarshal([]byte("["+w.apps+"]"), &c.Apps); err != nil {
		return c, fmt.Errorf("apps of a class: %w", err)
	}
	return c, nil
}
