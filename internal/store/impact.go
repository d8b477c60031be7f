package store

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
)

// userClassColumns are the columns of a user u that decide, beside policy, about the
// ways to confirm a login: the ids of groups, the authenticators, whether the user ever
// had one or has leave to enrol another, and failed logins that have not locked. They
// read each user's groups and authenticators by their indexes. Two users with equal
// authenticators have equal values.
func userClassColumns(j jsonSQL) string {
	return `(SELECT ` + j.values("m.group_id", "m.group_id") + ` FROM group_members m
		WHERE m.tenant_id = u.tenant_id AND m.user_id = u.id) AS groups,
	(SELECT ` + j.objects("a.kind, a.platform, a.capabilities, a.push_on_at IS NULL, a.step, a.id",
		[2]string{"kind", "a.kind"}, [2]string{"protocol", "a.protocol"}, [2]string{"platform", "a.platform"},
		[2]string{"capabilities", "a.capabilities"}, [2]string{"step", "a.step"}, [2]string{"suite", "a.suite"},
		[2]string{"push", "CASE WHEN a.push_on_at IS NULL THEN 0 ELSE 1 END"}, [2]string{"active", "CASE WHEN " + active + " THEN 1 ELSE 0 END"},
		// Of other apps the template decides nothing here.
		[2]string{"template", "CASE WHEN a.protocol = 'pipush' THEN CAST(a.template AS TEXT) ELSE '' END"}) + `
		FROM authenticator_users o JOIN authenticators a ON a.tenant_id = o.tenant_id AND a.id = o.authenticator_id
		WHERE o.tenant_id = u.tenant_id AND o.user_id = u.id AND ` + assigned + `) AS holds,
	CASE WHEN u.ever_enrolled_at IS NULL THEN 0 ELSE 1 END AS ever,
	CASE WHEN u.may_enroll_at IS NULL THEN 0 ELSE 1 END AS permit,
	CASE WHEN u.locked_until IS NULL THEN u.failures ELSE 0 END AS failed`
}

const enabledUsers = ` FROM users u WHERE u.tenant_id = $1 AND u.disabled_at IS NULL AND u.removed_at IS NULL`

var selectUserClasses = bothTexts(func(j jsonSQL) string {
	return `SELECT ` + fullScan + ` groups, holds, ever, permit, failed, COUNT(*) FROM (SELECT ` + userClassColumns(j) + enabledUsers + `) AS w
		GROUP BY groups, holds, ever, permit, failed`
})

var selectUsersWithClass = bothTexts(func(j jsonSQL) string {
	return `SELECT ` + fullScan + ` ` + userClassColumns(j) + `, u.name` + enabledUsers + ` ORDER BY u.name, u.id`
})

// UserClasses returns a tenant's enabled users, counted by what decides about
// their ways to confirm a login. It is one statement.
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

// classTime stands for any time in a class, of which only matters that there is one.
var classTime = time.Unix(1, 0).UTC()

// scanUserClass reads userClassColumns and one column more.
func scanUserClass(row scanner, c *policy.UserClass, more any) error {
	var ever, permit int64
	var holds []struct {
		Kind                          identity.AuthenticatorKind
		Protocol                      identity.AppProtocol
		Platform                      identity.Platform
		Capabilities, Suite, Template string
		Step                          int64
		Push, Active                  int64
	}
	if err := row.Scan(fromJSON{&c.Groups}, fromJSON{&holds}, &ever, &permit, &c.Failures, more); err != nil {
		return err
	}
	c.EverEnrolled, c.Permit = ever == 1, permit == 1
	for _, h := range holds {
		a := identity.Authenticator{Kind: h.Kind, Protocol: h.Protocol, Platform: h.Platform, Suite: h.Suite, Step: h.Step, Template: []byte(h.Template),
			ActivatedAt: classTime}
		if h.Push == 1 {
			a.PushOnAt = classTime
		}
		if h.Active == 0 {
			a.LockedAt = classTime
		}
		if err := json.Unmarshal([]byte(h.Capabilities), &a.Capabilities); err != nil {
			return fmt.Errorf("capabilities of an app: %w", err)
		}
		c.Authenticators = append(c.Authenticators, a)
	}
	return nil
}
