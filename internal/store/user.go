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

// userFields are where userColumns go.
func userFields(u *identity.User) []any {
	return []any{&u.Tenant, &u.ID, &u.Name, &u.DisplayName, &u.Mail, &u.Language, &u.Password, nullTime{&u.PasswordChanged}, &u.PasswordDue,
		&u.Failures, nullTime{&u.LockedUntil}, nullTime{&u.LockedAt}, nullTime{&u.PushLockedUntil}, nullTime{&u.PasscodesLocked}, &u.PasscodeFailures,
		&u.UnlockDue, nullTime{&u.DisabledAt}, nullTime{&u.RemovedAt}, nullTime{&u.MayEnrollAt},
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

// Get returns a user by id, a removed one too: what is left of one has no name.
func (v UserReads) Get(ctx context.Context, tenant, id string) (identity.User, error) {
	u, err := scanUser(v.r.q.QueryRowContext(ctx, `SELECT `+userColumns+` FROM users u WHERE u.tenant_id = $1 AND u.id = $2`, tenant, id))
	if err != nil {
		return u, notFound("user "+id, err)
	}
	return u, nil
}

// ByName returns the user whose name folds to the same as name.
func (v UserReads) ByName(ctx context.Context, tenant, name string) (identity.User, error) {
	u, err := scanUser(v.r.q.QueryRowContext(ctx, `SELECT `+userColumns+` FROM users u WHERE u.tenant_id = $1 AND u.name_folded = $2 AND u.removed_at IS NULL`,
		tenant, identity.FoldName(name)))
	if err != nil {
		return u, notFound("user by name", err)
	}
	return u, nil
}

// List yields users by name, from the one after a name on, limit at most.
func (v UserReads) List(ctx context.Context, tenant, after string, limit int) iter.Seq2[identity.User, error] {
	return list(ctx, v.r, "users", scanUser, `
		SELECT `+userColumns+` FROM users u WHERE u.tenant_id = $1 AND u.name_folded > $2 AND u.removed_at IS NULL
		ORDER BY u.name_folded LIMIT $3`, tenant, identity.FoldName(after), limit)
}

// Add adds a user; a Conflict says that the name is taken.
func (v Users) Add(ctx context.Context, u identity.User) error {
	n, err := v.tx.exec(ctx, "add user", `
		INSERT INTO users (tenant_id, id, name, name_folded, display_name, mail, language, password, password_due, password_changed_at, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10) ON CONFLICT DO NOTHING`,
		u.Tenant, u.ID, u.Name, identity.FoldName(u.Name), u.DisplayName, u.Mail, u.Language, u.Password, flag(u.PasswordDue), at(v.tx.now()))
	if err != nil {
		return err
	}
	if n == 0 {
		return taken("user", u.Name)
	}
	return nil
}

// Change writes what an operator may change of a user: display name, mail,
// language, the password's hash and whether it must be changed.
func (v Users) Change(ctx context.Context, u identity.User) error {
	_, err := v.tx.exec(ctx, "change user", `
		UPDATE users SET display_name = $3, mail = $4, language = $5,
			password_changed_at = CASE WHEN password = $6 THEN password_changed_at ELSE $7 END, password = $6, password_due = $8
		WHERE tenant_id = $1 AND id = $2 AND removed_at IS NULL`,
		u.Tenant, u.ID, u.DisplayName, u.Mail, u.Language, u.Password, at(v.tx.now()), flag(u.PasswordDue))
	return err
}

// ReplacePassword puts another hash in the place of the one that was checked, and
// reports whether that was still it. It was chosen now, and is due no more.
func (v Users) ReplacePassword(ctx context.Context, tenant, user, checked, hash string) (bool, error) {
	n, err := v.tx.exec(ctx, "replace password", `
		UPDATE users SET password = $4, password_changed_at = $5, password_due = 0
		WHERE tenant_id = $1 AND id = $2 AND password = $3 AND removed_at IS NULL`, tenant, user, checked, hash, at(v.tx.now()))
	return n == 1, err
}

// RehashPassword is ReplacePassword for another hash of the same password: when it
// was chosen stays.
func (v Users) RehashPassword(ctx context.Context, tenant, user, checked, hash string) (bool, error) {
	n, err := v.tx.exec(ctx, "rehash password", `
		UPDATE users SET password = $4 WHERE tenant_id = $1 AND id = $2 AND password = $3 AND removed_at IS NULL`, tenant, user, checked, hash)
	return n == 1, err
}

// SetLanguage keeps the language a person picked.
func (v Users) SetLanguage(ctx context.Context, tenant, user, language string) error {
	_, err := v.tx.exec(ctx, "set language", `UPDATE users SET language = $3 WHERE tenant_id = $1 AND id = $2`, tenant, user, language)
	return err
}

// AllowEnrollment gives an operator's leave to enrol once more (ENR-1).
func (v Users) AllowEnrollment(ctx context.Context, tenant, user string) error {
	_, err := v.tx.exec(ctx, "allow enrolment", `UPDATE users SET may_enroll_at = $3 WHERE tenant_id = $1 AND id = $2`, tenant, user, at(v.tx.now()))
	return err
}

// SetEnrolled notes that a user has an active authenticator now, which uses up an
// operator's leave.
func (v Users) SetEnrolled(ctx context.Context, tenant, user string) error {
	_, err := v.tx.exec(ctx, "enrolled", `
		UPDATE users SET ever_enrolled_at = COALESCE(ever_enrolled_at, $3), may_enroll_at = NULL
		WHERE tenant_id = $1 AND id = $2`, tenant, user, at(v.tx.now()))
	return err
}

// Notify wakes whoever watches a user or one of the user's authenticators.
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
