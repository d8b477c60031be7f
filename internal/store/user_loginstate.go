package store

import (
	"context"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// A Person is a user with what surrounds each page and step of a login: one
// row of one query, since every page of every login begins with it.
type LoginState struct {
	User   identity.User
	Groups []string // ids

	// Of the browser: whether the user has logged in from it before, by which
	// method last, and until when its own tally is locked.
	KnownBrowser       bool
	LastMethod         identity.Method
	BrowserLockedUntil time.Time

	// RecoveryCodes counts those not used yet; Temporary reports that an operator
	// made a passcode for the user that can still be typed.
	RecoveryCodes int64
	Temporary     bool

	// Rejected reports that the user said *it wasn't me* to a push lately.
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

// LoginState returns a user, seen from a browser, with the rejections since a time.
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

// endOfTime is when an operator's lock ends by itself.
var endOfTime = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)

// LockedUntil reports until when a tally of the person in the browser it was read
// for is locked; zero when it is not. An operator's lock holds in every browser
// and has no end that anybody lives to see.
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
