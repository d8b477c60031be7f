package templates

import (
	"regexp"
	"strings"
	"testing"
)

var (
	focused = regexp.MustCompile(`<[^>]* autofocus[^>]*>`)
	typed   = regexp.MustCompile(`<input[^>]* (?:aria-invalid="true"|name="(?:username|password|code|passcode|response|recovery_code|new|pin)")[^>]*>`)
)

// After an error the focus is in the field where one types again, and a screen reader
// reads the error as that field's description. On pages without a field the error
// itself has it. (With the focus on the error everywhere, each wrong passcode took two
// more presses of the tabulator.)
func TestJRN13_TheFocusAfterAnError(t *testing.T) {
	set, catalog := newSet(t), loadCatalog(t)
	l := catalog.Negotiate("en", "", "", "")
	for _, s := range samples() {
		if _, whole := s.page.Body.(Problem); whole || s.page.Problem == "" {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			var w strings.Builder
			if err := set.Render(&w, s.filled(l, catalog.Languages())); err != nil {
				t.Fatal(err)
			}
			// The first in the document gets it (HTML, section 6.6.7).
			first := focused.FindString(w.String())
			field := false
			for _, input := range typed.FindAllString(w.String(), -1) {
				field = field || !strings.Contains(input, " readonly")
			}
			switch {
			case field && !(strings.Contains(first, `aria-describedby="problem"`) && strings.HasPrefix(first, "<input")):
				t.Errorf("the focus is on %s", first)
			case !field && !strings.Contains(first, `id="problem"`):
				t.Errorf("without a field the focus is on %s", first)
			}
		})
	}
}
