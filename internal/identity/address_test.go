package identity

import (
	"errors"
	"strings"
	"testing"
)

func TestParseMailAddress(t *testing.T) {
	for text, want := range map[string]struct {
		sent string
		utf8 bool
	}{
		"bob@example.org":             {"bob@example.org", false},
		"bob@bücher.example":          {"bob@xn--bcher-kva.example", false},
		"bob@BÜCHER.example":          {"bob@xn--bcher-kva.example", false},
		"bob@faß.example":             {"bob@xn--fa-hia.example", false}, // IDNA 2008, not fass
		"bob@xn--bcher-kva.example":   {"bob@xn--bcher-kva.example", false},
		"bob@مثال.example":            {"bob@xn--mgbh0fb.example", false},
		"bob@example。org":             {"bob@example.org", false}, // the ideographic full stop
		"björn@example.org":           {"björn@example.org", true},
		"björn@bücher.example":        {"björn@xn--bcher-kva.example", true},
		"o'neil+work@my_host.example": {"o'neil+work@my_host.example", false},
		"a@localhost":                 {"a@localhost", false},
	} {
		a, err := ParseMailAddress(text)
		if err != nil || a.Sent() != want.sent || a.NeedsSMTPUTF8() != want.utf8 {
			t.Errorf("%s: %q, %t, %v, want %q, %t", text, a.Sent(), a.NeedsSMTPUTF8(), err, want.sent, want.utf8)
		}
	}
	long := strings.Repeat("ü", 40)
	for _, text := range []string{"", "bob", "Bob <bob@example.org>", "<bob@example.org>", "bob@example.org, eve@example.org", "bob@example.org ",
		"bob@example.org\r\nBcc: eve@example.org", "bob@exa\x00mple.org", "bo\u202eb@example.org", "bob@-bücher-.example", "bob@bü..example",
		"bob@ü\u202e.example", "bob@" + strings.Repeat("ü", 70) + ".example", "bob@" + long + "." + long + "." + long + "." + long + "." + long + ".example",
		strings.Repeat("a", 250) + "@example.org"} {
		if a, err := ParseMailAddress(text); !errors.Is(err, Invalid) {
			t.Errorf("%q is taken as %q, %v", text, a.Sent(), err)
		}
	}
}

// What is sent is one address in one line, whatever was typed.
func FuzzParseMailAddress(f *testing.F) {
	for _, text := range []string{"bob@bücher.example", "björn@example.org", "a@b", "a@[192.0.2.1]", "\"a b\"@example.org", "a@xn--", "a@Ⅷ.example"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := ParseMailAddress(text)
		if err != nil {
			return
		}
		sent, domain := a.Sent(), a.Sent()[strings.LastIndex(a.Sent(), "@")+1:]
		if !isASCII(domain) || len(sent) > maxMailAddress || strings.ContainsAny(sent, "\r\n\x00 <>,") && !strings.Contains(sent, "[") {
			t.Errorf("%q is sent to as %q", text, sent)
		}
		again, err := ParseMailAddress(sent)
		if err != nil || again.Sent() != sent {
			t.Errorf("%q is sent to as %q, and that as %q, %v", text, sent, again.Sent(), err)
		}
	})
}
