package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

// An smtpServer is a real one that outlives the server under fault. It can be down,
// slow or refusing.
type smtpServer struct {
	port string

	mu      sync.Mutex
	mails   map[string][]string // address → bodies, oldest first
	ids     map[string]int      // Message-ID → how often it came
	pause   time.Duration       // before each recipient is accepted
	refusal *smtp.SMTPError     // of each recipient
	server  *smtp.Server
}

func startSMTP(t *testing.T) *smtpServer {
	t.Helper()
	p := &smtpServer{mails: map[string][]string{}, ids: map[string]int{}}
	_, port, err := net.SplitHostPort(freeAddr(t))
	if err != nil {
		t.Fatal(err)
	}
	p.port = port
	p.listen(t)
	t.Cleanup(p.close)
	return p
}

// listen accepts connections, again at the same port.
func (p *smtpServer) listen(t *testing.T) {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:"+p.port)
	if err != nil {
		t.Fatal(err)
	}
	p.server = smtp.NewServer(p)
	p.server.Domain, p.server.ReadTimeout, p.server.WriteTimeout = "localhost", time.Minute, time.Minute
	p.server.ErrorLog = log.New(io.Discard, "", 0) // a client that is killed in the middle is no news here
	go p.server.Serve(l)
}

func (p *smtpServer) close() { p.server.Close() }

// treatRecipients changes how recipients are answered from now on.
func (p *smtpServer) treatRecipients(pause time.Duration, refusal *smtp.SMTPError) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pause, p.refusal = pause, refusal
}

// code waits for a mail to an address and returns the code in the newest.
func (p *smtpServer) code(ctx context.Context, address string) (string, error) {
	for end := time.Now().Add(maxWait); ; {
		p.mu.Lock()
		mails := p.mails[address]
		p.mu.Unlock()
		if len(mails) > 0 {
			found := mailedCode.FindStringSubmatch(mails[len(mails)-1])
			if found == nil {
				return "", fmt.Errorf("no code in the mail to %s:\n%s", address, mails[len(mails)-1])
			}
			return found[1], nil
		}
		if time.Now().After(end) {
			return "", fmt.Errorf("the mail to %s was lost: none came for %v", address, maxWait)
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// repeated counts the mails that came more than once.
func (p *smtpServer) repeated() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, times := range p.ids {
		if times > 1 {
			n++
		}
	}
	return n
}

func (p *smtpServer) NewSession(*smtp.Conn) (smtp.Session, error) { return &smtpSession{p: p}, nil }

// An smtpSession is one mail on its way in.
type smtpSession struct {
	p  *smtpServer
	to string
}

func (s *smtpSession) Reset()                               {}
func (s *smtpSession) Logout() error                        { return nil }
func (s *smtpSession) Mail(string, *smtp.MailOptions) error { return nil }

func (s *smtpSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.p.mu.Lock()
	pause, refusal := s.p.pause, s.p.refusal
	s.p.mu.Unlock()
	time.Sleep(pause)
	if refusal != nil {
		return refusal
	}
	s.to = to
	return nil
}

func (s *smtpSession) Data(r io.Reader) error {
	m, err := mail.ReadMessage(r)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(m.Body)
	if err != nil {
		return err
	}
	id := m.Header.Get("Message-Id")
	if id == "" {
		return errors.New("a mail without a Message-ID")
	}
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	s.p.ids[id]++
	s.p.mails[s.to] = append(s.p.mails[s.to], strings.ReplaceAll(string(body), "=\r\n", ""))
	return nil
}
