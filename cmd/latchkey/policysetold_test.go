package main

import "testing"

// A command line that "policy set" took when it was one command is told how it is
// written now, or at which kind its flag is.
func TestPolicySet_OldForms(t *testing.T) {
	p := newInstallation(t)
	for _, tt := range []struct {
		args []string
		says string
	}{
		{[]string{"--no-codes", "--group", "Night nurses", "push"}, "written otherwise now: latchkey policy set push --no-codes --group 'Night nurses' --dir " + p.dir},
		{[]string{"pin", "--pin-least", "5", "--no-pin-trivial"}, "written otherwise now: latchkey policy set pin --least 5 --no-trivial --dir " + p.dir},
		{[]string{"--pin-most=9", "pin"}, "policy set pin --most=9"},
		{[]string{"platforms", "--count", "user"}, `--count is a flag of "latchkey policy set lockout"; see "latchkey policy set platforms --help"`},
		{[]string{"push", "--pin-least", "5"}, `--pin-least is a flag of "latchkey policy set pin"`},
		{[]string{"access", "--no-codes"}, `--no-codes is a flag of "latchkey policy set push"`},
		{[]string{"access", "--nothing"}, `unknown flag --nothing`},
		{[]string{"acess", "access.json"}, `did you mean "access"`},
	} {
		p.fails(exitUsage, tt.says, "", append([]string{"policy", "set"}, tt.args...)...)
		p.fails(exitUsage, `{"error":"`, "", append([]string{"policy", "set", "--json"}, tt.args...)...)
	}
}
