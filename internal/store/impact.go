package store

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
)

// userClassColumns are the columns of a user u that decide whether a push policy
// locks the user out: the ids of groups, the active apps with push enabled, and
// whether the user has an authenticator at all. They read each user's groups and
// authenticators by their indexes.
func userClassColumns(j jsonSQL) string {
	return `(SELECT ` + j.values("m.group_id", "m.group_id") + ` FROM group_members m
		WHERE m.tenant_id = u.tenant_id AND m.user_id = u.id) AS groups,
	(SELECT ` + j.rows("a.id", "a.platform", "a.capabilities") + `
		FROM authenticator_users o JOIN authenticators a ON a.tenant_id = o.tenant_id AND a.id = o.authenticator_id
		WHERE o.tenant_id = u.tenant_id AND o.user_id = u.id AND a.kind = 'app' AND a.push_on_at IS NOT NULL AND ` + active + `) AS apps,
	CASE WHEN EXISTS (SELECT 1 FROM authenticator_users o JOIN authenticators a ON a.tenant_id = o.tenant_id AND a.id = o.authenticator_id
		WHERE o.tenant_id = u.tenant_id AND o.user_id = u.id AND ` + assigned + `) THEN 1 ELSE 0 END AS holds`
}

const enabledUsers = ` FROM users u WHERE u.tenant_id = $1 AND u.disabled_at IS NULL AND u.removed_at IS NULL`

var selectUserClasses = bothTexts(func(j jsonSQL) string {
	return `SELECT ` + fullScan + ` groups, apps, holds, COUNT(*) FROM (SELECT ` + userClassColumns(j) + enabledUsers + `) AS w GROUP BY groups, apps, holds`
})

var selectUsersWithClass = bothTexts(func(j jsonSQL) string {
	return `SELECT ` + fullScan + ` ` + userClassColumns(j) + `, u.name` + enabledUsers + ` ORDER BY u.name, u.id`
})

// UserClasses returns a tenant's enabled users, counted by what decides whether a
// push policy locks them out. It is one statement.
func (v PolicyReads) UserClasses(ctx context.Context, tenant string) ([]policy.UserClass, error) {
	return Collect(list(ctx, v.r, "user classes", func(row scanner) (c policy.UserClass, err error) {
		err = scanUserClass(row, &c, &c.Users)
		return c, err
	}, v.r.dialect.text(selectUserClasses), tenant))
}

// A UserWithClass is one user, and the class that the user is in.
type UserWithClass struct {
	Name  string
	Class policy.UserClass
}

// UsersWithClass yields the users that [PolicyReads.UserClasses] counts, by name.
func (v PolicyReads) UsersWithClass(ctx context.Context, tenant string) iter.Seq2[UserWithClass, error] {
	return list(ctx, v.r, "users with class", func(row scanner) (UserWithClass, error) {
		u := UserWithClass{Class: policy.UserClass{Users: 1}}
		err := scanUserClass(row, &u.Class, &u.Name)
		return u, err
	}, v.r.dialect.text(selectUsersWithClass), tenant)
}

// scanUserClass reads userClassColumns and one column more.
func scanUserClass(row scanner, c *policy.UserClass, more any) error {
	var holds int64
	var apps []struct{ Platform, Capabilities string }
	if err := row.Scan(fromJSON{&c.Groups}, fromJSON{&apps}, &holds, more); err != nil {
		return err
	}
	c.HasAuthenticator = holds > 0
	for _, app := range apps {
		a := policy.App{Platform: identity.Platform(app.Platform)}
		if err := json.Unmarshal([]byte(app.Capabilities), &a.Capabilities); err != nil {
			return fmt.Errorf("capabilities of an app: %w", err)
		}
		c.Apps = append(c.Apps, a)
	}
	return nil
}
