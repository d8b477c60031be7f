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

// A postOffice is a real SMTP server that outlives the server under fault. It
// can be dead, slow or unwilling.
type postOffice struct {
	port string

	mu      sync.Mutex
	mails   map[string][]string // address → bodies, oldest first
	ids     map[string]int      // Message-ID → how often it came
	pause   time.Duration       // before each recipient is accepted
	refusal *smtp.SMTPError     // of each recipient
	server  *smtp.Server
}

func openPost(t *testing.T) *postOffice {
	t.Helper()
	p := &postOffice{mails: map[string][]string{}, ids: map[string]int{}}
	_, port, err := net.SplitHostPort(freeAddr(t))
	if err != nil {
		t.Fatal(err)
	}
	p.port = port
	p.open(t)
	t.Cleanup(p.close)
	return p
}

// open lets the office listen, again at the same port.
func (p *postOffice) open(t *testing.T) {
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

func (p *postOffice) close() { p.server.Close() }

// behave changes how the office treats what is brought to it.
func (p *postOffice) behave(pause time.Duration, refusal *smtp.SMTPError) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pause, p.refusal = pause, refusal
}

// code waits for a mail to an address and returns the code in the newest.
func (p *postOffice) code(ctx context.Context, address string) (string, error) {
	for end := time.Now().Add(patience); ; {
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
			return "", fmt.Errorf("the mail to %s was lost: none came for %v", address, patience)
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// twice is how many mails came more than once.
func (p *postOffice) twice() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, times := range p.ids {
		if times > 1 {
			n++
		}
	}
	return n
}

func (p *postOffice) NewSession(*smtp.Conn) (smtp.Session, error) { return &posting{p: p}, nil }

// A posting is one mail as it is brought.
type posting struct {
	p  *postOffice
	to string
}

func (s *posting) Reset()                               {}
func (s *posting) Logout() error                        { return nil }
func (s *posting) Mail(string, *smtp.MailOptions) error { return nil }

func (s *posting) Rcpt(to string, _ *smtp.RcptOptions) error {
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

func (s *posting) Data(r io.Reader) error {
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
