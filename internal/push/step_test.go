package push

import (
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"testing"

	"github.com/latchkey-id/latchkey/internal/policy"
)

// Each side of a check gets what the protocol's page says.
func TestPUSH23_BothSidesAsThePageSays(t *testing.T) {
	page, err := os.ReadFile("../../docs/protocol-authenticator.md")
	if err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string]*UserPresence{
		"presence-browser": State{Number: "917"}.ForBrowser(),
		"presence-pick":    ForPhone(policy.Pick, []string{"482", "917", "305"}),
	} {
		example := regexp.MustCompile("(?s)```json example=" + name + "\n(.*?)\n```").FindSubmatch(page)
		if example == nil {
			t.Fatalf("no example %s", name)
		}
		var want UserPresence
		if err := json.Unmarshal(example[1], &want); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(*got, want) {
			t.Errorf("%s: %+v, want %+v", name, *got, want)
		}
	}
	for presence, digits := range map[policy.Presence]int{policy.Enter: 2, policy.SixDigits: 6} {
		if got := ForPhone(presence, nil); got.Challenge.Digits != digits || got.Challenge.Options != nil {
			t.Errorf("%s: %+v", presence, got)
		}
	}
	if ForPhone(policy.NoPresence, nil) != nil || (State{}).ForBrowser() != nil {
		t.Error("a step where nothing is checked")
	}
}
