package policy_test

import (
	"fmt"
	"net/netip"

	"github.com/latchkey-id/latchkey/internal/policy"
)

func ExampleAccess_Explain() {
	access, err := policy.Read[policy.Access]([]byte(`{"rules": [
		{"name": "office", "networks": ["192.0.2.0/24"], "require": ["password"]},
		{"name": "everyone", "require": ["password", "otp"]}
	]}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	decision, trace := access.Explain(policy.Subject{Address: netip.MustParseAddr("198.51.100.7")})
	fmt.Println(decision.Rule, decision.Require)
	for _, t := range trace {
		fmt.Printf("%s: %s\n", t.Rule, t.Reason)
	}
	// Output:
	// everyone [password otp]
	// office: for other networks
	// everyone: matches
}

func ExampleDecode() {
	_, err := policy.Decode(policy.KindLockout, []byte(`{"treshold": 3, "passcodes": 10}`))
	fmt.Println(err)
	// Output: invalid: treshold: is not known; did you mean threshold?
}
