package templates

import (
	"html/template"
	"net/url"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/locales"
)

// MeRecovery says how one's recovery codes stand. Buttons: make.
type MeRecovery struct {
	Name   string
	Left   int       // not used yet
	MadeAt time.Time // zero where none were ever made
}

func (MeRecovery) template() string { return "me_recovery.html" }
func (MeRecovery) heading() Text    { return Text{Key: "me.nav.recovery-codes"} }

// MeRecoveryMade shows a set of recovery codes, once.
type MeRecoveryMade struct {
	Name   string
	Tenant string
	Codes  []string // as they are typed
	Back   string   // address of the page that led here
}

func (MeRecoveryMade) template() string { return "me_recovery_made.html" }
func (MeRecoveryMade) heading() Text    { return Text{Key: "me.recovery.made.heading"} }

// File is the codes as a text file in the link itself: asking the server for one
// would mean that it still had them.
func (b MeRecoveryMade) File(l locales.Printer) template.URL {
	lines := append([]string{l.T("me.recovery.made.file", "tenant", b.Tenant, "name", b.Name), ""}, b.Codes...)
	return template.URL("data:text/plain;charset=utf-8," + url.PathEscape(strings.Join(lines, "\r\n")+"\r\n")) // #nosec G203 -- escaped
}
