package e2e

import (
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/browser"
)

const (
	testButton = `#sheet section > button`
	settings   = `.account .top button`
)

func step(name, state string) string {
	return fmt.Sprintf(`#sheet [data-step=%q][data-state=%q]`, name, state)
}

// Where the test of push stops, it says at which step and what to do, in words.
func TestPushTestSaysWhatDoesNotWork(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		setting browser.PermissionSetting
		step    string
		says    string
	}{
		{"blocked", browser.PermissionSettingDenied, "", "blocks notifications"},
		{"no push service", browser.PermissionSettingGranted, "subscription", "could not reach its push service"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel() // one waits for a push service that never answers
			h := startApp(t)
			b := open(t, startChromium(t), Profile{Width: 390})
			b.permit("notifications", tt.setting)
			h.enrolled(t, b, nil)
			b.Click(settings)
			if tt.step == "" {
				b.Await("the explanation", fmt.Sprintf(`document.querySelector("#sheet section")?.textContent.includes(%q)`, tt.says))
				if b.Has(testButton) {
					t.Error("a test is offered that cannot work")
				}
				return
			}
			b.See(testButton)
			b.Click(testButton)
			b.See(step(tt.step, "failed"))
			b.Await("the explanation", fmt.Sprintf(`document.querySelector("#sheet > [role=status]").textContent.includes(%q)`, tt.says))
		})
	}
}
