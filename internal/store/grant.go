package store

import (
	"context"
	"database/sql"
	"strings"
	"time"
)

// A Grant is what one login gave one OpenID Connect application: a code, and
// the family of all tokens that come of it.
type Grant struct {
	Tenant      string
	ID          string
	Application string
	User        string
	Session     string
	Subject     string // sub
	SID         string // sid
	Scope       string // parted by spaces
	Offline     bool   // outlives the session
	Nonce       string
	ACR         string
	AMR         []string
	AuthTime    time.Time
	RedirectURI string
	Challenge   string // PKCE, S256; empty when none was sent
	CodeExpires time.Time
	CodeUsed    time.Time
	ExpiresAt   time.Time // no token of it lives longer
	Over        bool      // revoked, or its user, application or session is gone
}

// A TokenKind is what a token is for.
type TokenKind string

const (
	AccessToken  TokenKind = "access"
	RefreshToken TokenKind = "refresh"
)

// A Token is one that a grant gave. Its secret is kept as SHA-256 only.
type Token struct {
	Grant     string
	Kind      TokenKind
	Scope     string
	ExpiresAt time.Time
	UsedAt    time.Time // a refresh token's use, or when the token alone was revoked
}

// grantColumns ends in whether the grant is over: revoked, or the user disabled,
// or the application disabled, or, unless it may be used offline, the person
// logged out.
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

// Add writes what a login gives an application, under its code.
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

// UseCode uses a code up and returns its grant. first is false for every call
// but one, whatever the code was shown with: a code is good for one try
// (RFC 6749, section 4.1.2), right or wrong, or its PKCE verifier could be
// guessed. A code that never was is a NotFound.
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

// UseRefreshToken uses up a refresh token of an application and returns its
// grant. first is false for every call but one. Whatever is no refresh token of
// this application is a NotFound, which undoes the use with the transaction.
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

// AccessToken returns the grant of an access token that is good now. Any other
// is a NotFound: expired, revoked, or not an access token at all.
func (v GrantReads) AccessToken(ctx context.Context, tenant, secret string) (Grant, Token, error) {
	g, t, err := v.token(ctx, tenant, AccessToken, secret)
	if err == nil && (g.Over || !t.UsedAt.IsZero() || !v.r.now().Before(t.ExpiresAt)) {
		err = notFound("access token", sql.ErrNoRows)
	}
	return g, t, err
}

// LiveToken returns the grant of a token of an application, of either kind,
// that is good now. Any other is a NotFound: another application's too, and a
// refresh token that was used.
func (v GrantReads) LiveToken(ctx context.Context, tenant, application, secret string) (Grant, Token, error) {
	g, t, err := v.token(ctx, tenant, "", secret)
	if err == nil && (g.Application != application || g.Over || !t.UsedAt.IsZero() || !v.r.now().Before(t.ExpiresAt)) {
		err = notFound("token", sql.ErrNoRows)
	}
	return g, t, err
}

// token returns a token of a kind, or of any, with its grant, whatever has become of them.
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

// Revoke ends a grant and with it every token it gave, and reports
// whether this call did it.
func (v Grants) Revoke(ctx context.Context, tenant, id string) (bool, error) {
	n, err := v.tx.exec(ctx, "revoke grant", `
		UPDATE oidc_grants SET revoked_at = $3 WHERE tenant_id = $1 AND id = $2 AND revoked_at IS NULL`, tenant, id, at(v.tx.now()))
	return n == 1, err
}

// RevokeToken revokes a token of an application: an access token alone, a
// refresh token with all its family (RFC 7009, section 2.1). It returns the
// grant; a token of somebody else's, or nobody's, is a NotFound.
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

// RevokeAll revokes every grant of a user, with the codes and tokens it
// gave, those for use offline too, and reports how many there were.
func (v Grants) RevokeAll(ctx context.Context, tenant, user string) (int64, error) {
	return v.tx.exec(ctx, "revoke grants of "+user, `
		UPDATE oidc_grants SET revoked_at = $3 WHERE tenant_id = $1 AND user_id = $2 AND revoked_at IS NULL AND expires_at > $3`,
		tenant, user, at(v.tx.now()))
}

// RevokeOtherSessions is [Grants.RevokeAll] but for the grants of one session.
func (v Grants) RevokeOtherSessions(ctx context.Context, tenant, user, session string) (int64, error) {
	return v.tx.exec(ctx, "revoke other grants of "+user, `
		UPDATE oidc_grants SET revoked_at = $3
		WHERE tenant_id = $1 AND user_id = $2 AND session_id <> $4 AND revoked_at IS NULL AND expires_at > $3`,
		tenant, user, at(v.tx.now()), session)
}

// RevokeSession revokes what one session of a user was granted, for use
// offline too.
func (v Grants) RevokeSession(ctx context.Context, tenant, user, session string) (int64, error) {
	return v.tx.exec(ctx, "revoke grants of "+session, `
		UPDATE oidc_grants SET revoked_at = $3
		WHERE tenant_id = $1 AND user_id = $2 AND session_id = $4 AND revoked_at IS NULL AND expires_at > $3`,
		tenant, user, at(v.tx.now()), session)
}
