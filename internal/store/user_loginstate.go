package store

import (
	"context"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// LoginState is what each page and step of a sign-in needs of a user. It is read in
// one query, since every page begins with it.
type LoginState struct {
	User   identity.User
	Groups []string // ids

	// Of the browser: whether the user has signed in from it before, by which method
	// the last time, and until when its own failure counter is locked.
	KnownBrowser       bool
	LastMethod         identity.Method
	BrowserLockedUntil time.Time

	// RecoveryCodes is the number of unused ones. Temporary reports whether a
	// passcode that an operator made for the user can still be used.
	RecoveryCodes int64
	Temporary     bool

	// Rejected reports whether the user recently answered a push with "it wasn't me".
	Rejected bool
}

var selectLoginState = bothTexts(func(j jsonSQL) string {
	return `
		SELECT ` + userColumns + `,
			(SELECT ` + j.values("m.group_id", "m.group_id") + ` FROM group_members m WHERE m.tenant_id = $1 AND m.user_id = $2),
			b.last_method, b.locked_until,
			(SELECT COUNT(*) FROM push_requests p WHERE p.tenant_id = $1 AND p.user_id = $2 AND p.created_at > $4 - 600 AND p.ended_at > $4 AND p.outcome = $5),
			(SELECT COUNT(*) FROM recovery_codes c WHERE c.tenant_id = $1 AND c.user_id = $2 AND c.used_at IS NULL),
			(SELECT COUNT(*) FROM temporary_passcodes t WHERE t.tenant_id = $1 AND t.user_id = $2 AND t.ended_at IS NULL AND t.expires_at > $6)
		FROM users u LEFT JOIN browser_users b ON b.tenant_id = u.tenant_id AND b.user_id = u.id AND b.browser = $3
		WHERE u.tenant_id = $1 AND u.id = $2`
})

// LoginState returns the state of a user in a browser. since is from when on a
// rejected push counts.
func (v UserReads) LoginState(ctx context.Context, tenant, id, browser string, since time.Time) (LoginState, error) {
	var p LoginState
	var last *string
	var rejections, temporary int64
	u := &p.User
	err := v.r.q.QueryRowContext(ctx, v.r.dialect.text(selectLoginState), tenant, id, browser, at(since), string(PushNotMe), at(v.r.now())).Scan(
		append(userFields(u), fromJSON{&p.Groups}, &last, nullTime{&p.BrowserLockedUntil}, &rejections, &p.RecoveryCodes, &temporary)...)
	if err != nil {
		return LoginState{}, notFound("person "+id, err)
	}
	if last != nil {
		p.KnownBrowser, p.LastMethod = true, identity.Method(*last)
	}
	p.Rejected, p.Temporary = rejections > 0, temporary > 0
	return p, nil
}

// endOfTime stands for the end of a lock by an operator, which has none.
var endOfTime = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)

// LockedUntil returns until when a failure counter, of the browser for which the
// state was read or of the user, is locked; zero if it is not. A lock by an operator
// applies in every browser and has no end.
func (p LoginState) LockedUntil(t FailureCounter, now time.Time) time.Time {
	if !p.User.LockedAt.IsZero() {
		return endOfTime
	}
	until := p.User.LockedUntil
	if t.Browser != "" {
		until = p.BrowserLockedUntil
	}
	if !now.Before(until) {
		return time.Time{}
	}
	return until
}
