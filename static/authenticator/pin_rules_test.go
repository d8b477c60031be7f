package authenticator

import (
	"os/exec"
	"testing"
)

// The browser's rules for a PIN pass the test vectors of package policy. Node can
// run the module as it is: it imports nothing.
func TestCRED6_PINsInTheBrowser(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed")
	}
	out, err := exec.CommandContext(t.Context(), node, "--input-type=module", "--eval", `
		import { readFileSync } from "node:fs";
		const { brokenRule } = await import("data:text/javascript," + encodeURIComponent(readFileSync("pin-rules.js", "utf8")));
		const vectors = JSON.parse(readFileSync("../../internal/policy/testdata/pins.json", "utf8"));
		for (const { rules, pin, problem } of vectors) {
			const got = brokenRule(rules, pin) ?? "";
			if (got !== problem) console.log(JSON.stringify({ rules, pin, got, want: problem }));
		}
		console.log(vectors.length >= 50 ? "all" : "too few");`).CombinedOutput()
	if err != nil || string(out) != "all\n" {
		t.Errorf("%v\n%s", err, out)
	}
}
