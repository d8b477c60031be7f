package mail

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/latchkey-id/latchkey/identity"
	"github.com/latchkey-id/latchkey/locales"
	"github.com/latchkey-id/latchkey/store"
	"github.com/latchkey-id/latchkey/templates"
)

// A postOffice is a real SMTP server that keeps what it gets, or refuses it.
type postOffice struct {
	mu     sync.Mutex
	mails  []string
	refuse *smtp.SMTPError
}

func (p *postOffice) NewSession(*smtp.Conn) (smtp.Session, error) { return session{p}, nil }

func (p *postOffice) got() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.mails...)
}

type session struct{ p *postOffice }

func (session) Reset()                               {}
func (session) Logout() error                        { return nil }
func (session) Mail(string, *smtp.MailOptions) error { return nil }
func (s session) Rcpt(string, *smtp.RcptOptions) error {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	if s.p.refuse != nil {
		return s.p.refuse
	}
	return nil
}

func (s session) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	s.p.mails = append(s.p.mails, string(b))
	return err
}

func (p *postOffice) listen(t *testing.T, address string) net.Addr {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	server := smtp.NewServer(p)
	server.Domain = "localhost"
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	return l.Addr()
}

type world struct {
	db     *store.DB
	outbox *Outbox
	tenant identity.Tenant
	now    time.Time
}

func furnish(t *testing.T, sender Sender) *world {
	t.Helper()
	w := &world{now: time.Unix(1_800_000_000, 0), tenant: identity.Tenant{ID: identity.NewID(identity.TenantID), Slug: "demo", Name: "Example Hospital"}}
	var err error
	w.db, err = store.Open(t.Context(), store.Options{Source: filepath.Join(t.TempDir(), "t.db"), Keys: store.NewKeyring(), Now: func() time.Time { return w.now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.db.Close() })
	if err := w.db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.db.InTx(t.Context(), system, func(tx *store.Tx) error { return tx.AddTenant(t.Context(), w.tenant) }); err != nil {
		t.Fatal(err)
	}
	catalog, err := locales.Load()
	if err != nil {
		t.Fatal(err)
	}
	pages, err := templates.New(func(name string) string { return name })
	if err != nil {
		t.Fatal(err)
	}
	w.outbox = &Outbox{DB: w.db, Sender: sender, Pages: pages, Catalog: catalog, From: "latchkey@example.org", Domain: "example.org",
		Log: slog.New(slog.DiscardHandler), Node: "test"}
	return w
}

func (w *world) queue(t *testing.T, language, dedupe string) {
	t.Helper()
	err := w.db.InTx(t.Context(), system, func(tx *store.Tx) error {
		return Queue(t.Context(), tx, Message{Tenant: w.tenant.ID, Kind: templates.MailCode, To: "anna@example.org", Language: language, Dedupe: dedupe,
			Args: templates.VerificationCode{Name: "anna", Code: "314159", Minutes: 10}, Expires: w.now.Add(10 * time.Minute)})
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) flush(t *testing.T) {
	t.Helper()
	if _, err := w.outbox.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func smtpAt(a net.Addr) SMTP {
	return SMTP{Host: "127.0.0.1", Port: a.(*net.TCPAddr).Port, TLS: Unencrypted}
}

func TestADM9_MailLeavesOnceInTheReadersLanguage(t *testing.T) {
	office := &postOffice{}
	w := furnish(t, smtpAt(office.listen(t, "127.0.0.1:0")))
	w.queue(t, "de", "code 1")
	w.queue(t, "de", "code 1") // a repeat of the same
	for range 3 {
		w.flush(t)
	}
	mails := office.got()
	if len(mails) != 1 {
		t.Fatalf("%d mails, want 1", len(mails))
	}
	for _, want := range []string{"314159", "Auto-Submitted: auto-generated", "text/html", "To: <anna@example.org>"} {
		if !strings.Contains(mails[0], want) {
			t.Errorf("no %q in\n%s", want, mails[0])
		}
	}
}

func TestADM9_ADeadServerLosesNothing(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr()
	l.Close() // nobody listens there now
	w := furnish(t, smtpAt(address))
	w.queue(t, "", "")
	w.flush(t)
	w.flush(t) // too early for another attempt
	var attempts int64
	office := &postOffice{}
	office.listen(t, address.String())
	w.now = w.now.Add(5 * time.Second)
	w.flush(t)
	if n := len(office.got()); n != 1 {
		t.Errorf("%d mails after the server came back (%d attempts), want 1", n, attempts)
	}
}

func TestADM9_RefusalsAreToldApart(t *testing.T) {
	office := &postOffice{refuse: &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "greylisted"}}
	w := furnish(t, smtpAt(office.listen(t, "127.0.0.1:0")))
	w.queue(t, "", "")
	w.flush(t)
	office.mu.Lock()
	office.refuse = nil
	office.mu.Unlock()
	w.now = w.now.Add(10 * time.Second)
	w.flush(t)
	if n := len(office.got()); n != 1 {
		t.Errorf("a temporary refusal: %d mails later, want 1", n)
	}
	office.mu.Lock()
	office.refuse = &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user"}
	office.mu.Unlock()
	w.queue(t, "", "")
	w.flush(t)
	office.mu.Lock()
	office.refuse = nil
	office.mu.Unlock()
	w.now = w.now.Add(time.Minute)
	w.flush(t)
	if n := len(office.got()); n != 1 {
		t.Errorf("a permanent refusal was tried again: %d mails, want 1", n)
	}
}

func TestENR6_AnExpiredCodeIsNeverSent(t *testing.T) {
	office := &postOffice{}
	w := furnish(t, smtpAt(office.listen(t, "127.0.0.1:0")))
	w.queue(t, "", "")
	w.now = w.now.Add(10 * time.Minute)
	w.flush(t)
	if n := len(office.got()); n != 0 {
		t.Errorf("%d expired mails left", n)
	}
}

// Two nodes look at once: each message is leased to one of them.
func TestADM9_TwoNodesSendItOnce(t *testing.T) {
	office := &postOffice{}
	w := furnish(t, smtpAt(office.listen(t, "127.0.0.1:0")))
	for range 20 {
		w.queue(t, "", "")
	}
	other := *w.outbox
	other.Node = "other"
	var wg sync.WaitGroup
	for _, o := range []*Outbox{w.outbox, &other} {
		wg.Go(func() {
			for {
				n, err := o.Flush(t.Context())
				if err != nil {
					t.Error(err)
				}
				if n == 0 || err != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	if n := len(office.got()); n != 20 {
		t.Errorf("%d mails of 20", n)
	}
}

func TestCheckAddress_RefusesHeaders(t *testing.T) {
	for _, bad := range []string{"", "anna", "anna@example.org\r\nBcc: all@example.org", "anna@example.org, ole@example.org",
		"Anna <anna@example.org>", "anna@example.org\n", strings.Repeat("a", 250) + "@example.org"} {
		if err := CheckAddress(bad); !errors.Is(err, identity.Invalid) {
			t.Errorf("CheckAddress(%q) = %v", bad, err)
		}
	}
	if err := CheckAddress("anna.berg+x@example.org"); err != nil {
		t.Error(err)
	}
}
