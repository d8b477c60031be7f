package store

import (
	"context"
	"iter"

	"github.com/latchkey-id/latchkey/internal/identity"
)

const userColumns = `u.tenant_id, u.id, u.name, u.display_name, u.mail, u.language, u.password, u.password_changed_at, u.password_due,
	u.failures, u.locked_until, u.locked_at, u.push_locked_until, u.passcodes_locked_until, u.passcode_failures, u.unlock_due, u.disabled_at, u.removed_at, u.may_enroll_at, u.ever_enrolled_at, u.created_at`

func scanUser(row scanner) (u identity.User, err error) {
	return u, row.Scan(userFields(&u)...)
}

// userFields are the destinations of userColumns.
func userFields(u *identity.User) []any {
	return []any{&u.Tenant, &u.ID, &u.Name, &u.DisplayName, &u.Mail, &u.Language, &u.Password, nullTime{&u.PasswordChanged}, &u.PasswordDue,
		&u.Failures, nullTime{&u.LockedUntil}, nullTime{&u.LockedAt}, nullTime{&u.PushLockedUntil}, nullTime{&u.PasscodesLocked}, &u.PasscodeFailures,
		&u.UnlockDue, nullTime{&u.DisabledAt}, nullTime{&u.RemovedAt}, nullTime{&u.EnrollPermitAt},
		nullTime{&u.EverEnrolledAt}, nullTime{&u.CreatedAt}}
}

// Users reads and writes users: their data, locks, and what they have open.
type Users struct {
	UserReads
	tx *Tx
}

// Users returns the view; what it writes is part of the transaction.
func (tx *Tx) Users() Users { return Users{tx.Reader.Users(), tx} }

// UserReads are the reads of [Users].
type UserReads struct{ r Reader }

// Users returns the view for reading.
func (r Reader) Users() UserReads { return UserReads{r} }

// Get returns a user by id, a removed one too; a removed user has no name.
func (v UserReads) Get(ctx context.Context, tenant, id string) (identity.User, error) {
	u, err := scanUser(v.r.q.QueryRowContext(ctx, `SELECT `+userColumns+` FROM users u WHERE u.tenant_id = $1 AND u.id = $2`, tenant, id))
	if err != nil {
		return u, notFound("user "+id, err)
	}
	return u, nil
}

// ByName returns the user of a name, ignoring case and the like (identity.FoldName).
func (v UserReads) ByName(ctx context.Context, tenant, name string) (identity.User, error) {
	u, err := scanUser(v.r.q.QueryRowContext(ctx, `SELECT `+userColumns+` FROM users u WHERE u.tenant_id = $1 AND u.name_folded = $2 AND u.removed_at IS NULL`,
		tenant, identity.FoldName(name)))
	if err != nil {
		return u, notFound("user by name", err)
	}
	return u, nil
}

// ByNameOrStandIn returns the user of a name, ignoring case and the like, or else, if
// byMail, the one user who has it as mail address; or, where there is none, the user
// whose name comes next, or the last one: reading a row takes longer than reading none.
// found tells which. In a tenant without users the error is a NotFound.
func (v UserReads) ByNameOrStandIn(ctx context.Context, tenant, name string, byMail bool) (u identity.User, found bool, err error) {
	folded, mail := identity.FoldName(name), ""
	if byMail {
		mail = identity.FoldMailAddress(name)
	}
	// An address that two users have is nobody's.
	const ofMail = `(SELECT MIN(m.name_folded) FROM users m WHERE m.tenant_id = $1 AND m.mail_folded = $3 AND m.mail_folded <> '' AND m.removed_at IS NULL HAVING COUNT(*) = 1)`
	var named int64
	err = v.r.q.QueryRowContext(ctx, `SELECT `+userColumns+`, CASE WHEN u.name_folded = $2 OR u.name_folded = `+ofMail+` THEN 1 ELSE 0 END
		FROM users u WHERE u.tenant_id = $1 AND u.name_folded = COALESCE(
			(SELECT n.name_folded FROM users n WHERE n.tenant_id = $1 AND n.name_folded = $2 AND n.removed_at IS NULL),
			`+ofMail+`,
			(SELECT n.name_folded FROM users n WHERE n.tenant_id = $1 AND n.name_folded >= $2 AND n.removed_at IS NULL ORDER BY n.name_folded LIMIT 1),
			(SELECT n.name_folded FROM users n WHERE n.tenant_id = $1 AND n.removed_at IS NULL ORDER BY n.name_folded DESC LIMIT 1))`,
		tenant, folded, mail).Scan(append(userFields(&u), &named)...)
	if err != nil {
		return u, false, notFound("user by name", err)
	}
	return u, named == 1, nil
}

