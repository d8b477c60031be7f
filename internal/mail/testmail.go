package mail

import (
	"html"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/locales"
)

// TestMail is a mail that only says that it arrived. host is the host that
// sends it, and the domain of its Message-ID.
func TestMail(l locales.Printer, from, to, host string) (Envelope, error) {
	if err := CheckAddress(to); err != nil {
		return Envelope{}, err
	}
	text := l.T("mail.test.text", "host", host)
	return Envelope{From: from, FromName: "Latchkey", To: to, MessageID: identity.NewSecret() + "@" + host,
		Subject: l.T("mail.test.subject"), Text: text + "\n",
		HTML: `<!DOCTYPE html><html lang="` + l.Lang() + `" dir="` + l.Dir() + `"><body><p>` + html.EscapeString(text) + "</p></body></html>"}, nil
}
