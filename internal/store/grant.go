package store

import (
	"context"
	"database/sql"
	"strings"
	"time"
)

// A Grant is what one sign-in gave one OpenID Connect application: a code, and all
// tokens that result from it.
type Grant struct {
	Tenant      string
	ID          string
	Application string
	User        string
	Session     string
	Subject     string // sub
	SID         string // sid
	Scope       string // separated by spaces
	Offline     bool   // outlives the session
	Nonce       string
	ACR         string
	AMR         []string
	AuthTime    time.Time
	RedirectURI string
	Challenge   string // PKCE, S256; empty if none was sent
	CodeExpires time.Time
	CodeUsed    time.Time
	ExpiresAt   time.Time // the latest end of a token of it
	Over        bool      // revoked, or its user, application or session has ended
}

// A TokenKind is the kind of a token.
type TokenKind string

const (
	AccessToken  TokenKind = "access"
	RefreshToken TokenKind = "refresh"
)

// A Token is a token of a grant. Of its secret only the SHA-256 is stored.
type Token struct {
	Grant     string
	Kind      TokenKind
	Scope     string
	ExpiresAt time.Time
	UsedAt    time.Time // when a refresh token was used, or the token alone revoked
}

// grantColumns ends with whether the grant is over: it was revoked, or the user or
// the application is disabled, or the session has ended and the grant is not for
// offline use.
const grantColumns = `g.tenant_id, g.id, g.application_id, g.user_id, g.session_id, g.subject, g.sid, g.scope, g.offline,
	g.nonce, g.acr, g.amr, g.auth_time, g.redirect_uri, g.challenge, g.code_expires_at, g.code_used_at, g.expires_at,
	CASE WHEN g.revoked_at IS NULL AND u.disabled_at IS NULL AND a.disabled_at IS NULL
		AND (g.offline = 1 OR s.ended_at IS NULL) THEN 0 ELSE 1 END`

const grantTables = `oidc_grants g
	JOIN users u ON u.tenant_id = g.tenant_id AND u.id = g.user_id
	JOIN applications a ON a.tenant_id = g.tenant_id AND a.id = g.application_id
	JOIN sessions s ON s.tenant_id = g.tenant_id AND s.id = g.session_id`

func scanGrant(row scanner, more ...any) (g Grant, err error) {
	var offline, over int64
	var amr string
	err = row.Scan(append([]any{&g.Tenant, &g.ID, &g.Application, &g.User, &g.Session, &g.Subject, &g.SID, &g.Scope, &offline,
		&g.Nonce, &g.ACR, &amr, nullTime{&g.AuthTime}, &g.RedirectURI, &g.Challenge, nullTime{&g.CodeExpires},
		nullTime{&g.CodeUsed}, nullTime{&g.ExpiresAt}, &over}, more...)...)
	g.Offline, g.Over, g.AMR = offline != 0, over != 0, strings.Fields(amr)
	return g, err
}

// Grants reads and writes grants of OpenID Connect and their tokens.
type Grants struct {
	GrantReads
	tx *Tx
}

// Grants returns the view; what it writes is part of the transaction.
func (tx *Tx) Grants() Grants { return Grants{tx.Reader.Grants(), tx} }

// GrantReads are the reads of [Grants].
type GrantReads struct{ r Reader }

// Grants returns the view for reading.
func (r Reader) Grants() GrantReads { return GrantReads{r} }

// Add writes a grant under its code.
func (v Grants) Add(ctx context.Context, g Grant, code string) error {
	_, err := v.tx.exec(ctx, "add grant", `
		INSERT INTO oidc_grants (tenant_id, id, application_id, user_id, session_id, subject, sid, scope, offline, nonce,
			acr, amr, auth_time, redirect_uri, challenge, code_hash, code_expires_at, created_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)`,
		g.Tenant, g.ID, g.Application, g.User, g.Session, g.Subject, g.SID, g.Scope, flag(g.Offline), g.Nonce,
		g.ACR, strings.Join(g.AMR, " "), at(g.AuthTime), g.RedirectURI, g.Challenge, Hash(code), at(g.CodeExpires),
		at(v.tx.now()), at(g.ExpiresAt))
	return err
}

// UseCode uses up a code and returns its grant. first is true for one call only,
// whatever else was sent with the code: a code works for one attempt (RFC 6749,
// section 4.1.2), right or wrong, or its PKCE verifier could be guessed. For an
// unknown code it returns a NotFound.
func (v Grants) UseCode(ctx context.Context, tenant, code string) (g Grant, first bool, err error) {
	n, err := v.tx.exec(ctx, "use code", `
		UPDATE oidc_grants SET code_used_at = $3 WHERE tenant_id = $1 AND code_hash = $2 AND code_used_at IS NULL`,
		tenant, Hash(code), at(v.tx.now()))
	if err != nil {
		return g, false, err
	}
	g, err = scanGrant(v.tx.q.QueryRowContext(ctx, `
		SELECT `+grantColumns+` FROM `+grantTables+` WHERE g.tenant_id = $1 AND g.code_hash = $2`, tenant, Hash(code)))
	if err != nil {
		return g, false, notFound("grant by code", err)
	}
	return g, n == 1, nil
}

// AddToken adds a token to a grant.
func (v Grants) AddToken(ctx context.Context, tenant string, t Token, secret string) error {
	_, err := v.tx.exec(ctx, "add token", `
		INSERT INTO oidc_tokens (tenant_id, token_hash, grant_id, kind, scope, expires_at) VALUES ($1, $2, $3, $4, $5, $6)`,
		tenant, Hash(secret), t.Grant, string(t.Kind), t.Scope, at(t.ExpiresAt))
	return err
}

