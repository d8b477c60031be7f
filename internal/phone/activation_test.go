package phone

import (
	"errors"
	"testing"

	"github.com/latchkey-id/latchkey/internal/identity"
)

func TestActivationCode(t *testing.T) {
	const secret = "m5qk3cu7wqlzj4vdh2rtx6yb4n"
	for _, tt := range []struct {
		name string
		in   Activation
		want activationCode
		kind error
	}{
		{"link", Activation{Link: "https://id.example.org/authenticator/#v1." + secret},
			activationCode{Base: "https://id.example.org", Secret: secret}, nil},
		{"link with a port", Activation{Link: "http://localhost:8080/authenticator/#v1." + secret},
			activationCode{Base: "http://localhost:8080", Secret: secret}, nil},
		{"short code", Activation{Base: "https://id.example.org/", Code: "7KQ2-M9XF"},
			activationCode{Base: "https://id.example.org", Short: "7KQ2M9XF"}, nil},
		{"short code as people type", Activation{Base: "https://id.example.org", Code: " 7kq2 -oiLx"},
			activationCode{Base: "https://id.example.org", Short: "7KQ2011X"}, nil},
		{"short code with a U", Activation{Base: "https://id.example.org", Code: "7KQ2-M9XU"}, activationCode{}, identity.Invalid},
		{"short code too long", Activation{Base: "https://id.example.org", Code: "7KQ2-M9XF0"}, activationCode{}, identity.Invalid},
		{"newer link", Activation{Link: "https://id.example.org/authenticator/#v2." + secret}, activationCode{}, identity.Conflict},
		{"no fragment", Activation{Link: "https://id.example.org/authenticator/"}, activationCode{}, identity.Invalid},
		{"secret too short", Activation{Link: "https://id.example.org/authenticator/#v1.abc"}, activationCode{}, identity.Invalid},
		{"another page", Activation{Link: "https://id.example.org/login#v1." + secret}, activationCode{}, identity.Invalid},
		{"plain http elsewhere", Activation{Link: "http://id.example.org/authenticator/#v1." + secret}, activationCode{}, identity.Invalid},
		{"localhost in disguise", Activation{Link: "http://localhost.example.org/authenticator/#v1." + secret}, activationCode{}, identity.Invalid},
		{"somebody before the host", Activation{Link: "https://id.example.org@evil.example/authenticator/#v1." + secret}, activationCode{}, identity.Invalid},
		{"no address", Activation{Link: "7KQ2-M9XF"}, activationCode{}, identity.Invalid},
		{"nothing", Activation{}, activationCode{}, identity.Invalid},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.in.code()
			if got != tt.want || (tt.kind == nil) != (err == nil) || (tt.kind != nil && !errors.Is(err, tt.kind)) {
				t.Errorf("code() = %+v, %v, want %+v, %v", got, err, tt.want, tt.kind)
			}
		})
	}
}

func FuzzActivationCode(f *testing.F) {
	f.Add("https://id.example.org/authenticator/#v1.m5qk3cu7wqlzj4vdh2rtx6yb4n", "", "")
	f.Add("", "http://[::1]:8080", "7KQ2-M9XF")
	f.Fuzz(func(t *testing.T, link, base, short string) {
		got, err := Activation{Link: link, Base: base, Code: short}.code()
		if err == nil && (got.Base == "" || (got.Secret == "") == (got.Short == "")) {
			t.Errorf("code() = %+v", got)
		}
	})
}
