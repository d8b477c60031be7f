package otp

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

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

func TestURI(t *testing.T) {
	for _, tt := range []struct {
		name string
		key  Key
		want string
	}{
		{"the usual", Key{Issuer: "Acme", Account: "mia", Secret: rfcSecret},
			"otpauth://totp/Acme:mia?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Acme&algorithm=SHA1&digits=6&period=30"},
		{"spaces, colons, signs and scripts", Key{Issuer: "Ä: & Söhne", Account: "م+1@example.org", Secret: rfcSecret, Params: Params{8, 60, SHA256}},
			"otpauth://totp/%C3%84%20%26%20S%C3%B6hne:%D9%85%2B1%40example.org?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=%C3%84%20%26%20S%C3%B6hne&algorithm=SHA256&digits=8&period=60"},
		{"by events", Key{Account: "mia", Secret: rfcSecret, Event: true, Counter: 7},
			"otpauth://hotp/mia?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&algorithm=SHA1&digits=6&counter=7"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.key.URI()
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			back, err := ParseURI(got)
			if err != nil {
				t.Fatal(err)
			}
			want := tt.key
			want.Params = want.Params.withDefaults()
			want.Issuer = strings.ReplaceAll(want.Issuer, ":", "")
			if !reflect.DeepEqual(back, want) {
				t.Errorf("read back as %+v, want %+v", back, want)
			}
		})
	}
}

func TestParseURI(t *testing.T) {
	const secret = "secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
	mia := Key{Issuer: "Acme", Account: "mia", Secret: rfcSecret, Params: Params{}.withDefaults()}
	for name, link := range map[string]string{
		"nothing but the secret":       "otpauth://totp/Acme:mia?" + secret,
		"the colon escaped":            "otpauth://totp/Acme%3A%20mia?" + secret,
		"the issuer as a parameter":    "otpauth://totp/mia?issuer=Acme&" + secret,
		"the parameter before the one": "otpauth://totp/Other:mia?issuer=Acme&" + secret,
		"what others add":              "OTPAUTH://TOTP/Acme:mia?image=https%3A%2F%2Fx.example%2Fx.png&color=ff0000&algorithm=sha1&" + secret,
	} {
		if got, err := ParseURI(link); err != nil || !reflect.DeepEqual(got, mia) {
			t.Errorf("%s: got %+v, %v, want %+v", name, got, err, mia)
		}
	}
	for name, link := range map[string]string{
		"nothing":             "",
		"a page":              "https://totp/Acme:mia?" + secret,
		"no host":             "otpauth:totp/Acme:mia?" + secret,
		"another kind":        "otpauth://motp/Acme:mia?" + secret,
		"no secret":           "otpauth://totp/Acme:mia",
		"a bad secret":        "otpauth://totp/Acme:mia?secret=hunter2hunter2hunter1",
		"two secrets":         "otpauth://totp/Acme:mia?" + secret + "&" + secret,
		"seven digits":        "otpauth://totp/mia?digits=7&" + secret,
		"no digits":           "otpauth://totp/mia?digits=0&" + secret,
		"digits of 64 bits":   "otpauth://totp/mia?digits=4294967302&" + secret,
		"digits in words":     "otpauth://totp/mia?digits=six&" + secret,
		"an empty number":     "otpauth://totp/mia?digits=&" + secret,
		"no time":             "otpauth://totp/mia?period=0&" + secret,
		"a time nobody keeps": "otpauth://totp/mia?period=31&" + secret,
		"MD5":                 "otpauth://totp/mia?algorithm=MD5&" + secret,
		"events, no counter":  "otpauth://hotp/mia?" + secret,
		"a counter too far":   "otpauth://hotp/mia?counter=9223372036854775807&" + secret,
		"a negative counter":  "otpauth://hotp/mia?counter=-1&" + secret,
		"a broken escape":     "otpauth://totp/mia?issuer=%zz&" + secret,
		"no end":              "otpauth://totp/" + strings.Repeat("a", 4000) + "?" + secret,
	} {
		got, err := ParseURI(link)
		if !errors.Is(err, identity.Invalid) {
			t.Errorf("%s: got %+v, %v, want an error of kind invalid", name, got, err)
		} else if strings.Contains(err.Error(), "GEZDGNBV") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error tells the secret: %v", name, err)
		}
	}
}

func FuzzParseURI(f *testing.F) {
	f.Add(Key{Issuer: "Acme", Account: "mia", Secret: rfcSecret}.URI())
	f.Add(Key{Account: "م", Secret: rfcSecret, Event: true, Counter: 7, Params: Params{8, 60, SHA512}}.URI())
	f.Add("otpauth://totp/a:b:c?secret=GEZDGNBVGY3TQOJQ&issuer=d%3Ae")
	f.Fuzz(func(t *testing.T, link string) {
		k, err := ParseURI(link)
		if err != nil {
			return
		}
		if HOTP(k.Secret, k.Params, k.Counter) == "" {
			t.Fatalf("%+v makes no passcodes", k)
		}
		back, err := ParseURI(k.URI())
		if err != nil {
			t.Fatalf("%s, written again as %s: %v", link, k.URI(), err)
		}
		back.Issuer, back.Account, k.Issuer, k.Account = "", "", "", ""
		if !reflect.DeepEqual(back, k) {
			t.Fatalf("%+v became %+v", k, back)
		}
	})
}
