package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
)

const userColumns = `u.tenant_id, u.id, u.name, u.display_name, u.mail, u.language, u.password, u.password_changed_at, u.password_due,
	u.failures, u.locked_until, u.locked_at, u.push_locked_until, u.passcodes_locked_until, u.passcode_failures, u.unlock_due, u.disabled_at, u.removed_at, u.may_enroll_at, u.ever_enrolled_at, u.created_at`

func scanUser(row scanner) (u identity.User, err error) {
	return u, row.Scan(userFields(&u)...)
}

// userFields are where userColumns go.
func userFields(u *identity.User) []any {
	return []any{&u.Tenant, &u.ID, &u.Name, &u.DisplayName, &u.Mail, &u.Language, &u.Password, moment{&u.PasswordChanged}, &u.PasswordDue,
		&u.Failures, moment{&u.LockedUntil}, moment{&u.LockedAt}, moment{&u.PushLockedUntil}, moment{&u.PasscodesLocked}, &u.PasscodeFailures,
		&u.UnlockDue, moment{&u.DisabledAt}, moment{&u.RemovedAt}, moment{&u.MayEnrollAt},
		moment{&u.EverEnrolledAt}, moment{&u.CreatedAt}}
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
		return u, missing("user "+id, err)
	}
	return u, nil
}

