package store

import (
	"context"
	"encoding/json"
	"fmt"
)

// active is the condition that an authenticator is in the state identity.Active. In
// SQL it is checked at the moment of the write.
const active = `activated_at IS NOT NULL AND locked_at IS NULL AND suspended_at IS NULL AND inactive_at IS NULL AND revoked_at IS NULL`

// assigned is the condition that an authenticator counts for the question whether a
// user has one: it is active, locked or suspended (ENR-1).
const assigned = `activated_at IS NOT NULL AND inactive_at IS NULL AND revoked_at IS NULL`

// Suspend suspends an assigned authenticator until Resume, and reports whether it was
// not suspended before.
func (v Authenticators) Suspend(ctx context.Context, tenant, id string) (bool, error) {
	n, err := v.tx.exec(ctx, "suspend "+id, `
		UPDATE authenticators SET suspended_at = $3 WHERE tenant_id = $1 AND id = $2 AND suspended_at IS NULL AND `+assigned,
		tenant, id, at(v.tx.now()))
	return n == 1, err
}

// Resume ends a suspension, and reports whether there was one. A lock from before it
// is still in effect.
func (v Authenticators) Resume(ctx context.Context, tenant, id string) (bool, error) {
	n, err := v.tx.exec(ctx, "resume "+id, `
		UPDATE authenticators SET suspended_at = NULL WHERE tenant_id = $1 AND id = $2 AND suspended_at IS NOT NULL AND `+assigned,
		tenant, id)
	return n == 1, err
}

// Revoke revokes an authenticator for good and erases its seed. The row and its key
// stay, so that its app can be told. It reports whether the authenticator was not
// revoked before.
func (v Authenticators) Revoke(ctx context.Context, tenant, id string) (bool, error) {
	n, err := v.tx.exec(ctx, "revoke "+id, `
		UPDATE authenticators SET revoked_at = $3, seed = NULL WHERE tenant_id = $1 AND id = $2 AND revoked_at IS NULL`,
		tenant, id, at(v.tx.now()))
	if n == 0 || err != nil {
		return false, err
	}
	if err := v.tx.PINs().remove(ctx, tenant, id); err != nil {
		return false, err
	}
	_, err = v.tx.Subscriptions().Remove(ctx, tenant, id)
	return err == nil, err
}

// revokePending revokes the authenticator of an activation if it is pending, and
// erases its seed. The row stays, so that its app can be told.
func (v Authenticators) revokePending(ctx context.Context, a Activation) error {
	if a.Authenticator == "" {
		return nil
	}
	v.tx.Notify(AuthenticatorTopic(a.Authenticator))
	if err := v.tx.PINs().remove(ctx, a.Tenant, a.Authenticator); err != nil {
		return err
	}
	_, err := v.tx.exec(ctx, "revoke pending", `
		UPDATE authenticators SET revoked_at = $3, seed = NULL
		WHERE tenant_id = $1 AND id = $2 AND activated_at IS NULL AND revoked_at IS NULL`,
		a.Tenant, a.Authenticator, at(v.tx.now()))
	return err
}

// SetPush enables or disables push for an active authenticator (PUSH-8). It reports
// whether that changed anything.
func (v Authenticators) SetPush(ctx context.Context, tenant, id string, on bool) (bool, error) {
	query := `UPDATE authenticators SET push_off_at = $3, push_on_at = NULL
		WHERE tenant_id = $1 AND id = $2 AND (push_on_at IS NOT NULL OR push_off_at IS NULL) AND ` + active
	if on {
		query = `UPDATE authenticators SET push_on_at = $3, push_off_at = NULL
			WHERE tenant_id = $1 AND id = $2 AND push_on_at IS NULL AND ` + active
	}
	n, err := v.tx.exec(ctx, "set push of "+id, query, tenant, id, at(v.tx.now()))
	return n == 1, err
}

// SetApp stores the version and capabilities that an authenticator's app reports.
func (v Authenticators) SetApp(ctx context.Context, tenant, id, version string, capabilities []string) error {
	list, err := json.Marshal(append([]string{}, capabilities...))
	if err != nil {
		return fmt.Errorf("store: set app: %w", err)
	}
	_, err = v.tx.exec(ctx, "set app", `
		UPDATE authenticators SET app_version = $3, capabilities = $4 WHERE tenant_id = $1 AND id = $2`,
		tenant, id, version, string(list))
	return err
}

// Rename changes the name of an authenticator.
func (v Authenticators) Rename(ctx context.Context, tenant, id, name string) error {
	_, err := v.tx.exec(ctx, "rename authenticator", `UPDATE authenticators SET name = $3 WHERE tenant_id = $1 AND id = $2`, tenant, id, name)
	return err
}
