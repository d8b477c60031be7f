package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/latchkey-id/latchkey/policy"
)

// WaysIn returns a tenant's enabled users by what decides whether a push policy
// leaves them a way in. It is one statement, and reads each user's groups and
// authenticators by their indexes.
func (r reader) WaysIn(ctx context.Context, tenant string) ([]policy.Class, error) {
	return Collect(list(ctx, r, "ways in", scanClass, `
		/* walks */ SELECT groups, apps, holds, COUNT(*) FROM (
			SELECT COALESCE((SELECT string_agg(m.group_id, ' ') FROM group_members m
					WHERE m.tenant_id = u.tenant_id AND m.user_id = u.id), '') AS groups,
				COALESCE((SELECT string_agg('{"platform":"' || a.platform || '","capabilities":' || a.capabilities || '}', ',')
					FROM authenticator_users o JOIN authenticators a ON a.tenant_id = o.tenant_id AND a.id = o.authenticator_id
					WHERE o.tenant_id = u.tenant_id AND o.user_id = u.id AND a.kind = 'app' AND a.push_on_at IS NOT NULL AND `+active+`), '') AS apps,
				CASE WHEN EXISTS (SELECT 1 FROM authenticator_users o JOIN authenticators a ON a.tenant_id = o.tenant_id AND a.id = o.authenticator_id
					WHERE o.tenant_id = u.tenant_id AND o.user_id = u.id AND `+held+`) THEN 1 ELSE 0 END AS holds
			FROM users u WHERE u.tenant_id = $1 AND u.disabled_at IS NULL AND u.removed_at IS NULL) AS w
		GROUP BY groups, apps, holds`, tenant))
}

func scanClass(row scanner) (c policy.Class, err error) {
	var groups, apps string
	var holds int64
	if err = row.Scan(&groups, &apps, &holds, &c.Users); err != nil {
		return c, err
	}
	c.Groups, c.Holds = strings.Fields(groups), holds > 0
	// A platform is a word of ours, and capabilities are kept as JSON.
	if err = json.Unmarshal([]byte("["+apps+"]"), &c.Apps); err != nil {
		return c, fmt.Errorf("apps of a class: %w", err)
	}
	return c, nil
}
