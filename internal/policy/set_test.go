package policy

import (
	"errors"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// A set has its documents in their order; all that is wrong with it as a set is told
// at once, and what its documents say is not looked at.
func TestDecodeSet(t *testing.T) {
	for _, tt := range []struct {
		name, set, want string
	}{
		{"two", `{"push": {"limit": 99}, "access": []}`, `push={"limit": 99} access=[]`},
		{"a kind there is not", `{"pusch": {}, "sms": {}, "push": {}}`, "pusch: is not known; did you mean push?; sms: is not known"},
		{"one twice", `{"push": {}, "push": {}}`, "push: is there twice"},
		{"none", `{}`, "must not be empty"},
		{"a list", `[]`, "must be an object in braces"},
		{"no JSON", `{`, "is not JSON: unexpected end of JSON input"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			set, err := DecodeSet([]byte(tt.set))
			var got []string
			for _, d := range set {
				got = append(got, string(d.Kind)+"="+string(d.Document))
			}
			if problems, ok := errors.AsType[Problems](err); ok {
				got = []string{problems.Error()}
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("%v, %v; want %s", got, err, tt.want)
			}
		})
	}
	if _, err := DecodeSet([]byte(`{"push": "` + strings.Repeat("x", MaxSet) + `"}`)); !errors.Is(err, identity.TooLarge) {
		t.Errorf("a set that is too long: %v", err)
	}
}
