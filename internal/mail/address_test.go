package mail

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-smtp"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
	"github.com/latchkey-id/latchkey/templates"
)

// An addressServer keeps what a mail was sent from and to, and whether SMTPUTF8 was asked for.
type addressServer struct {
	mu  sync.Mutex
	got []string
}

func (a *addressServer) NewSession(*smtp.Conn) (smtp.Session, error) {
	return &addressSession{smtpSession{&smtpServer{}}, a, ""}, nil
}

type addressSession struct {
	smtpSession
	server *addressServer
	from   string
}

func (s *addressSession) Mail(from string, o *smtp.MailOptions) error {
	if s.from = from; o.UTF8 {
		s.from += " SMTPUTF8"
	}
	return nil
}

func (s *addressSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.got = append(s.server.got, s.from+" → "+to)
	return nil
}

// A domain leaves as A-labels, which every server takes, and SMTPUTF8 is asked for where the
// part before the @ needs it, by servers that offer it. Else the mail fails at once, and says
// why. Without MailAddress.Sent the server is told of bücher.example, and refuses it; without
// WithoutSMTPUTF8 it is asked for where it need not be.
func TestADM9_AddressesBeyondASCII(t *testing.T) {
	for _, tt := range []struct {
		from, to string
		offered  bool
		want     []string
		reason   string // of the failure
	}{
		{"login@example.org", "bob@bücher.example", false, []string{"login@example.org → bob@xn--bcher-kva.example"}, ""},
		{"login@example.org", "bob@bücher.example", true, []string{"login@example.org → bob@xn--bcher-kva.example"}, ""},
		{"login@bücher.example", "bob@example.org", false, []string{"login@xn--bcher-kva.example → bob@example.org"}, ""},
		{"login@example.org", "björn@bücher.example", true, []string{"login@example.org SMTPUTF8 → björn@xn--bcher-kva.example"}, ""},
		{"login@example.org", "björn@bücher.example", false, nil, "the server has no SMTPUTF8"},
		{"büro@example.org", "bob@example.org", true, []string{"büro@example.org SMTPUTF8 → bob@example.org"}, ""},
	} {
		t.Run(tt.from+" "+tt.to, func(t *testing.T) {
			h := storetest.SQLite(t)
			backend := &addressServer{}
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			server := smtp.NewServer(backend)
			server.Domain, server.EnableSMTPUTF8 = "localhost", tt.offered
			go server.Serve(l)
			t.Cleanup(func() { server.Close() })
			o := newOutbox(t, h, "one", smtpAt(l.Addr()))
			o.From = tt.from
			h.Do(t, func(tx *store.Tx) error {
				return Queue(t.Context(), tx, Message{Tenant: h.Tenant.ID, To: tt.to,
					Mail: templates.VerificationCode{Name: "bob", Code: "314159", Minutes: 10}, Expires: h.Clock.Now().Add(10 * 60e9)})
			})
			flush(t, o)
			if !slices.Equal(backend.got, tt.want) {
				t.Errorf("sent %q, want %q", backend.got, tt.want)
			}
			failed := events(t, h, audit.MailFailed)
			if tt.reason == "" && len(failed) > 0 || tt.reason != "" && (len(failed) != 1 || failed[0].Reason != tt.reason) {
				t.Errorf("failed: %+v, want %q", failed, tt.reason)
			}
		})
	}
}

// A sender who cannot be told to the server is the operator's to change: nothing is lost until
// then.
func TestADM9_ASenderBeyondASCIIIsTriedAgain(t *testing.T) {
	h := storetest.SQLite(t)
	server := &smtpServer{}
	o := newOutbox(t, h, "one", smtpAt(server.listen(t, "127.0.0.1:0")))
	o.From = "büro@example.org"
	queue(t, h, "", "")
	flush(t, o)
	if failed := events(t, h, audit.MailFailed); len(server.got()) != 0 || len(failed) != 0 {
		t.Errorf("%d sent, failed %+v", len(server.got()), failed)
	}
	o.From = "login@example.org"
	h.Clock.Advance(minPause)
	flush(t, o)
	if n := len(server.got()); n != 1 {
		t.Errorf("%d mails later, want 1", n)
	}
}

// The headers have the A-labels too: a relay without SMTPUTF8 takes no others.
func TestAddressesInHeaders(t *testing.T) {
	folder := t.TempDir()
	e := Envelope{From: "login@bücher.example", FromName: "Bücher", To: "bob@bücher.example", MessageID: "1@example.org", Subject: "Grüße", Text: "x", HTML: "x"}
	if err := (Folder{folder}).Send(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(folder, "1.eml"))
	if err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(string(text), "\r\n\r\n")
	for _, want := range []string{"login@xn--bcher-kva.example", "bob@xn--bcher-kva.example"} {
		if !strings.Contains(head, want) {
			t.Errorf("no %s in\n%s", want, head)
		}
	}
	if strings.ContainsFunc(head, func(r rune) bool { return r > 127 }) {
		t.Errorf("not ASCII:\n%s", head)
	}
}