// List yields at most limit users in the order of names, beginning after a name.
func (v UserReads) List(ctx context.Context, tenant, after string, limit int) iter.Seq2[identity.User, error] {
	return list(ctx, v.r, "users", scanUser, `
		SELECT `+userColumns+` FROM users u WHERE u.tenant_id = $1 AND u.name_folded > $2 AND u.removed_at IS NULL
		ORDER BY u.name_folded LIMIT $3`, tenant, identity.FoldName(after), limit)
}

// Add adds a user. It returns a Conflict if the name is taken.
func (v Users) Add(ctx context.Context, u identity.User) error {
	n, err := v.tx.exec(ctx, "add user", `
		INSERT INTO users (tenant_id, id, name, name_folded, display_name, mail, mail_folded, language, password, password_due, password_changed_at, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11) ON CONFLICT DO NOTHING`,
		u.Tenant, u.ID, u.Name, identity.FoldName(u.Name), u.DisplayName, u.Mail, identity.FoldMailAddress(u.Mail), u.Language, u.Password, flag(u.PasswordDue), at(v.tx.now()))
	if err != nil {
		return err
	}
	if n == 0 {
		return taken("user", u.Name)
	}
	return nil
}

// Change writes what an operator can change of a user: display name, mail address,
// language, the password's hash and whether it must be changed.
func (v Users) Change(ctx context.Context, u identity.User) error {
	_, err := v.tx.exec(ctx, "change user", `
		UPDATE users SET display_name = $3, mail = $4, mail_folded = $9, language = $5,
			password_changed_at = CASE WHEN password = $6 THEN password_changed_at ELSE $7 END, password = $6, password_due = $8
		WHERE tenant_id = $1 AND id = $2 AND removed_at IS NULL`,
		u.Tenant, u.ID, u.DisplayName, u.Mail, u.Language, u.Password, at(v.tx.now()), flag(u.PasswordDue), identity.FoldMailAddress(u.Mail))
	return err
}

// ReplacePassword replaces the hash that was checked with that of a new password,
// which need not be changed again, and reports whether the hash that was checked was
// still the one stored.
func (v Users) ReplacePassword(ctx context.Context, tenant, user, checked, hash string) (bool, error) {
	n, err := v.tx.exec(ctx, "replace password", `
		UPDATE users SET password = $4, password_changed_at = $5, password_due = 0
		WHERE tenant_id = $1 AND id = $2 AND password = $3 AND removed_at IS NULL`, tenant, user, checked, hash, at(v.tx.now()))
	return n == 1, err
}

// RehashPassword replaces the hash that was checked with another one of the same
// password; when the password was chosen does not change.
func (v Users) RehashPassword(ctx context.Context, tenant, user, checked, hash string) (bool, error) {
	n, err := v.tx.exec(ctx, "rehash password", `
		UPDATE users SET password = $4 WHERE tenant_id = $1 AND id = $2 AND password = $3 AND removed_at IS NULL`, tenant, user, checked, hash)
	return n == 1, err
}

// SetLanguage stores the language that a person picked.
func (v Users) SetLanguage(ctx context.Context, tenant, user, language string) error {
	_, err := v.tx.exec(ctx, "set language", `UPDATE users SET language = $3 WHERE tenant_id = $1 AND id = $2`, tenant, user, language)
	return err
}

// AllowEnrollment permits a user to enrol once more, on behalf of an operator
// (ENR-1).
func (v Users) AllowEnrollment(ctx context.Context, tenant, user string) error {
	_, err := v.tx.exec(ctx, "allow enrolment", `UPDATE users SET may_enroll_at = $3 WHERE tenant_id = $1 AND id = $2`, tenant, user, at(v.tx.now()))
	return err
}

// SetEnrolled records that a user has an active authenticator now. That uses up an
// operator's permission to enrol.
func (v Users) SetEnrolled(ctx context.Context, tenant, user string) error {
	_, err := v.tx.exec(ctx, "enrolled", `
		UPDATE users SET ever_enrolled_at = COALESCE(ever_enrolled_at, $3), may_enroll_at = NULL
		WHERE tenant_id = $1 AND id = $2`, tenant, user, at(v.tx.now()))
	return err
}

// Notify notifies the topics of a user and of all authenticators of the user.
func (v Users) Notify(ctx context.Context, tenant, user string) error {
	v.tx.Notify(UserTopic(user))
	for a, err := range v.tx.Authenticators().OfUser(ctx, tenant, user) {
		if err != nil {
			return err
		}
		v.tx.Notify(AuthenticatorTopic(a.ID))
	}
	return nil
}
