package otp

import (
	"bytes"
	"cmp"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/pquerna/otp"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// The vectors of RFC 4648, section 10, are shorter than a secret may be; these
// are whole secrets.
func TestDecodeSecret(t *testing.T) {
	const want = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
	if got := EncodeSecret(rfcSecret); got != want {
		t.Errorf("EncodeSecret = %s, want %s", got, want)
	}
	for _, s := range []string{want, strings.ToLower(want), "gezd gnbv gy3t qojq gezd gnbv gy3t qojq", "GEZDGNBV-GY3TQOJQ-GEZDGNBV-GY3TQOJQ", want + "\n"} {
		if got, err := DecodeSecret(s); err != nil || !bytes.Equal(got, rfcSecret) {
			t.Errorf("DecodeSecret(%q) = %q, %v", s, got, err)
		}
	}
	if got, err := DecodeSecret("GEZDGNBVGY3TQOJQGE======"); err != nil || string(got) != "12345678901" {
		t.Errorf("with padding: %q, %v", got, err)
	}
	for name, s := range map[string]string{
		"nothing":            "",
		"padding":            "========",
		"not its letters":    strings.Replace(want, "G", "1", 1),
		"72 bits":            "GEZDGNBVGY3TQOI",
		"a bit to spare set": "GEZDGNBVGY3TQOJQGF",
		"half a byte":        want + "A",
		"too long":           strings.Repeat(want, 100),
		"padding within":     "GEZDGNBV=GY3TQOJQGEZDGNBV",
	} {
		if got, err := DecodeSecret(s); !errors.Is(err, identity.Invalid) {
			t.Errorf("%s: got %q, %v, want an error of kind invalid", name, got, err)
		}
	}
}

// How the links read to the library, and to whoever takes an address apart: an &
// or a + in a name is one (with the library's own query the first issuer here ended
// at its &), and what counts events has its counter.
func TestURI(t *testing.T) {
	for _, tt := range []struct {
		name            string
		key             Key
		want            string
		issuer, account string // as they are read
	}{
		{"the usual", Key{Issuer: "Acme", Account: "mia", Secret: rfcSecret},
			"otpauth://totp/Acme:mia?algorithm=SHA1&digits=6&issuer=Acme&period=30&secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "Acme", "mia"},
		{"spaces, colons, signs and scripts", Key{Issuer: "Ä: & Söhne", Account: "م+1@example.org", Secret: rfcSecret, Params: Params{8, 60, SHA256}},
			"otpauth://totp/%C3%84%20&%20S%C3%B6hne:%D9%85+1@example.org?algorithm=SHA256&digits=8&issuer=%C3%84%20%26%20S%C3%B6hne&period=60&secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
			"Ä & Söhne", "م+1@example.org"},
		{"what ends addresses", Key{Issuer: "a?b#c=d+e/f%20&issuer=x", Account: "?#/%3F&secret=A", Secret: rfcSecret},
			"otpauth://totp/a%3Fb%23c=d+e/f%2520&issuer=x:%3F%23/%253F&secret=A?algorithm=SHA1&digits=6&issuer=a%3Fb%23c%3Dd%2Be%2Ff%2520%26issuer%3Dx&period=30&secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
			"a?b#c=d+e/f%20&issuer=x", "?#/%3F&secret=A"},
		{"by events", Key{Issuer: "Acme", Account: "mia", Secret: rfcSecret, Event: true, Counter: 7},
			"otpauth://hotp/Acme:mia?algorithm=SHA1&digits=6&issuer=Acme&secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&counter=7", "Acme", "mia"},
		{"no names", Key{Issuer: ":", Secret: rfcSecret, Params: Params{Algorithm: SHA512}},
			"otpauth://totp/-:-?algorithm=SHA512&digits=6&issuer=-&period=30&secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "-", "-"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.key.URI()
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			read, err := otp.NewKeyFromURL(got)
			if err != nil {
				t.Fatal(err)
			}
			p := tt.key.Params.withDefaults()
			if read.Issuer() != tt.issuer || read.AccountName() != tt.account || read.Secret() != EncodeSecret(rfcSecret) ||
				int(read.Digits()) != p.Digits || int64(read.Period()) != p.Period || read.Algorithm().String() != string(p.Algorithm) ||
				(read.Type() == "hotp") != tt.key.Event {
				t.Errorf("read as %q of %q, %s, %d digits, %d s, %s", read.AccountName(), read.Issuer(), read.Secret(), read.Digits(), read.Period(), read.Algorithm())
			}
		})
	}
}

// What makes no passcodes has no link: the library would make a secret up.
func TestURI_OfNoKeyIsEmpty(t *testing.T) {
	for name, k := range map[string]Key{
		"no secret":          {Issuer: "Acme", Account: "mia"},
		"seven digits":       {Issuer: "Acme", Account: "mia", Secret: rfcSecret, Params: Params{Digits: 7}},
		"MD5":                {Issuer: "Acme", Account: "mia", Secret: rfcSecret, Params: Params{Algorithm: "MD5"}},
		"a negative counter": {Issuer: "Acme", Account: "mia", Secret: rfcSecret, Event: true, Counter: -1},
	} {
		if got := k.URI(); got != "" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func FuzzURI(f *testing.F) {
	f.Add("Acme", "mia", int64(0))
	f.Add("Ä: & Söhne", "م+1@example.org", int64(7))
	f.Add("&issuer=x&secret=A?#", "/..//%2e%zz", int64(1<<62))
	f.Fuzz(func(t *testing.T, issuer, account string, counter int64) {
		k := Key{Issuer: issuer, Account: account, Secret: rfcSecret, Event: counter >= 0, Counter: max(counter, 0)}
		u, err := url.Parse(k.URI())
		if err != nil {
			t.Fatal(err)
		}
		query, err := url.ParseQuery(u.RawQuery)
		if err != nil {
			t.Fatal(err)
		}
		name := func(s string) string { return cmp.Or(strings.ReplaceAll(s, ":", ""), "-") }
		if len(query) != 5 || query.Get("issuer") != name(issuer) || query.Get("secret") != EncodeSecret(rfcSecret) ||
			u.Path != "/"+name(issuer)+":"+name(account) || k.Event && query.Get("counter") != strconv.FormatInt(counter, 10) {
			t.Errorf("%q of %q: %s", account, issuer, u)
		}
	})
}
