package mail

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/mail"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
	"github.com/latchkey-id/latchkey/locales/localestest"
	"github.com/latchkey-id/latchkey/templates"
)

// An smtpServer is an SMTP server that keeps the mails it gets, or refuses them.
type smtpServer struct {
	mu     sync.Mutex
	mails  []string
	from   *smtp.SMTPError // refuses senders
	rcpt   *smtp.SMTPError // refuses recipients
	kept   func()          // called once a mail is kept, before the server says so
	server *smtp.Server
}

func (p *smtpServer) NewSession(*smtp.Conn) (smtp.Session, error) { return smtpSession{p}, nil }

// set changes the behaviour of the server.
func (p *smtpServer) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

func (p *smtpServer) got() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.mails...)
}

type smtpSession struct{ p *smtpServer }

func (smtpSession) Reset()        {}
func (smtpSession) Logout() error { return nil }

func (s smtpSession) Mail(string, *smtp.MailOptions) error {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	if s.p.from != nil {
		return s.p.from
	}
	return nil
}

func (s smtpSession) Rcpt(string, *smtp.RcptOptions) error {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	if s.p.rcpt != nil {
		return s.p.rcpt
	}
	return nil
}

func (s smtpSession) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	s.p.mails = append(s.p.mails, string(b))
	if s.p.kept != nil {
		s.p.kept()
	}
	return err
}

func (p *smtpServer) listen(t *testing.T, address string) net.Addr {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	p.server = smtp.NewServer(p)
	p.server.Domain = "localhost"
	go p.server.Serve(l)
	t.Cleanup(func() { p.server.Close() })
	return l.Addr()
}

func smtpAt(a net.Addr) SMTP {
	return SMTP{Host: "127.0.0.1", Port: a.(*net.TCPAddr).Port, TLS: Unencrypted, Timeout: 5 * time.Second}
}

// newOutbox returns the outbox of a node.
func newOutbox(t *testing.T, h *storetest.Fixture, node string, sender Sender) *Outbox {
	t.Helper()
	catalog := localestest.Catalog(t)
	pages, err := templates.New(func(name string) string { return name })
	if err != nil {
		t.Fatal(err)
	}
	return &Outbox{DB: h.DB, Sender: sender, Pages: pages, Catalog: catalog, From: "latchkey@example.org", Domain: "example.org",
		Log: slog.New(slog.DiscardHandler), Node: node}
}

func queue(t *testing.T, h *storetest.Fixture, language, dedupe string) {
	t.Helper()
	h.Do(t, func(tx *store.Tx) error {
		return Queue(t.Context(), tx, Message{Tenant: h.Tenant.ID, To: h.User.Mail, Language: language, Dedupe: dedupe,
			Mail: templates.VerificationCode{Name: "anna", Code: "314159", Minutes: 10}, Expires: h.Clock.Now().Add(10 * time.Minute)})
	})
}

func flush(t *testing.T, o *Outbox) {
	t.Helper()
	if _, err := o.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func events(t *testing.T, h *storetest.Fixture, kind audit.Kind) []audit.Event {
	t.Helper()
	found, err := store.Collect(h.DB.Events().List(t.Context(), h.Tenant.ID, store.EventFilter{Kind: kind}))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestADM9_MailLeavesOnceInTheReadersLanguage(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		server := &smtpServer{}
		o := newOutbox(t, h, "one", smtpAt(server.listen(t, "127.0.0.1:0")))
		queue(t, h, "de", "code 1")
		queue(t, h, "de", "code 1") // a repeat of the same
		for range 3 {
			flush(t, o)
		}
		mails := server.got()
		if len(mails) != 1 {
			t.Fatalf("%d mails, want 1", len(mails))
		}
		m, err := mail.ReadMessage(strings.NewReader(mails[0]))
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{"To": "<anna@example.org>", "Auto-Submitted": "auto-generated",
			"From": `"Example Hospital" <latchkey@example.org>`} {
			if got := m.Header.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		for _, want := range []string{"314159", "text/plain", "text/html", "@example.org>"} {
			if !strings.Contains(mails[0], want) {
				t.Errorf("no %q in\n%s", want, mails[0])
			}
		}
		if got := events(t, h, audit.MailSent); len(got) != 1 || got[0].Personal["to"] != h.User.Mail {
			t.Errorf("events of mail sent: %v, want one", got)
		}
	})
}

func TestADM9_ADeadServerLosesNothing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address := l.Addr()
		l.Close() // nothing listens there now
		o := newOutbox(t, h, "one", smtpAt(address))
		queue(t, h, "", "")
		// The pauses become longer, up to five minutes.
		for _, pause := range []time.Duration{5, 10, 20, 40, 80, 160} {
			if n, err := o.Flush(t.Context()); n != 1 || err != nil {
				t.Fatalf("%d messages tried, %v, want 1", n, err)
			}
			h.Clock.Advance(pause*time.Second - time.Second)
			if n, _ := o.Flush(t.Context()); n != 0 {
				t.Fatalf("tried again before %d s were over", pause)
			}
			h.Clock.Advance(time.Second)
		}
		server := &smtpServer{}
		server.listen(t, address.String())
		flush(t, o)
		if n := len(server.got()); n != 1 {
			t.Errorf("%d mails after the server came back, want 1", n)
		}
	})
}

