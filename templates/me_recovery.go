package templates

import (
	"html/template"
	"net/url"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/locales"
)

// MeRecovery says how many recovery codes are left. Buttons: make.
type MeRecovery struct {
	Name   string
	Left   int       // not used yet
	MadeAt time.Time // zero if there were never any
	Off    bool      // the tenant uses none
}

func (MeRecovery) template() string { return "me_recovery.html" }
func (MeRecovery) heading() Text    { return Text{Key: "me.nav.recovery-codes"} }

// MeRecoveryMade shows a new set of recovery codes, once.
type MeRecoveryMade struct {
	Name   string
	Tenant string
	Codes  []string // as they are typed
	Back   string   // address of the page that led here
}

func (MeRecoveryMade) template() string { return "me_recovery_made.html" }
func (MeRecoveryMade) heading() Text    { return Text{Key: "me.recovery.made.heading"} }

// File is a data link with the codes as a text file: the server does not keep
// them, and could not serve a file.
func (b MeRecoveryMade) File(l locales.Printer) template.URL {
	lines := append([]string{l.T("me.recovery.made.file", "tenant", b.Tenant, "name", b.Name), ""}, b.Codes...)
	return template.URL("data:text/plain;charset=utf-8," + url.PathEscape(strings.Join(lines, "\r\n")+"\r\n")) // #nosec G203 -- escaped
}
