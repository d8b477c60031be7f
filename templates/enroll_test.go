package templates

import (
	"bytes"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// The page of an activation says what is so: nothing is to be scanned once an app has the
// code, or where no camera reads it; a Windows phone is no computer; and installing is for
// who has not installed yet.
func TestENR8_ThePageOfAnActivationSaysWhatIsSo(t *testing.T) {
	set, catalog := newSet(t), loadCatalog(t)
	for _, tt := range []struct {
		name  string
		body  EnrollScan
		words map[string]bool
	}{
		{"waiting", EnrollScan{Platform: identity.Android}, map[string]bool{"Scan the code": true, `class="qr"`: true, "installed there already": true}},
		{"taken", EnrollScan{Platform: identity.Android, Taken: true}, map[string]bool{"Scan the code": false, "Finish in your authenticator": true, `class="qr"`: false, "<ol": false}},
		{"over", EnrollScan{Platform: identity.Android, Over: true}, map[string]bool{"Scan the code": false, "You need a new code": true, `class="qr"`: false}},
		{"taken here", EnrollScan{Platform: identity.Windows, Here: true, Taken: true}, map[string]bool{"Activate on this device": false, "Finish in your authenticator": true}},
		{"a Windows phone", EnrollScan{Platform: identity.WindowsMobile}, map[string]bool{"computer": false, "Scan": false, "scan": false, `class="qr"`: false, "nstall": false, "Windows phone": true}},
		{"this Windows phone", EnrollScan{Platform: identity.WindowsMobile, Here: true}, map[string]bool{"computer": false, "nstall": false, "Press the button below": true}},
		{"an app by a link", EnrollScan{Platform: identity.Windows, Install: "https://apps.example.org/"}, map[string]bool{"unless you have it already": true, "if your browser offers": false}},
		{"an iPhone", EnrollScan{Platform: identity.IOS}, map[string]bool{"unless it is there already": true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			body := tt.body
			body.QR, body.Code = qr("https://login.example.org"), "7KQM-24RT"
			var w bytes.Buffer
			if err := set.Render(&w, Page{L: catalog.Negotiate("en", "", "", ""), Body: body}); err != nil {
				t.Fatal(err)
			}
			_, main, _ := strings.Cut(w.String(), "<main>")
			for words, want := range tt.words {
				if strings.Contains(main, words) != want {
					t.Errorf("%q is there: %v, want %v\n%s", words, !want, want, main)
				}
			}
		})
	}
}