// A server that accepts a connection and then does not answer is given up after
// the timeout.
func TestADM9_ASlowServerIsLeft(t *testing.T) {
	h := storetest.SQLite(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	sender := smtpAt(l.Addr())
	sender.Timeout = 200 * time.Millisecond
	o := newOutbox(t, h, "one", sender)
	queue(t, h, "", "")
	began := time.Now()
	flush(t, o)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("waited %s for a silent server", took)
	}
	server := &smtpServer{}
	o.Sender = smtpAt(server.listen(t, "127.0.0.1:0"))
	h.Clock.Advance(5 * time.Second)
	flush(t, o)
	if n := len(server.got()); n != 1 {
		t.Errorf("%d mails by another server, want 1", n)
	}
}

// Only the refusal of a recipient is final. One of the sender, or a temporary
// one, is tried again.
func TestADM9_RefusalsAreToldApart(t *testing.T) {
	for _, tt := range []struct {
		name       string
		from, rcpt *smtp.SMTPError
		later      int
	}{
		{"greylisted", nil, &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "greylisted"}, 1},
		{"sender refused", &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "you may not"}, nil, 1},
		{"no such user", nil, &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user"}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := storetest.SQLite(t)
			server := &smtpServer{from: tt.from, rcpt: tt.rcpt}
			o := newOutbox(t, h, "one", smtpAt(server.listen(t, "127.0.0.1:0")))
			queue(t, h, "", "")
			flush(t, o)
			server.set(func() { server.from, server.rcpt = nil, nil })
			h.Clock.Advance(time.Minute)
			flush(t, o)
			if n := len(server.got()); n != tt.later {
				t.Errorf("%d mails later, want %d", n, tt.later)
			}
			if failed := events(t, h, audit.MailFailed); len(failed) != 1-tt.later {
				t.Errorf("events of failure: %v", failed)
			}
		})
	}
}

func TestENR6_AnExpiredCodeIsNeverSent(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		server := &smtpServer{rcpt: &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "later"}}
		o := newOutbox(t, h, "one", smtpAt(server.listen(t, "127.0.0.1:0")))
		queue(t, h, "", "")
		flush(t, o)
		server.set(func() { server.rcpt = nil })
		h.Clock.Advance(10 * time.Minute)
		flush(t, o)
		if n := len(server.got()); n != 0 {
			t.Errorf("%d expired mails left", n)
		}
		if failed := events(t, h, audit.MailFailed); len(failed) != 1 || failed[0].Reason != "expired" {
			t.Errorf("events of failure: %v, want one, expired", failed)
		}
	})
}

// Two nodes flush at the same time: each message is leased to one of them.
func TestADM9_TwoNodesSendItOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		server := &smtpServer{}
		sender := smtpAt(server.listen(t, "127.0.0.1:0"))
		for range 20 {
			queue(t, h, "", "")
		}
		other := newOutbox(t, h, "two", sender)
		other.DB = h.Node(t)
		var wg sync.WaitGroup
		for _, o := range []*Outbox{newOutbox(t, h, "one", sender), other} {
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
		if n := len(server.got()); n != 20 {
			t.Errorf("%d mails of 20", n)
		}
	})
}

// A node dies after the server accepted the mail and before that is recorded.
// The next sends it again once the lease has expired, with the same Message-ID,
// by which the server or the reader's program recognises it.
func TestADM9_AfterADeathTheMessageIDIsTheSame(t *testing.T) {
	h := storetest.SQLite(t)
	server := &smtpServer{}
	sender := smtpAt(server.listen(t, "127.0.0.1:0"))
	queue(t, h, "", "")
	var leased []store.Message
	h.Do(t, func(tx *store.Tx) (err error) {
		leased, err = tx.Outbox().Lease(t.Context(), "dead", tx.Now().Add(leaseDuration), batch)
		return err
	})
	dead := newOutbox(t, h, "dead", sender)
	if err := dead.send(t.Context(), leased[0]); err != nil {
		t.Fatal(err)
	}
	next := newOutbox(t, h, "next", sender)
	flush(t, next)
	if n := len(server.got()); n != 1 {
		t.Fatalf("%d mails while the lease lasts, want 1", n)
	}
	h.Clock.Advance(leaseDuration)
	flush(t, next)
	var ids []string
	for _, text := range server.got() {
		m, err := mail.ReadMessage(bufio.NewReader(strings.NewReader(text)))
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, m.Header.Get("Message-ID"))
	}
	if len(ids) != 2 || ids[0] != ids[1] || ids[0] == "" {
		t.Errorf("Message-IDs %q, want the same twice", ids)
	}
}

