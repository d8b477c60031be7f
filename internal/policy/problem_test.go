package policy

import (
	"testing"

	"github.com/latchkey-id/latchkey/locales/localestest"
)

func TestProblemsAreSaidAlikeEverywhere(t *testing.T) {
	catalog := localestest.Catalog(t)
	texts := catalog.Negotiate("en", "", "", "").Texts("policy.problem.")
	for key, want := range messages {
		if got := texts[key]; got != want {
			t.Errorf("%s: the catalogue says %q, want %q", key, got, want)
		}
	}
	for key := range texts {
		if messages[key] == "" {
			t.Errorf("%s is in the catalogue alone", key)
		}
	}
}