// UseRefreshToken uses up a refresh token of an application and returns its grant.
// first is true for one call only. For anything but a refresh token of this
// application it returns a NotFound, and the use is rolled back with the transaction.
func (v Grants) UseRefreshToken(ctx context.Context, tenant, application, secret string) (g Grant, t Token, first bool, err error) {
	n, err := v.tx.exec(ctx, "use refresh token", `
		UPDATE oidc_tokens SET used_at = $3 WHERE tenant_id = $1 AND token_hash = $2 AND used_at IS NULL`,
		tenant, Hash(secret), at(v.tx.now()))
	if err != nil {
		return g, t, false, err
	}
	g, t, err = v.token(ctx, tenant, RefreshToken, secret)
	if err == nil && g.Application != application {
		err = notFound("refresh token", sql.ErrNoRows)
	}
	return g, t, n == 1, err
}

// AccessToken returns the grant of a valid access token. For an expired or revoked
// one, or anything else, it returns a NotFound.
func (v GrantReads) AccessToken(ctx context.Context, tenant, secret string) (Grant, Token, error) {
	g, t, err := v.token(ctx, tenant, AccessToken, secret)
	if err == nil && (g.Over || !t.UsedAt.IsZero() || !v.r.now().Before(t.ExpiresAt)) {
		err = notFound("access token", sql.ErrNoRows)
	}
	return g, t, err
}

// LiveToken returns the grant of a valid token, of either kind, of an application.
// For anything else it returns a NotFound, such as for a token of another application
// or a used refresh token.
func (v GrantReads) LiveToken(ctx context.Context, tenant, application, secret string) (Grant, Token, error) {
	g, t, err := v.token(ctx, tenant, "", secret)
	if err == nil && (g.Application != application || g.Over || !t.UsedAt.IsZero() || !v.r.now().Before(t.ExpiresAt)) {
		err = notFound("token", sql.ErrNoRows)
	}
	return g, t, err
}

// token returns a token of a kind, or of any, with its grant, in whatever state.
func (v GrantReads) token(ctx context.Context, tenant string, kind TokenKind, secret string) (g Grant, t Token, err error) {
	g, err = scanGrant(v.r.q.QueryRowContext(ctx, `
		SELECT `+grantColumns+`, t.kind, t.scope, t.expires_at, t.used_at
		FROM `+grantTables+` JOIN oidc_tokens t ON t.tenant_id = g.tenant_id AND t.grant_id = g.id
		WHERE t.tenant_id = $1 AND t.token_hash = $2 AND ($3 = '' OR t.kind = $3)`,
		tenant, Hash(secret), string(kind)), &t.Kind, &t.Scope, nullTime{&t.ExpiresAt}, nullTime{&t.UsedAt})
	if err != nil {
		return g, t, notFound("token", err)
	}
	t.Grant = g.ID
	return g, t, nil
}

// Revoke revokes a grant with all its tokens, and reports whether this call did it.
func (v Grants) Revoke(ctx context.Context, tenant, id string) (bool, error) {
	n, err := v.tx.exec(ctx, "revoke grant", `
		UPDATE oidc_grants SET revoked_at = $3 WHERE tenant_id = $1 AND id = $2 AND revoked_at IS NULL`, tenant, id, at(v.tx.now()))
	return n == 1, err
}

// RevokeToken revokes a token of an application: an access token alone, a refresh
// token with its grant (RFC 7009, section 2.1). It returns the grant. For a token of
// another application, or an unknown one, it returns a NotFound.
func (v Grants) RevokeToken(ctx context.Context, tenant, application, secret string) (Grant, error) {
	g, t, err := v.token(ctx, tenant, "", secret)
	if err != nil {
		return g, err
	}
	if g.Application != application {
		return g, notFound("token", sql.ErrNoRows)
	}
	if t.Kind == RefreshToken {
		_, err := v.Revoke(ctx, tenant, g.ID)
		return g, err
	}
	_, err = v.tx.exec(ctx, "revoke token", `
		UPDATE oidc_tokens SET used_at = $3 WHERE tenant_id = $1 AND token_hash = $2 AND used_at IS NULL`,
		tenant, Hash(secret), at(v.tx.now()))
	return g, err
}

// RevokeAll revokes all grants of a user with their codes and tokens, those for
// offline use too, and returns how many there were.
func (v Grants) RevokeAll(ctx context.Context, tenant, user string) (int64, error) {
	return v.tx.exec(ctx, "revoke grants of "+user, `
		UPDATE oidc_grants SET revoked_at = $3 WHERE tenant_id = $1 AND user_id = $2 AND revoked_at IS NULL AND expires_at > $3`,
		tenant, user, at(v.tx.now()))
}

// RevokeOtherSessions is [Grants.RevokeAll] without the grants of one session.
func (v Grants) RevokeOtherSessions(ctx context.Context, tenant, user, session string) (int64, error) {
	return v.tx.exec(ctx, "revoke other grants of "+user, `
		UPDATE oidc_grants SET revoked_at = $3
		WHERE tenant_id = $1 AND user_id = $2 AND session_id <> $4 AND revoked_at IS NULL AND expires_at > $3`,
		tenant, user, at(v.tx.now()), session)
}

// RevokeSession revokes the grants of one session of a user, those for offline use
// too.
func (v Grants) RevokeSession(ctx context.Context, tenant, user, session string) (int64, error) {
	return v.tx.exec(ctx, "revoke grants of "+session, `
		UPDATE oidc_grants SET revoked_at = $3
		WHERE tenant_id = $1 AND user_id = $2 AND session_id = $4 AND revoked_at IS NULL AND expires_at > $3`,
		tenant, user, at(v.tx.now()), session)
}