// An orderly end records the mail that was just sent, and releases the others.
func TestADM9_OrderlyEnd(t *testing.T) {
	h := storetest.SQLite(t)
	server := &smtpServer{}
	sender := smtpAt(server.listen(t, "127.0.0.1:0"))
	for range 3 {
		queue(t, h, "", "")
	}
	ctx, end := context.WithCancel(t.Context())
	server.set(func() { server.kept = end })
	_, err := newOutbox(t, h, "one", sender).Flush(ctx)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Flush while ending: %v, want Canceled", err)
	}
	server.set(func() { server.kept = nil })
	flush(t, newOutbox(t, h, "two", sender)) // at once: no lease is left to expire
	seen := make(map[string]bool)
	for _, text := range server.got() {
		m, err := mail.ReadMessage(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		seen[m.Header.Get("Message-ID")] = true
	}
	if len(seen) != 3 {
		t.Errorf("%d different mails, want 3", len(seen))
	}
}

// Of two codes the newer one arrives last, even if the older one had to wait.
func TestADM9_OldestFirst(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		server := &smtpServer{}
		o := newOutbox(t, h, "one", smtpAt(server.listen(t, "127.0.0.1:0")))
		var want []string
		for i := range 3 * batch {
			address := string(rune('a'+i)) + "@example.org"
			want = append(want, "<"+address+">")
			h.Do(t, func(tx *store.Tx) error {
				return Queue(t.Context(), tx, Message{Tenant: h.Tenant.ID, To: address,
					Mail: templates.VerificationCode{}, Expires: h.Clock.Now().Add(time.Hour)})
			})
			h.Clock.Advance(time.Second)
		}
		for range 3 {
			flush(t, o)
		}
		var got []string
		for _, text := range server.got() {
			m, err := mail.ReadMessage(strings.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, m.Header.Get("To"))
		}
		if !slices.Equal(got, want) {
			t.Errorf("sent to %v, want %v", got, want)
		}
	})
}

// Run sends when a message is queued, and ends with its context.
func TestRun(t *testing.T) {
	h := storetest.SQLite(t)
	server := &smtpServer{}
	kept := make(chan struct{}, 1)
	server.kept = func() { kept <- struct{}{} }
	o := newOutbox(t, h, "one", smtpAt(server.listen(t, "127.0.0.1:0")))
	ctx, end := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { o.Run(ctx); close(done) }()
	queue(t, h, "", "")
	select {
	case <-kept:
	case <-time.After(5 * time.Second):
		t.Error("no mail left")
	}
	end()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		t.Error("Run goes on")
	}
}

func TestTADM06_NoInjectedHeaders(t *testing.T) {
	for _, bad := range []string{"", "anna", "anna@example.org\r\nBcc: all@example.org", "anna@example.org, ole@example.org",
		"Anna <anna@example.org>", "anna@example.org\n", strings.Repeat("a", 250) + "@example.org"} {
		if err := CheckAddress(bad); !errors.Is(err, identity.Invalid) {
			t.Errorf("CheckAddress(%q) = %v, want Invalid", bad, err)
		}
	}
	if err := CheckAddress("anna.berg+x@example.org"); err != nil {
		t.Error(err)
	}
	good := Envelope{From: "latchkey@example.org", FromName: "Example Hospital", To: "anna@example.org", MessageID: "x@example.org", Subject: "Your code"}
	for name, change := range map[string]func(*Envelope){
		"from":    func(e *Envelope) { e.From += "\r\nBcc: all@example.org" },
		"name":    func(e *Envelope) { e.FromName += "\r\nBcc: all@example.org" },
		"to":      func(e *Envelope) { e.To += "\nBcc: all@example.org" },
		"id":      func(e *Envelope) { e.MessageID += "\r\nBcc: all@example.org" },
		"subject": func(e *Envelope) { e.Subject += "\r\nBcc: all@example.org" },
	} {
		e := good
		change(&e)
		err := Folder{Dir: t.TempDir()}.Send(t.Context(), e)
		if _, permanent := errors.AsType[Permanent](err); !permanent {
			t.Errorf("a line break in %s: %v, want Permanent", name, err)
		}
	}
}

// Folder writes one file for each mail, whatever the name of the organisation.
func TestFolder(t *testing.T) {
	folder := Folder{Dir: filepath.Join(t.TempDir(), "mails")}
	e := Envelope{From: "latchkey@example.org", FromName: `Hospital "St. Mary", Bergen – الصحة`, To: "anna@example.org",
		MessageID: "../../x@example.org", Subject: "Ihr Code für heute", Text: "314159", HTML: "<p>314159</p>"}
	for range 2 { // the second replaces the first
		if err := folder.Send(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	files, err := os.ReadDir(folder.Dir)
	if err != nil || len(files) != 1 {
		t.Fatalf("%d files, %v, want 1", len(files), err)
	}
	f, err := os.Open(filepath.Join(folder.Dir, files[0].Name()))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := mail.ReadMessage(f)
	if err != nil {
		t.Fatal(err)
	}
	from, err := m.Header.AddressList("From")
	if err != nil || len(from) != 1 || from[0].Name != e.FromName {
		t.Errorf("From: %v, %v, want %q", from, err, e.FromName)
	}
}
