package store

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// An App is an active app authenticator, of one of its users.
type App struct {
	Serial       string
	User         string // name
	Platform     identity.Platform
	Version      string // name/version, as the app declared it at its last call
	Capabilities []string
}

// Apps yields a tenant's active app authenticators, those of one platform and
// version together.
func (v AuthenticatorReads) Apps(ctx context.Context, tenant string) iter.Seq2[App, error] {
	return list(ctx, v.r, "apps", func(row scanner) (a App, err error) {
		var capabilities string
		if err = row.Scan(&a.Serial, &a.User, &a.Platform, &a.Version, &capabilities); err != nil {
			return a, err
		}
		if err := json.Unmarshal([]byte(capabilities), &a.Capabilities); err != nil {
			return a, fmt.Errorf("capabilities of %s: %w", a.Serial, err)
		}
		return a, nil
	}, `SELECT `+walking+` a.serial, u.name, a.platform, a.app_version, a.capabilities
		FROM (SELECT * FROM authenticators WHERE tenant_id = $1 AND kind = 'app' AND `+active+`) AS a
		JOIN authenticator_users o ON o.tenant_id = a.tenant_id AND o.authenticator_id = a.id
		JOIN users u ON u.tenant_id = o.tenant_id AND u.id = o.user_id
		ORDER BY a.platform, a.app_version, a.capabilities, u.name, a.serial`, tenant)
}
