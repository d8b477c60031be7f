package policy

import (
	"encoding/json"
	"os"
	"testing"
)

// The vectors of the rule, and cases the rule does not mention. The web
// authenticator's implementation is tested with the same file (package
// static/authenticator).
func TestCRED6_PINs(t *testing.T) {
	data, err := os.ReadFile("testdata/pins.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Rules   PINRules   `json:"rules"`
		PIN     string     `json:"pin"`
		Problem PINProblem `json:"problem"`
	}
	if err := json.Unmarshal(data, &vectors); err != nil || len(vectors) < 50 {
		t.Fatalf("%d vectors, %v", len(vectors), err)
	}
	for _, v := range vectors {
		if got := v.Rules.Problem(v.PIN); got != v.Problem {
			t.Errorf("%+v: %q is %q, want %q", v.Rules, v.PIN, got, v.Problem)
		}
	}
}

// Settings that have no effect with a PIN type are stored as their defaults.
func TestCRED4a_ATemplateIsNormal(t *testing.T) {
	for _, tt := range []struct {
		name, document string
		want           Template
	}{
		{"without a PIN", `{"pin": "none", "pin_length": 8, "complexity": "strong", "stricter": true, "pin_attempts": 3, "biometric": true}`, DefaultTemplate()},
		{"nothing said", `{}`, DefaultTemplate()},
		{"with one", `{"pin": "user", "pin_length": 8, "complexity": "strong", "stricter": true, "pin_attempts": 3, "biometric": true}`,
			Template{Name: "Standard", Mode: QuickLog, Length: 6, Step: 30, PIN: UserPIN, PINAttempts: 3, Biometric: true,
				PINRules: PINRules{PINLength: 8, Complexity: StrongAlphanumeric, Stricter: true}}},
		{"trivial ones, strictly", `{"pin": "user", "trivial_pins": true, "stricter": true}`,
			Template{Name: "Standard", Mode: QuickLog, Length: 6, Step: 30, PIN: UserPIN, PINAttempts: 10,
				PINRules: PINRules{PINLength: 6, Complexity: Decimal, TrivialPINs: true}}},
	} {
		got, err := Read[Template]([]byte(tt.document))
		if err != nil || got != tt.want {
			t.Errorf("%s: read %+v, %v, want %+v", tt.name, got, err, tt.want)
		}
		raw := DefaultTemplate()
		if err := json.Unmarshal([]byte(tt.document), &raw); err != nil {
			t.Fatal(err)
		}
		data, err := Encode(raw)
		if err != nil {
			t.Fatal(err)
		}
		var kept Template
		if err := json.Unmarshal(data, &kept); err != nil || kept != tt.want {
			t.Errorf("%s: kept %s, %v, want %+v", tt.name, data, err, tt.want)
		}
	}
}
