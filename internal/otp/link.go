package otp

import (
	"cmp"
	"encoding/base32"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"unicode"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"

	"github.com/latchkey-id/latchkey/internal/identity"
)

var secretEncoding = base32.StdEncoding.WithPadding(base32.NoPadding)

// EncodeSecret writes a secret in Base32 without padding, as apps take it.
func EncodeSecret(secret []byte) string { return secretEncoding.EncodeToString(secret) }

// A secret of less than 80 bits can be found by trying all (some vendors stop
// there; RFC 4226, section 4, wants 128); no hash takes more than 1024 bits.
const (
	minSecret = 10
	maxSecret = 128
)

// DecodeSecret reads a Base32 secret as people and vendors write it: in either
// case, in groups, with or without padding.
func DecodeSecret(s string) ([]byte, error) {
	wrong := func(cause error) ([]byte, error) {
		return nil, &identity.Error{Kind: identity.Invalid, Key: "error.otp.secret", Err: fmt.Errorf("otp: secret: %w", cause)}
	}
	if len(s) > 4*maxSecret {
		return wrong(errors.New("too long"))
	}
	bare := strings.TrimRight(strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || r == '-' {
			return -1
		}
		return unicode.ToUpper(r)
	}, s), "=")
	secret, err := secretEncoding.DecodeString(bare)
	switch {
	case err != nil:
		return wrong(err)
	case EncodeSecret(secret) != bare:
		// Base32 has bits to spare at its end. Two spellings of one secret
		// would be two secrets to whoever compares them.
		return wrong(errors.New("not whole bytes"))
	case len(secret) < minSecret || len(secret) > maxSecret:
		return wrong(fmt.Errorf("%d bytes, want %d to %d", len(secret), minSecret, maxSecret))
	}
	return secret, nil
}

// A Key is what an otpauth link carries from a server to an app: a secret, how
// its passcodes are made, and what to show beside them.
type Key struct {
	Issuer  string
	Account string
	Secret  []byte
	Params  Params
	Event   bool  // HOTP; else TOTP
	Counter int64 // the first counter; HOTP alone
}

// URI returns the otpauth link of a key; empty where the key makes no passcodes.
// All parameters are written out, since apps differ in what they assume. A colon
// parts issuer and account, so one within either is left out; what has no name
// then is shown as a dash.
func (k Key) URI() string {
	p := k.Params.withDefaults()
	name := func(s string) string { return cmp.Or(strings.ReplaceAll(s, ":", ""), "-") }
	issuer, account := name(k.Issuer), name(k.Account)
	if !p.Valid() || len(k.Secret) == 0 || k.Counter < 0 {
		return "" // the library would make a secret up
	}
	var key *otp.Key
	var err error
	if k.Event {
		key, err = hotp.Generate(hotp.GenerateOpts{Issuer: issuer, AccountName: account, Secret: k.Secret,
			Digits: otp.Digits(p.Digits), Algorithm: p.Algorithm.library()})
	} else {
		key, err = totp.Generate(totp.GenerateOpts{Issuer: issuer, AccountName: account, Secret: k.Secret, Period: uint(p.Period),
			Digits: otp.Digits(p.Digits), Algorithm: p.Algorithm.library()})
	}
	if err != nil {
		return "" // of a key without names, which there is none of here
	}
	// The library escapes the query as it does a path, where an & or a + in the
	// issuer's name stays as it is: the one would end it, and the other be a space.
	path, query, _ := strings.Cut(key.String(), "?")
	escaped := strings.ReplaceAll(url.QueryEscape(issuer), "+", "%20")
	link := path + "?" + strings.Replace(query, "&issuer="+url.PathEscape(issuer), "&issuer="+escaped, 1)
	if k.Event {
		link += "&counter=" + strconv.FormatInt(k.Counter, 10) // it leaves that out
	}
	return link
}
