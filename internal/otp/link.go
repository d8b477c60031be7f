package otp

import (
	"encoding/base32"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"unicode"

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

// maxLink is the most bytes of a link: no QR code holds more.
const maxLink = 2953

// URI returns the otpauth link of a key. All parameters are written out, since
// apps differ in what they assume, and spaces as %20, since some show a plus
// sign as it is. A colon parts issuer and account, so one within either is left
// out.
func (k Key) URI() string {
	p := k.Params.withDefaults()
	part := func(s string) string {
		return strings.ReplaceAll(url.QueryEscape(strings.ReplaceAll(s, ":", "")), "+", "%20")
	}
	label := part(k.Account)
	issuer := ""
	if k.Issuer != "" {
		label = part(k.Issuer) + ":" + label
		issuer = "&issuer=" + part(k.Issuer)
	}
	kind, count := "totp", fmt.Sprintf("&period=%d", p.Period)
	if k.Event {
		kind, count = "hotp", fmt.Sprintf("&counter=%d", k.Counter)
	}
	return fmt.Sprintf("otpauth://%s/%s?secret=%s%s&algorithm=%s&digits=%d%s",
		kind, label, EncodeSecret(k.Secret), issuer, p.Algorithm, p.Digits, count)
}

// ParseURI reads an otpauth link. What it does not know it passes over, as
// apps put colours and pictures there; what it knows must be right and there
// once, or an app and we would make different passcodes of it.
func ParseURI(link string) (Key, error) {
	k, err := parse(link)
	if err != nil {
		// The cause names places, never values: a secret must not reach a log.
		return Key{}, &identity.Error{Kind: identity.Invalid, Key: "error.otp.link", Err: fmt.Errorf("otp: link: %w", err)}
	}
	return k, nil
}

func parse(link string) (Key, error) {
	if len(link) > maxLink {
		return Key{}, errors.New("too long")
	}
	u, err := url.Parse(link)
	if err != nil || u.Scheme != "otpauth" || u.Opaque != "" {
		return Key{}, errors.New("not an otpauth address")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return Key{}, errors.New("query cannot be read")
	}
	for _, name := range []string{"secret", "issuer", "algorithm", "digits", "period", "counter"} {
		if len(query[name]) > 1 {
			return Key{}, fmt.Errorf("%s is there twice", name)
		}
	}
	var k Key
	switch strings.ToLower(u.Host) {
	case "totp":
	case "hotp":
		k.Event = true
	default:
		return Key{}, errors.New("neither totp nor hotp")
	}
	k.Account = strings.TrimPrefix(u.Path, "/")
	if issuer, account, ok := strings.Cut(k.Account, ":"); ok {
		k.Issuer, k.Account = issuer, account
	}
	if issuer := query.Get("issuer"); issuer != "" {
		k.Issuer = issuer
	}
	k.Issuer, k.Account = identity.CleanTyped(k.Issuer), identity.CleanTyped(k.Account)
	if k.Secret, err = DecodeSecret(query.Get("secret")); err != nil {
		return Key{}, err
	}
	digits, err := number(query, "digits", 6)
	if err != nil {
		return Key{}, err
	}
	period, err := number(query, "period", 30)
	if err != nil {
		return Key{}, err
	}
	k.Params = Params{Digits: int(digits), Period: period, Algorithm: Algorithm(strings.ToUpper(query.Get("algorithm")))}.withDefaults()
	if digits == 0 || period == 0 || !k.Params.Valid() {
		return Key{}, errors.New("digits, period or algorithm is not one we know")
	}
	if !k.Event {
		return k, nil
	}
	if !query.Has("counter") {
		return Key{}, errors.New("counter is missing")
	}
	if k.Counter, err = number(query, "counter", 0); err != nil || k.Counter > 1<<62 {
		return Key{}, errors.New("counter is not one we can count from")
	}
	return k, nil
}

func number(query url.Values, name string, byDefault int64) (int64, error) {
	if !query.Has(name) {
		return byDefault, nil
	}
	n, err := strconv.ParseUint(query.Get(name), 10, 63)
	if err != nil {
		return 0, fmt.Errorf("%s is not a number", name)
	}
	return int64(n), nil
}