// ByName returns the user whose name folds to the same as name.
func (v UserReads) ByName(ctx context.Context, tenant, name string) (identity.User, error) {
	u, err := scanUser(v.r.q.QueryRowContext(ctx, `SELECT `+userColumns+` FROM users u WHERE u.tenant_id = $1 AND u.name_folded = $2 AND u.removed_at IS NULL`,
		tenant, identity.FoldName(name)))
	if err != nil {
		return u, missing("user by name", err)
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

// Lock locks a user's logins until an operator unlocks them, in all
// browsers, and reports whether they were not locked so before.
func (v Users) Lock(ctx context.Context, tenant, user string) (bool, error) {
	n, err := v.tx.exec(ctx, "lock user", `
		UPDATE users SET locked_at = $3 WHERE tenant_id = $1 AND id = $2 AND locked_at IS NULL AND removed_at IS NULL`,
		tenant, user, at(v.tx.now()))
	return n == 1, err
}

// Disable keeps a user from logging in and using anything, and reports
// whether that was possible before. What is open is for CutOff to end.
func (v Users) Disable(ctx context.Context, tenant, user string) (bool, error) {
	n, err := v.tx.exec(ctx, "disable user", `
		UPDATE users SET disabled_at = $3 WHERE tenant_id = $1 AND id = $2 AND disabled_at IS NULL`, tenant, user, at(v.tx.now()))
	return n == 1, err
}

// Enable lets a disabled user log in again, and reports whether that
// changed anything. A removed one stays so.
func (v Users) Enable(ctx context.Context, tenant, user string) (bool, error) {
	n, err := v.tx.exec(ctx, "enable user", `
		UPDATE users SET disabled_at = NULL WHERE tenant_id = $1 AND id = $2 AND disabled_at IS NOT NULL AND removed_at IS NULL`, tenant, user)
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

// A Tally is where failed logins in a row are counted (CRED-20): for a browser
// in which the user has logged in before, that browser's own; else the user's.
type FailureCounter struct {
	Tenant, User string
	Browser      string // empty: the user's own
}

// table says which row holds the count.
func (t FailureCounter) table() (table, where string, args []any) {
	if t.Browser == "" {
		return "users", "tenant_id = $1 AND id = $2", []any{t.Tenant, t.User}
	}
	return "browser_users", "tenant_id = $1 AND user_id = $2 AND browser = $3", []any{t.Tenant, t.User, t.Browser}
}

// admitted is what a user u must be for anything of theirs to be evaluated.
const admitted = `u.disabled_at IS NULL AND u.locked_at IS NULL`

// Attempts counts failed logins in a row and locks logins (CRED-20).
type Attempts struct {
	tx *Tx
}

// Attempts returns the view; what it writes is part of the transaction.
func (tx *Tx) Attempts() Attempts { return Attempts{tx} }

// Reserve counts a try before its secret is evaluated, so that of 200 parallel
// tries at the limit no more are evaluated than the limit allows, and a crash
// leaves the try counted. It reports false while the user is locked, or when
// every try left is in flight. threshold 0 means there is no limit. Of a user
// whom an operator locked or disabled no try is evaluated, in any browser.
//
// A lock that has run out admits one try: only a finished login resets the
// count, so a wrong one locks again at once.
func (v Attempts) Reserve(ctx context.Context, t FailureCounter, threshold int64) (bool, error) {
	if threshold == 0 {
		var n int64
		err := v.tx.q.QueryRowContext(ctx, `SELECT COUNT(*) FROM users u WHERE u.tenant_id = $1 AND u.id = $2 AND `+admitted, t.Tenant, t.User).Scan(&n)
		if err != nil {
			return false, missing("reserve a try", err)
		}
		return n == 1, nil
	}
	table, where, args := t.table()
	now, limit := placeholders(len(args))
	n, err := v.tx.exec(ctx, "reserve a try", `
		UPDATE `+table+` SET
			failures = CASE WHEN locked_until IS NULL THEN failures + 1 ELSE `+limit+` + 1 END,
			locked_until = NULL
		WHERE `+where+` AND ((locked_until IS NULL AND failures <= `+limit+`) OR locked_until <= `+now+`)
			AND EXISTS (SELECT 1 FROM users u WHERE u.tenant_id = $1 AND u.id = $2 AND `+admitted+`)`,
		append(args, at(v.tx.now()), threshold)...)
	return n == 1, err
}

// Refund returns the reservation of a try whose secret was right. The count
// itself stays: only a finished login resets it.
func (v Attempts) Refund(ctx context.Context, t FailureCounter) error {
	table, where, args := t.table()
	_, err := v.tx.exec(ctx, "give a try back", `UPDATE `+table+` SET failures = failures - 1 WHERE `+where+` AND failures > 0`, args...)
	return err
}

// LockIfExceeded locks logins until a time if more tries than the threshold
// have failed, and reports whether this call did it.
func (v Attempts) LockIfExceeded(ctx context.Context, t FailureCounter, threshold int64, until time.Time) (bool, error) {
	if threshold == 0 {
		return false, nil
	}
	table, where, args := t.table()
	end, limit := placeholders(len(args))
	n, err := v.tx.exec(ctx, "lock", `
		UPDATE `+table+` SET locked_until = `+end+` WHERE `+where+` AND failures > `+limit+` AND locked_until IS NULL`,
		append(args, at(until), threshold)...)
	if n == 0 || err != nil {
		return false, err
	}
	_, err = v.tx.exec(ctx, "lock", `UPDATE users SET unlock_due = 1 WHERE tenant_id = $1 AND id = $2`, t.Tenant, t.User)
	return true, err
}

// placeholders names the next two arguments after n.
func placeholders(n int) (first, second string) {
	return "$" + string(rune('1'+n)), "$" + string(rune('2'+n))
}

// Unlock ends every lock of a user's logins, an operator's too, and of the user's
// passcodes, and clears the counts, in all browsers.
func (v Users) Unlock(ctx context.Context, tenant, user string) error {
	if _, err := v.tx.exec(ctx, "unlock", `
		UPDATE users SET failures = 0, locked_until = NULL, locked_at = NULL,
			passcode_failures = 0, passcode_locks = 0, passcodes_locked_until = NULL
		WHERE tenant_id = $1 AND id = $2`, tenant, user); err != nil {
		return err
	}
	_, err := v.tx.exec(ctx, "unlock", `
		UPDATE browser_users SET failures = 0, locked_until = NULL WHERE tenant_id = $1 AND user_id = $2`, tenant, user)
	return err
}

// RecordLogin notes a finished login: the browser is known from now on, its count
// or the user's starts anew, and the method is remembered for next time.
//
// It is a Forbidden for a user who was disabled or locked since this
// transaction looked: the row is the judge, so that of a login and an operator
// at the same moment, on any two nodes, one waits for the other.
func (v Users) RecordLogin(ctx context.Context, tenant, user, browser string, knownBefore bool, method identity.Method) error {
	// A login in a browser not known before was counted against the user.
	n, err := v.tx.exec(ctx, "logged in", `
		UPDATE users SET failures = CASE WHEN $3 = 1 THEN failures ELSE 0 END,
			locked_until = CASE WHEN $3 = 1 THEN locked_until ELSE NULL END
		WHERE tenant_id = $1 AND id = $2 AND disabled_at IS NULL AND locked_at IS NULL`, tenant, user, flag(knownBefore))
	if err != nil {
		return err
	}
	if n == 0 {
		return &identity.Error{Kind: identity.Forbidden, Key: "error.forbidden", Err: fmt.Errorf("store: %s may not log in any more", user)}
	}
	_, err = v.tx.exec(ctx, "logged in", `
		INSERT INTO browser_users (tenant_id, user_id, browser, last_method, logged_in_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (tenant_id, user_id, browser) DO UPDATE SET failures = 0, locked_until = NULL,
			logged_in_at = excluded.logged_in_at,
			last_method = CASE WHEN excluded.last_method = '' THEN browser_users.last_method ELSE excluded.last_method END`,
		tenant, user, browser, string(method), at(v.tx.now()))
	return err
}

// KnownBrowser reports whether a user has logged in from a browser before, and
// by which method last.
func (v UserReads) KnownBrowser(ctx context.Context, tenant, user, browser string) (known bool, last identity.Method, err error) {
	err = v.r.q.QueryRowContext(ctx, `
		SELECT last_method FROM browser_users WHERE tenant_id = $1 AND user_id = $2 AND browser = $3`,
		tenant, user, browser).Scan(&last)
	if errors.Is(err, sql.ErrNoRows) {
		return false, "", nil
	}
	if err != nil {
		return false, "", missing("known browser", err)
	}
	return true, last, nil
}

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

// Add adds a group; a Conflict says that the name is taken.
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

const groupColumns = `g.tenant_id, g.id, g.name, g.created_at`

func scanGroup(row scanner) (g identity.Group, err error) {
	return g, row.Scan(&g.Tenant, &g.ID, &g.Name, moment{&g.CreatedAt})
}

// ByName returns the group whose name folds to the same as name.
func (v GroupReads) ByName(ctx context.Context, tenant, name string) (identity.Group, error) {
	g, err := scanGroup(v.r.q.QueryRowContext(ctx, `SELECT `+groupColumns+` FROM groups g WHERE g.tenant_id = $1 AND g.name_folded = $2`,
		tenant, identity.FoldName(name)))
	if err != nil {
		return g, missing("group by name", err)
	}
	return g, nil
}

// All yields a tenant's groups by name.
func (v GroupReads) All(ctx context.Context, tenant string) iter.Seq2[identity.Group, error] {
	return list(ctx, v.r, "groups", scanGroup, `SELECT `+groupColumns+` FROM groups g WHERE g.tenant_id = $1 ORDER BY g.name_folded`, tenant)
}

// OfUser yields the groups a user is a member of, by name.
func (v GroupReads) OfUser(ctx context.Context, tenant, user string) iter.Seq2[identity.Group, error] {
	return list(ctx, v.r, "groups of "+user, scanGroup, `
		SELECT `+groupColumns+` FROM group_members m JOIN groups g ON g.tenant_id = m.tenant_id AND g.id = m.group_id
		WHERE m.tenant_id = $1 AND m.user_id = $2 ORDER BY g.name_folded`, tenant, user)
}

// IDsOfUser returns the ids of the groups a user is a member of.
func (v GroupReads) IDsOfUser(ctx context.Context, tenant, user string) ([]string, error) {
	return Collect(list(ctx, v.r, "groups of "+user, func(row scanner) (id string, err error) { return id, row.Scan(&id) }, `
		SELECT group_id FROM group_members WHERE tenant_id = $1 AND user_id = $2`, tenant, user))
}

// Members yields a group's members by name. Were the names sorted as they
// are, SQLite would walk through all users in the order of their names, and ask
// of each whether it is a member.
func (v GroupReads) Members(ctx context.Context, tenant, group string) iter.Seq2[identity.User, error] {
	return list(ctx, v.r, "members of "+group, scanUser, `
		SELECT `+userColumns+` FROM group_members m JOIN users u ON u.tenant_id = m.tenant_id AND u.id = m.user_id
		WHERE m.tenant_id = $1 AND m.group_id = $2 ORDER BY u.name_folded || ''`, tenant, group)
}

// AddMember makes a user a member of a group; being one already is no error.
func (v Groups) AddMember(ctx context.Context, tenant, group, user string) error {
	_, err := v.tx.exec(ctx, "add member", `
		INSERT INTO group_members (tenant_id, group_id, user_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, tenant, group, user)
	return err
}

// RemoveMember ends a membership; having none is no error.
func (v Groups) RemoveMember(ctx context.Context, tenant, group, user string) error {
	_, err := v.tx.exec(ctx, "remove member", `
		DELETE FROM group_members WHERE tenant_id = $1 AND group_id = $2 AND user_id = $3`, tenant, group, user)
	return err
}
